//! Whatever a power cut tears: a plain reader sees synced groups only, and repair finds all of them.

use defender::segment::{
    ReadAt, SegmentError, SegmentWriter, Summary, read_blocks, read_index, read_summary, recover,
};

use crate::disk::{Disk, Random};
use crate::film::{self, Batch, blocks_of, with_group};
use crate::reader::{self, Film, Shown};

const LENGTH: usize = 128 * 1024;

/// What was recorded, and when it was on the disk.
struct Recorded {
    disk: Disk,
    batches: Vec<Batch>,
    /// Operations after which the segment was begun, and each group was synced.
    synced_at: Vec<usize>,
    /// Operations after which it was closed.
    closed_at: Option<usize>,
}

/// Records random groups on a disk with this content.
fn record(random: &mut Random, content: Vec<u8>, uuid: u8, closes: bool) -> Recorded {
    let length = content.len() as u64;
    let disk = Disk::new(content);
    let groups = 1 + random.below(8);
    let batches = film::random(random, groups, 9000);
    let mut writer = SegmentWriter::create(&disk, length, &crate::head(uuid)).unwrap();
    let mut synced_at = vec![disk.op_count()];
    let mut kept = Vec::new();
    for batch in batches {
        match with_group(&batch, |group| writer.append(group)) {
            Ok(()) => kept.push(batch),
            Err(SegmentError::Full) => break,
            Err(error) => panic!("{error}"),
        }
        synced_at.push(disk.op_count());
    }
    let closed_at = closes.then(|| {
        writer.close().unwrap();
        disk.op_count()
    });
    Recorded { disk, batches: kept, synced_at, closed_at }
}

/// A file that held another segment before, and is full of it.
fn used_file(random: &mut Random) -> Vec<u8> {
    let closes = random.below(2) == 0;
    let mut content = record(random, vec![0; LENGTH], 1, closes).disk.content();
    content.resize(LENGTH, 0);
    content
}

#[test]
fn whatever_is_torn_a_reader_sees_synced_groups_only() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let content = if seed % 3 == 0 { vec![0; LENGTH] } else { used_file(&mut random) };
        let closes = random.below(2) == 0;
        let recorded = record(&mut random, content, 2, closes);
        for ops in recorded.synced_at[0]..=recorded.disk.op_count() {
            for _ in 0..6 {
                let image = recorded.disk.torn(ops, &mut random);
                check_torn(&recorded, ops, image, &format!("seed {seed}, after {ops} operations"));
            }
        }
    }
}

#[test]
fn a_repair_that_is_torn_is_repaired() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let content = used_file(&mut random);
        let recorded = record(&mut random, content, 2, false);
        let ops = recorded.disk.op_count();
        let disk = Disk::new(recorded.disk.torn(ops, &mut random));
        recover(&disk).unwrap();
        for repairing in 0..=disk.op_count() {
            let image = disk.torn(repairing, &mut random);
            check_torn(&recorded, ops, image, &format!("seed {seed}, torn after {repairing} operations"));
        }
    }
}

/// When the program alone dies, what it wrote is in memory and not on the disk yet.
#[test]
fn a_repair_after_a_crash_syncs_before_it_shows() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let disk = Disk::new(used_file(&mut random));
        let batches = film::random(&mut random, 3, 9000);
        let mut writer = SegmentWriter::create(&disk, LENGTH as u64, &crate::head(2)).unwrap();
        with_group(&batches[0], |group| writer.append(group)).unwrap();
        with_group(&batches[1], |group| writer.append(group)).unwrap();
        // Two writes are done, and the sync is not.
        disk.fail_after(2);
        assert!(with_group(&batches[2], |group| writer.append(group)).is_err());
        let begun = disk.op_count();
        disk.works_again();
        recover(&disk).unwrap();
        assert_eq!(reader::read(&disk.content()).unwrap().blocks, blocks_of(&batches, 3), "all was written");
        for ops in begun..=disk.op_count() {
            let image = disk.torn(ops, &mut random);
            let film = reader::read(&image)
                .unwrap_or_else(|error| panic!("seed {seed}, after {ops} operations: {error}"));
            assert!((1..=3).any(|count| film.blocks == blocks_of(&batches, count)), "seed {seed}, {ops}");
        }
    }
}

/// A disk that was torn after so many operations shows what it must, and is repaired.
fn check_torn(recorded: &Recorded, ops: usize, image: Vec<u8>, what: &str) {
    let synced = recorded.synced_at.iter().filter(|at| **at <= ops).count() - 1;
    let is_closed = recorded.closed_at.is_some_and(|at| at <= ops);
    let film = reader::read(&image).unwrap_or_else(|error| panic!("{what}: {error}"));
    let shown = (0..=synced).find(|count| film.blocks == blocks_of(&recorded.batches, *count));
    let shown = shown.unwrap_or_else(|| panic!("{what}: other blocks than those synced"));
    assert!(shown + 1 >= synced, "{what}: {shown} of {synced} groups are shown");
    if is_closed {
        assert_eq!((shown, film.cues_ms.len()), (synced, pictures(&film)), "{what}: closed");
    }

    let disk = Disk::new(image);
    let summary = recover(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let repaired = disk.content();
    let film = reader::read(&repaired).unwrap_or_else(|error| panic!("{what}, repaired: {error}"));
    let most = (synced + 1).min(recorded.batches.len());
    let found = (synced..=most).find(|count| film.blocks == blocks_of(&recorded.batches, *count));
    let found = found.unwrap_or_else(|| panic!("{what}, repaired: not all that was synced"));
    assert!(summary.is_closed && summary.length == repaired.len() as u64, "{what}");
    check_summary(&summary, &recorded.batches[..found], &film, what);
    check_index(&repaired, &summary, &film, what);
    let again = recover(&disk).unwrap();
    assert_eq!((again, disk.content() == repaired), (summary, true), "{what}: repaired again");
}

fn pictures(film: &Film) -> usize {
    film.blocks.iter().filter(|block| block.track == 1).count()
}

fn check_summary(summary: &Summary, batches: &[Batch], film: &Film, what: &str) {
    let missed: u32 = batches.iter().map(|batch| batch.missed_before).sum();
    let sound_blocks = film.blocks.len() - pictures(film);
    let counts = (summary.frames as usize, summary.sound_blocks as usize, summary.missed);
    assert_eq!(counts, (pictures(film), sound_blocks, missed), "{what}");
    let gaps = batches.iter().skip(1).filter(|batch| batch.gap_before.is_some()).count();
    assert_eq!(summary.stretches.len(), if batches.is_empty() { 0 } else { gaps + 1 }, "{what}");
    let last_ms = film.blocks.last().map_or(0, |block| block.at_ms);
    assert_eq!(i64::from(summary.end_ms), last_ms, "{what}");
    let duration_ms = film.duration_ms.expect("a duration");
    assert!((last_ms..=last_ms + 2000).contains(&(duration_ms as i64)), "{what}: {duration_ms} ms");
    assert_eq!(film.cues_ms.len(), pictures(film), "{what}");
}

/// The index and the blocks of each cluster are what another reader finds.
fn check_index(file: &[u8], summary: &Summary, film: &Film, what: &str) {
    assert_eq!(read_summary(file).unwrap(), *summary, "{what}");
    let index = read_index(file, summary).unwrap();
    let shown = |track, at_ms: u32, offset: usize, length: u32| Shown {
        track,
        at_ms: at_ms.into(),
        bytes: file[offset..][..length as usize].to_vec(),
    };
    let pictures: Vec<_> =
        index.iter().map(|entry| shown(1, entry.at_ms, entry.offset as usize, entry.length)).collect();
    assert!(film.blocks.iter().filter(|block| block.track == 1).eq(&pictures), "{what}: the index");
    let mut clusters: Vec<_> = index.iter().map(|entry| entry.cluster).collect();
    clusters.dedup();
    let blocks = clusters.into_iter().flat_map(|cluster| read_blocks(file, cluster.into()).unwrap());
    let blocks: Vec<_> = blocks
        .map(Result::unwrap)
        .map(|block| shown(block.track as u64, block.at_ms, block.offset as usize, block.length))
        .collect();
    assert!(blocks.iter().all(|block| film.blocks.contains(block)), "{what}: blocks");
}

#[test]
fn a_reader_at_work_sees_all_groups_but_the_last() {
    let mut random = Random::new(77);
    let disk = Disk::new(used_file(&mut random));
    let batches = film::random(&mut random, 5, 5000);
    let mut writer = SegmentWriter::create(&disk, LENGTH as u64, &crate::head(2)).unwrap();
    assert_eq!(reader::read(&disk.content()).unwrap().blocks, []);
    for (number, batch) in batches.iter().enumerate() {
        with_group(batch, |group| writer.append(group)).unwrap();
        let film = reader::read(&disk.content()).unwrap();
        assert_eq!(film.blocks, blocks_of(&batches, number), "after group {number}");
        assert_eq!((&film.title[..], film.duration_ms), ("front", None));
    }
    writer.close().unwrap();
    assert_eq!(reader::read(&disk.content()).unwrap().blocks, blocks_of(&batches, 5));
}

#[test]
fn after_an_error_what_was_synced_is_found() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let disk = Disk::new(used_file(&mut random));
        let batches = film::random(&mut random, 5, 5000);
        let mut writer = SegmentWriter::create(&disk, LENGTH as u64, &crate::head(2)).unwrap();
        disk.fail_after(random.below(24));
        let mut synced = 0;
        let mut ends = 0;
        for batch in &batches {
            match with_group(batch, |group| writer.append(group)) {
                Ok(()) => synced += 1,
                Err(SegmentError::Io { .. }) => ends = disk.op_count(),
                Err(SegmentError::Broken) => assert_eq!(disk.op_count(), ends, "seed {seed}"),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(writer.summary().frames, frames(&batches[..synced]), "as of the last group");
        let is_closed = writer.close().is_ok();
        let disk = Disk::new(disk.content());
        let summary = recover(&disk).unwrap();
        let found = reader::read(&disk.content()).unwrap().blocks;
        let most = (synced + 1).min(batches.len());
        assert!((synced..=most).any(|count| found == blocks_of(&batches, count)), "seed {seed}");
        assert!(!is_closed || synced == batches.len(), "seed {seed}");
        assert!(summary.is_closed);
    }
}

fn frames(batches: &[Batch]) -> u32 {
    blocks_of(batches, batches.len()).iter().filter(|block| block.track == 1).count() as u32
}

#[test]
fn a_file_is_full_when_the_next_group_does_not_fit() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let length = 4096 * (4 + random.below(40)) as u64;
        let disk = Disk::new(vec![0; length as usize]);
        let mut writer = SegmentWriter::create(&disk, length, &crate::head(2)).unwrap();
        let mut written = Vec::new();
        for batch in film::random(&mut random, 200, 3000) {
            let fits = with_group(&batch, |group| writer.fits(group));
            let before = disk.op_count();
            match with_group(&batch, |group| writer.append(group)) {
                Ok(()) => written.push(batch),
                Err(SegmentError::Full) => {
                    assert!(!fits, "seed {seed}");
                    assert_eq!(disk.op_count(), before, "nothing was written");
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            assert!(fits, "seed {seed}");
        }
        let summary = writer.close().unwrap();
        assert!(ReadAt::length(&disk).unwrap() <= length);
        let film = reader::read(&disk.content()).unwrap();
        assert_eq!(film.blocks, blocks_of(&written, written.len()));
        check_index(&disk.content(), &summary, &film, "full");
    }
}

#[test]
fn no_more_than_a_page_is_written_twice_for_a_group() {
    let disk = Disk::new(vec![0; 8 << 20]);
    let mut random = Random::new(5);
    let mut writer = SegmentWriter::create(&disk, 8 << 20, &crate::head(2)).unwrap();
    let begun = disk.written_bytes();
    let batch = Batch {
        blocks: vec![Shown { track: 1, at_ms: 0, bytes: random.bytes(40_000) }; 30],
        missed_before: 0,
        gap_before: None,
    };
    for _ in 0..6 {
        with_group(&batch, |group| writer.append(group)).unwrap();
    }
    // Nine bytes that show the group before are a page on the disk.
    let written = disk.written_bytes() - begun + 5 * 4096;
    let payload = 6 * 30 * 40_000;
    assert!(written * 100 <= payload * 101, "{written} bytes for {payload}");
}
