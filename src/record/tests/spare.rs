//! Files for new footage: what of the pool and of old footage is written to, and where it goes.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use super::files::{footage, head};
use super::open::OpenSegment;
use super::pending::{Pending, Picture};
use super::*;

fn stopped() -> World {
    let mut world = World::new(&RecordSettings::default());
    wait_until(|| world.recordings.is_read.get());
    world.stop();
    for spare in fs::read_dir(pool(&world)).unwrap() {
        fs::remove_file(spare.unwrap().path()).unwrap();
    }
    world
}

fn pool(world: &World) -> PathBuf {
    world.recordings.dir().join(folder::POOL)
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// A segment with a file of full length, which may be written to again; its path.
fn full(world: &World, sequence: u64) -> PathBuf {
    let info = footage(world, sequence, &head(1, 10, 1000 + sequence), &[0]);
    let length = world.recordings.store().segment_bytes;
    fs::File::options().write(true).open(info.path()).unwrap().set_len(length).unwrap();
    let mut summary = info.summary.clone();
    summary.length = length;
    let path = info.path().to_owned();
    drop(info);
    world.recordings.take("front", sequence);
    world.recordings.put(Arc::new(SegmentInfo::new(path.clone(), summary)));
    path
}

fn delete(world: &World, sequence: u64) {
    let victim = Victim { camera: "front".to_owned(), sequence, bytes: 0, reason: Reason::Space };
    Space::new(&world.recordings, BTreeMap::new()).delete(&victim, true).unwrap();
}

#[test]
fn a_file_with_a_second_name_is_not_written_again() {
    let world = stopped();
    let (alone, copied) = (full(&world, 1), full(&world, 2));
    let backup = world.folder.path().join("backup.mkv");
    fs::hard_link(&copied, &backup).unwrap();
    let recycled = inode(&alone);
    delete(&world, 1);
    delete(&world, 2);
    let names: Vec<PathBuf> =
        fs::read_dir(pool(&world)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.iter().map(|path| inode(path)).collect::<Vec<_>>(), [recycled]);
    // One in the pool may get its second name later.
    fs::remove_file(&backup).unwrap();
    fs::hard_link(&names[0], &backup).unwrap();
    let spare = Space::new(&world.recordings, BTreeMap::new()).acquire().unwrap();
    assert_ne!(spare.file.metadata().unwrap().ino(), recycled);
}

#[test]
fn what_lies_in_the_pool_does_not_stop_recording() {
    let world = stopped();
    symlink("/nowhere/at/all", pool(&world).join("new-0.mkv")).unwrap();
    // A program that runs cannot be written to, even by root.
    let busy = pool(&world).join("busy.mkv");
    fs::copy("/bin/sleep", &busy).unwrap();
    let mut child = Command::new(&busy).arg("1000").spawn().unwrap();
    let spares = [0, 1].map(|_| {
        let spare = Space::new(&world.recordings, BTreeMap::new()).acquire();
        spare.map(|spare| spare.path.clone()).map_err(|error| error.to_string())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(spares, [Ok(pool(&world).join("new-1.mkv")), Ok(pool(&world).join("new-1.mkv"))]);
}

#[test]
fn footage_needs_no_file_to_go_from_folder_to_folder() {
    // As Landlock does before Linux 5.19, another file system refuses to rename.
    let world = stopped();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return eprintln!("skipped: no /dev/shm") };
    fs::remove_dir(pool(&world)).unwrap();
    symlink(elsewhere.path(), pool(&world)).unwrap();
    let space = Space::new(&world.recordings, BTreeMap::new());
    let mut pending = Pending::default();
    let write = |out: &mut Vec<u8>| {
        out.extend_from_slice(&[0xff, 0xd8, 0xff, 0xd9]);
        Ok::<(), ()>(())
    };
    let frame = part::build(Vec::new(), Timestamp::now(), (64, 48), write).unwrap();
    let picture = Picture { at_us: frame.captured().as_micros(), frame: Arc::new(frame) };
    pending.add_picture(picture, now_us());
    let mut open = OpenSegment::begin("front", &pending, None, &world.recordings, &space).unwrap();
    open.append(&pending, &world.recordings).unwrap();
    open.close(&world.recordings).unwrap();
    assert_eq!(world.segments()[0].0.frames, 1);
    let path = full(&world, 7);
    delete(&world, 7);
    assert!(!path.exists() && fs::read_dir(elsewhere.path()).unwrap().next().is_none());

    // What a power cut left is removed at the next start.
    let part = world.files()[0].with_file_name(folder::PART);
    fs::write(&part, "").unwrap();
    keeper::prepare(&world.recordings).unwrap();
    assert!(!part.exists() && world.files().len() == 1);
}
