//! Footage in VLC and mpv: a file while it is written, the same after kill -9, and clips.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::clips::{packets, run, samples, store};
use crate::footage::{ALWAYS, files, recorded, server};
use crate::support::Server;

/// Plays a file in mpv as fast as it can: the number of pictures that it shows, and the samples that are heard.
fn play_in_mpv(file: &Path, folder: &Path) -> (usize, Vec<u8>) {
    let (shown, heard) = (folder.join("mpv"), folder.join("mpv.pcm"));
    let _ = fs::remove_dir_all(&shown);
    let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let output = Command::new("mpv")
        .args([
            "--no-config",
            "--no-terminal",
            "--untimed",
            "--framedrop=no",
            "--vo=image",
            "--vo-image-format=jpg",
        ])
        .arg(option("vo-image-outdir", &shown))
        .args(["--ao=pcm", "--ao-pcm-waveheader=no", "--audio-format=s16"])
        .arg(option("ao-pcm-file", &heard))
        .arg(file)
        .output()
        .expect("mpv runs");
    assert!(output.status.success(), "mpv {}: {output:?}", file.display());
    (fs::read_dir(shown).expect("pictures").count(), fs::read(heard).expect("sound"))
}

/// VLC with these options. It does not run as root.
fn vlc(options: &[&str], file: &Path) -> Output {
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "nobody", "--", "vlc"]);
        command
    } else {
        Command::new("vlc")
    };
    command.args(["-q", "-I", "dummy"]).args(options).arg("--play-and-exit").arg(file).arg("vlc://quit");
    command.output().expect("vlc runs")
}

/// What VLC reads of a file: the checksums of the pictures, and the samples.
fn read_in_vlc(file: &Path, folder: &Path) -> (Vec<String>, Vec<u8>) {
    let (pictures, sound) = (folder.join("vlc.avi"), folder.join("vlc.wav"));
    let out = |format: &str, path: &Path| {
        format!(
            "{format}:std{{access=file,mux={},dst={}}}",
            path.extension().unwrap().to_str().unwrap(),
            path.display()
        )
    };
    let (of_pictures, of_sound) =
        (out("#", &pictures).replacen("#:", "#", 1), out("#transcode{acodec=s16l}", &sound));
    for (path, options) in [
        (&pictures, ["--no-sout-audio", "--sout", &of_pictures]),
        (&sound, ["--no-sout-video", "--sout", &of_sound]),
    ] {
        let _ = fs::remove_file(path);
        let output = vlc(&options, file);
        assert!(fs::metadata(path).is_ok_and(|made| made.len() > 0), "vlc {}: {output:?}", file.display());
    }
    let hashes = packets(&pictures, "v").into_iter().map(|(_, hash)| hash).collect();
    // Behind a head of 44 bytes.
    (hashes, fs::read(sound).unwrap()[44..].to_vec())
}

/// Both players show every picture of the file and play every sample, as ffmpeg does.
fn check(file: &Path, folder: &Path) {
    let pictures: Vec<String> = packets(file, "v").into_iter().map(|(_, hash)| hash).collect();
    let heard: Vec<u8> = samples(file, folder).iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert!(pictures.len() > 40 && heard.len() > 60_000, "{} {}", pictures.len(), heard.len());
    let (shown, sound) = play_in_mpv(file, folder);
    assert_eq!(shown, pictures.len(), "mpv shows every picture of {}", file.display());
    assert!(sound == heard, "mpv: {} bytes of {} of {}", sound.len(), heard.len(), file.display());
    let (read, sound) = read_in_vlc(file, folder);
    // What it writes lacks the last ones: it ends at once.
    assert!(
        read.len() + 4 >= pictures.len() && pictures.starts_with(&read),
        "VLC reads {} of {} pictures of {}",
        read.len(),
        pictures.len(),
        file.display()
    );
    // Of a movie it leaves out the last samples, less than a piece of 40 ms.
    let is_whole = sound.len() + 1280 >= heard.len() && heard.starts_with(&sound);
    assert!(is_whole, "VLC: {} bytes of {} of {}", sound.len(), heard.len(), file.display());
}

/// A folder that everybody may write to.
fn open_folder(server: &Server) -> PathBuf {
    let folder = server.path().join("players");
    fs::create_dir(&folder).unwrap();
    open(server.path(), 0o755);
    open(&folder, 0o777);
    folder
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn players_show_every_clip() {
    let server = server(ALWAYS);
    let span = recorded(&server, 80.0);
    let folder = open_folder(&server);
    for kind in ["mkv", "mov"] {
        let (_, file) = store(&server, kind, span);
        check(&file, &folder);
    }
    // Those of a ZIP are files of their own.
    let (_, zip) = store(&server, "zip", span);
    run("unzip", &["-qq", zip.to_str().unwrap(), "-d", folder.to_str().unwrap()]);
    let wav = folder.join("front/sound.wav");
    let output = Command::new("mpv")
        .args(["--no-config", "--no-terminal", "--untimed", "--ao=null"])
        .arg(&wav)
        .output();
    assert!(output.expect("mpv runs").status.success());
}

#[test]
fn players_show_a_file_while_it_is_written_and_after_a_kill() {
    let mut server = server(ALWAYS);
    recorded(&server, 80.0);
    let folder = open_folder(&server);
    let file = files(server.path(), "front").pop().expect("a file");
    for above in file.ancestors().skip(1).take_while(|above| *above != server.path()) {
        open(above, 0o755);
    }
    open(&file, 0o644);
    // It grows while it is played: what the players show lies between what there was before and after.
    let before = packets(&file, "v").len();
    let (shown, sound) = play_in_mpv(&file, &folder);
    let (read, heard) = read_in_vlc(&file, &folder);
    let after = packets(&file, "v").len();
    assert!((before..=after).contains(&shown) && !sound.is_empty(), "mpv: {before}, {shown}, {after}");
    assert!(
        (before - 4..=after).contains(&read.len()) && !heard.is_empty(),
        "VLC: {before}, {}, {after}",
        read.len()
    );
    server.signal("KILL");
    server.wait_end();
    check(&file, &folder);
}
