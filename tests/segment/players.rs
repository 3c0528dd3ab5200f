//! Segments in ffmpeg and in the tools of MKVToolNix: while they are written, cut off, repaired and closed.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use defender::media::{GapReason, SoundFormat};
use defender::segment::clip::{Clip, ClipBlock, ClipHead};
use defender::segment::mov::Mov;
use defender::segment::{SegmentHead, SegmentWriter, SoundTrack, Track, recover};

use crate::disk::{Disk, Random};
use crate::film::{Batch, with_group};
use crate::reader::{self, Film, Shown};

const LENGTH: u64 = 4 << 20;

/// A film of 6 s made by ffmpeg: 15 pictures a second, and sound.
fn source(folder: &Path, codec: &str) -> (Film, SegmentHead) {
    let path = folder.join("source.mkv");
    let name = path.to_str().unwrap();
    let video = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15:duration=6"];
    let audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=32000:duration=6"];
    let codecs = ["-c:v", "mjpeg", "-q:v", "5", "-c:a", codec, "-sample_fmt", "s16"];
    run("ffmpeg", &[&["-v", "error"], &video[..], &audio, &codecs, &[name]].concat());
    let film = reader::read(&fs::read(&path).unwrap()).unwrap();
    let format = SoundFormat { rate_hz: 32000, channels: 1 };
    let sound = match codec {
        "flac" => {
            let private = film.privates.iter().find(|private| private.starts_with(b"fLaC")).unwrap();
            // Without what ffmpeg says of itself behind STREAMINFO.
            let mut private = private[..42].to_vec();
            private[4] |= 0x80;
            SoundTrack::Flac { format, private }
        }
        _ => SoundTrack::Pcm { format },
    };
    (film, SegmentHead { sound: Some(sound), ..crate::head(2) })
}

/// The film in groups of a second; the last ones after a gap of nine seconds.
fn batches(film: &Film) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for block in &film.blocks {
        let second = block.at_ms as usize / 1000;
        let gap_ms = if second >= 4 { 9000 } else { 0 };
        let gap_before = (second == 4).then_some(GapReason::NoEvent);
        while batches.len() <= second {
            batches.push(Batch { blocks: Vec::new(), missed_before: 0, gap_before });
        }
        let block = Shown { at_ms: block.at_ms + gap_ms, ..block.clone() };
        batches[second].blocks.push(block);
    }
    batches
}

fn new_file(path: &Path, content: &[u8]) -> File {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
    fs::write(path, content).unwrap();
    file.set_len(LENGTH).unwrap();
    file
}

/// What ffprobe reads: for each track the times of its packets in milliseconds, with their bytes.
fn packets(path: &Path) -> [Vec<(i64, usize)>; 2] {
    let entries = "packet=stream_index,pts_time,size";
    let name = path.to_str().unwrap();
    let out = run("ffprobe", &["-v", "error", "-show_entries", entries, "-of", "csv=p=0", name]);
    let mut tracks = [Vec::new(), Vec::new()];
    for line in out.lines() {
        let fields: Vec<_> = line.split(',').collect();
        let at_ms = (fields[1].parse::<f64>().unwrap() * 1000.0).round() as i64;
        tracks[fields[0].parse::<usize>().unwrap()].push((at_ms, fields[2].parse().unwrap()));
    }
    tracks
}

/// What ffprobe should read of these batches.
fn expected(batches: &[Batch]) -> [Vec<(i64, usize)>; 2] {
    let blocks = || batches.iter().flat_map(|batch| &batch.blocks);
    let track = |number| {
        let of_track = blocks().filter(|block| block.track == number);
        of_track.map(|block| (block.at_ms, block.bytes.len())).collect()
    };
    [track(1), track(2)]
}

/// Runs a program, which must have nothing to say against the file.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{program} {arguments:?}:\n{out}\n{err}");
    out.into_owned()
}

/// The tools of MKVToolNix find no error: every element is known to libmatroska and where it may be, every block can be
/// copied.
fn check_by_mkvtoolnix(path: &Path) {
    let name = path.to_str().unwrap();
    let out = run("mkvinfo", &["--all", name]);
    for word in ["error", "warning", "unknown", "invalid"] {
        assert!(!out.to_lowercase().contains(word), "mkvinfo: {word}\n{out}");
    }
    let copy = path.with_extension("copy.mkv");
    let out = run("mkvmerge", &["-o", copy.to_str().unwrap(), name]);
    assert!(!out.contains("Warning") && !out.contains("Error"), "{out}");
    fs::remove_file(copy).unwrap();
}

/// The checksum of the first picture that ffmpeg shows after it sought this time, and the picture's own time.
fn seek(path: &Path, at_ms: i64) -> (String, String) {
    let at = format!("{}.{:03}", at_ms / 1000, at_ms % 1000);
    let name = path.to_str().unwrap();
    let input = ["-v", "error", "-copyts", "-ss", &at, "-i", name, "-map", "0:v", "-frames:v", "1"];
    let out = run("ffmpeg", &[&input[..], &["-enc_time_base", "1/1000", "-f", "framemd5", "-"]].concat());
    let line = out.lines().find(|line| !line.starts_with('#')).expect("a picture");
    let fields: Vec<_> = line.split(',').map(str::trim).collect();
    (fields[2].to_owned(), fields[5].to_owned())
}

/// Checksums of all pictures.
fn pictures(path: &Path) -> Vec<String> {
    let name = path.to_str().unwrap();
    let input = ["-v", "error", "-i", name, "-map", "0:v", "-vsync", "passthrough", "-f", "framemd5", "-"];
    let out = run("ffmpeg", &input);
    let lines = out.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

fn duration_ms(path: &Path) -> i64 {
    let name = path.to_str().unwrap();
    let out = run("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", name]);
    (out.trim().parse::<f64>().unwrap() * 1000.0).round() as i64
}

#[test]
fn ffmpeg_reads_a_segment_before_and_after_its_close() {
    for codec in ["flac", "pcm_s16le"] {
        let folder = tempfile::tempdir().unwrap();
        let (film, head) = source(folder.path(), codec);
        let batches = batches(&film);
        let path = folder.path().join("segment.mkv");
        // The file held a film of another segment before.
        let stale = fs::read(folder.path().join("source.mkv")).unwrap();
        let file = new_file(&path, &stale.repeat(LENGTH as usize / stale.len()));
        let mut writer = SegmentWriter::create(&file, LENGTH, &head).unwrap();
        for (number, batch) in batches.iter().enumerate() {
            with_group(batch, |group| writer.append(group)).unwrap();
            assert_eq!(packets(&path), expected(&batches[..number]), "{codec}, after group {number}");
        }
        let cut = folder.path().join("cut.mkv");
        let cut_file = OpenOptions::new().read(true).write(true).create_new(true).open(&cut).unwrap();
        fs::copy(&path, &cut).unwrap();

        let summary = writer.close().unwrap();
        assert_eq!(packets(&path), expected(&batches), "{codec}, closed");
        let last_ms = expected(&batches)[0].last().unwrap().0;
        assert!(summary.end_ms < 15_000, "the last block is within the last picture");
        assert_eq!(duration_ms(&path), last_ms + 66, "until the end of the last picture");
        check_by_mkvtoolnix(&path);
        run(
            "ffmpeg",
            &["-v", "error", "-err_detect", "explode", "-i", path.to_str().unwrap(), "-f", "null", "-"],
        );

        let all = pictures(&path);
        let times: Vec<_> = expected(&batches)[0].iter().map(|(at_ms, _)| *at_ms).collect();
        assert_eq!(all.len(), times.len());
        for number in [0, 1, 17, 59, 60, 75, 89] {
            assert_eq!(
                seek(&path, times[number]),
                (times[number].to_string(), all[number].clone()),
                "{codec}"
            );
        }

        assert_eq!(packets(&cut), expected(&batches[..batches.len() - 1]), "{codec}, not closed");
        recover(&cut_file).unwrap();
        assert_eq!(packets(&cut), expected(&batches), "{codec}, repaired");
        assert_eq!(fs::read(&cut).unwrap(), fs::read(&path).unwrap(), "repaired is as if closed");
    }
}

#[test]
fn ffprobe_reads_synced_groups_whatever_a_power_cut_tears() {
    let folder = tempfile::tempdir().unwrap();
    let (film, head) = source(folder.path(), "pcm_s16le");
    let batches = batches(&film);
    let mut stale = fs::read(folder.path().join("source.mkv")).unwrap().repeat(2);
    stale.resize(2 << 20, 0);
    let disk = Disk::new(stale);
    let mut writer = SegmentWriter::create(&disk, 2 << 20, &head).unwrap();
    let mut synced_at = vec![disk.op_count()];
    for batch in &batches {
        with_group(batch, |group| writer.append(group)).unwrap();
        synced_at.push(disk.op_count());
    }
    writer.close().unwrap();
    let path = folder.path().join("torn.mkv");
    let mut random = Random::new(18);
    for ops in synced_at[0]..=disk.op_count() {
        fs::write(&path, disk.torn(ops, &mut random)).unwrap();
        let synced = synced_at.iter().filter(|at| **at <= ops).count() - 1;
        let found = packets(&path);
        let is_known = |count| found == expected(&batches[..count]);
        assert!((synced.saturating_sub(1)..=synced).any(is_known), "after {ops} operations: {found:?}");
    }
}

#[test]
fn mkvtoolnix_finds_no_fault_in_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (film, head) = source(folder.path(), "flac");
    let batches = batches(&film);
    let path = folder.path().join("segment.mkv");
    let file = new_file(&path, &[]);
    let bytes = fs::metadata(folder.path().join("source.mkv")).unwrap().len();
    let length = bytes.next_multiple_of(4096) + 16 * 4096;
    file.set_len(length).unwrap();
    let mut writer = SegmentWriter::create(&file, length, &head).unwrap();
    for batch in &batches {
        with_group(batch, |group| writer.append(group)).unwrap();
        check_by_mkvtoolnix(&path);
    }
    assert_eq!(writer.close().unwrap().length, length, "nothing is cut of a file that is nearly full");
    check_by_mkvtoolnix(&path);
}

#[test]
fn sound_decodes_to_what_it_was() {
    for codec in ["flac", "pcm_s16le"] {
        let folder = tempfile::tempdir().unwrap();
        let (film, head) = source(folder.path(), codec);
        let path = folder.path().join("segment.mkv");
        let file = new_file(&path, &[]);
        let mut writer = SegmentWriter::create(&file, LENGTH, &head).unwrap();
        for batch in batches(&film) {
            with_group(&batch, |group| writer.append(group)).unwrap();
        }
        writer.close().unwrap();
        let samples = |path: PathBuf| {
            let name = path.to_str().unwrap().to_owned();
            run("ffmpeg", &["-v", "error", "-i", &name, "-map", "0:a", "-c:a", "pcm_s16le", "-f", "md5", "-"])
        };
        assert_eq!(samples(path), samples(folder.path().join("source.mkv")), "{codec}");
    }
}

#[test]
fn a_clip_plays_and_is_sought_by_its_cues() {
    let folder = tempfile::tempdir().unwrap();
    let (film, head) = source(folder.path(), "flac");
    let sound = head.sound.as_ref();
    let clip_head =
        ClipHead { uuid: [5; 16], wall_us: 0, title: "front", duration_ms: 6000, size: head.size, sound };
    let track = |block: &Shown| if block.track == 1 { Track::Picture } else { Track::Sound };
    let blocks: Vec<_> = film
        .blocks
        .iter()
        .map(|block| {
            let (at_ms, length) = (block.at_ms as u32, block.bytes.len() as u32);
            ClipBlock { track: track(block), at_ms, length }
        })
        .collect();
    let clip = Clip::new(&clip_head, &blocks).unwrap();
    let mut bytes = clip.head().to_vec();
    for (number, block) in film.blocks.iter().enumerate() {
        bytes.extend_from_slice(clip.prefix(number).as_slice());
        bytes.extend_from_slice(&block.bytes);
    }
    assert_eq!(bytes.len() as u64, clip.length());
    let read = reader::read(&bytes).unwrap();
    assert_eq!((&read.blocks, read.duration_ms, read.cues_ms.len()), (&film.blocks, Some(6000.0), 90));
    let path = folder.path().join("clip.mkv");
    fs::write(&path, bytes).unwrap();
    assert_eq!(duration_ms(&path), 6000);
    check_by_mkvtoolnix(&path);
    let all = pictures(&path);
    assert_eq!(all, pictures(&folder.path().join("source.mkv")));
    assert_eq!(seek(&path, 4467), ("4467".to_owned(), all[67].clone()));
}

#[test]
fn a_movie_plays_in_ffmpeg_with_its_times() {
    let folder = tempfile::tempdir().unwrap();
    let (film, head) = source(folder.path(), "pcm_s16le");
    let sound = head.sound.as_ref();
    let clip_head =
        ClipHead { uuid: [5; 16], wall_us: 0, title: "front", duration_ms: 6000, size: head.size, sound };
    let block = |shown: &Shown| {
        let track = if shown.track == 1 { Track::Picture } else { Track::Sound };
        ClipBlock { track, at_ms: shown.at_ms as u32, length: shown.bytes.len() as u32 }
    };
    let blocks: Vec<_> = film.blocks.iter().map(block).collect();
    let mov = Mov::new(&clip_head, &blocks).unwrap();
    let mut bytes = mov.head().to_vec();
    for (number, shown) in film.blocks.iter().enumerate() {
        assert_eq!(mov.place(number), bytes.len() as u64);
        bytes.extend_from_slice(&shown.bytes);
    }
    assert_eq!(bytes.len() as u64, mov.length());
    let path = folder.path().join("clip.mov");
    fs::write(&path, bytes).unwrap();
    let [pictures_read, sound_read] = packets(&path);
    let source_pictures: Vec<_> = blocks.iter().filter(|block| block.track == Track::Picture).collect();
    let expected: Vec<_> =
        source_pictures.iter().map(|block| (i64::from(block.at_ms), block.length as usize)).collect();
    assert_eq!(pictures_read, expected);
    let sound_bytes: usize = sound_read.iter().map(|(_, bytes)| bytes).sum();
    let source_bytes: u32 =
        blocks.iter().filter(|block| block.track == Track::Sound).map(|block| block.length).sum();
    assert_eq!((sound_read[0].0, sound_bytes), (0, source_bytes as usize));
    let samples = |name: &str| {
        let name = folder.path().join(name).to_str().unwrap().to_owned();
        run("ffmpeg", &["-v", "error", "-i", &name, "-map", "0:a", "-c:a", "pcm_s16le", "-f", "md5", "-"])
    };
    assert_eq!(samples("clip.mov"), samples("source.mkv"));
    assert_eq!(duration_ms(&path), 6000);
    assert_eq!(pictures(&path), pictures(&folder.path().join("source.mkv")));
    assert_eq!(seek(&path, 4467).1, pictures(&path)[67]);
}
