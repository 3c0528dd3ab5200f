//! What the keeper does with files that are there, and what it leaves alone.

use super::*;

/// A closed segment of the world's camera with pictures at these milliseconds, as the keeper would have read it.
pub(super) fn footage(
    world: &World,
    sequence: u64,
    head: &SegmentHead,
    pictures_ms: &[u64],
) -> Arc<SegmentInfo> {
    let (path, mut writer) = begun(world, sequence, head);
    append(&mut writer, pictures_ms);
    let info = Arc::new(SegmentInfo::new(path, writer.close().unwrap()));
    world.recordings.put(Arc::clone(&info));
    info
}

/// A file that is being written.
fn begun(world: &World, sequence: u64, head: &SegmentHead) -> (PathBuf, SegmentWriter<fs::File>) {
    let path = folder::segment_path(world.recordings.dir(), "front", head.start.wall_us, sequence);
    folder::make(path.parent().unwrap()).unwrap();
    let file = folder::create(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    let head = SegmentHead { camera: "front".to_owned(), sequence, ..head.clone() };
    (path, SegmentWriter::create(file, 1 << 20, &head).unwrap())
}

/// Appends pictures, each as a group.
fn append(writer: &mut SegmentWriter<fs::File>, pictures_ms: &[u64]) {
    for at_ms in pictures_ms {
        let blocks = [Block { track: Track::Picture, at_us: at_ms * 1000, bytes: &[7; 400] }];
        writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
    }
}

pub(super) fn head(boot: u8, monotonic_s: u64, wall_s: u64) -> SegmentHead {
    SegmentHead {
        camera: String::new(),
        sequence: 0,
        first_frame: 0,
        boot_id: [boot; 16],
        uuid: [boot; 16],
        start: Moment { monotonic_us: monotonic_s * 1_000_000, wall_us: wall_s * 1_000_000 },
        is_clock_synchronised: true,
        is_thinned: false,
        size: (64, 48),
        sound: None,
        microphone: String::new(),
    }
}

#[test]
fn a_time_is_judged_by_the_last_clock_of_its_boot() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    const TRUTH_S: u64 = 1_795_000_000;
    // A clock that began in 1970, and one that began in 2076; both were set after a minute.
    let all = [
        footage(&world, 1, &head(1, 10, 10), &[0, 500]),
        footage(&world, 2, &head(1, 70, TRUTH_S + 60), &[0]),
        footage(&world, 3, &head(2, 10, 3_345_000_000), &[0]),
        footage(&world, 4, &head(2, 70, TRUTH_S + 1060), &[0]),
        // A clock that never was set is all that there is.
        footage(&world, 5, &head(3, 10, 77), &[0]),
        footage(&world, 6, &head(0, 10, 88), &[0]),
    ];
    let ends: Vec<u64> = space::ends(&all.each_ref()).iter().map(|end_us| end_us / 1000).collect();
    let truth_ms = TRUTH_S * 1000;
    assert_eq!(
        ends,
        [truth_ms + 500, truth_ms + 60_000, truth_ms + 1_000_000, truth_ms + 1_060_000, 77_000, 88_000]
    );
}

#[test]
fn what_is_recorded_anew_does_not_come_back_with_its_disk() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    let (path, mut writer) = begun(&world, 1, &head(1, 10, 1000));
    append(&mut writer, &[0, 100]);
    let known = Arc::new(SegmentInfo::new(path, writer.summary().clone()));
    // The disk has taken it, but that is not known: it could not be synced.
    append(&mut writer, &[200]);
    world.recordings.note_damaged(&known);
    // The disk is away for a time.
    world.recordings.release();
    super::keeper::prepare(&world.recordings).unwrap();
    let summary = read_summary(&fs::File::open(known.path()).unwrap()).unwrap();
    assert_eq!((summary.is_closed, summary.frames), (true, 2));
}

#[test]
fn footage_that_is_not_whole_is_not_thinned_and_keeps_no_other() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    folder::make(&world.recordings.dir().join(folder::POOL)).unwrap();
    let times: Vec<u64> = (0..40).map(|number| number * 100).collect();
    let damaged = footage(&world, 1, &head(1, 10, 1000), &times);
    let whole = footage(&world, 2, &head(1, 20, 1010), &times);
    // The index and the first cluster, so that nothing is found.
    let mut bytes = fs::read(damaged.path()).unwrap();
    bytes[8192..].fill(0);
    fs::write(damaged.path(), &bytes).unwrap();
    let rules = Rules { thin_after_us: Some(1), thin_fps: 1, ..Rules::default() };
    let rules: BTreeMap<_, _> = [("front".to_owned(), rules)].into();
    let mut unfit = Default::default();
    for _ in 0..2 {
        thin::oldest(&Space::new(&world.recordings, rules.clone()), &mut unfit, &Stop::new());
    }
    assert_eq!(fs::read(damaged.path()).unwrap(), bytes, "it is left as it is");
    let thinned = read_summary(&fs::File::open(whole.path()).unwrap()).unwrap();
    assert!(thinned.head.is_thinned && (4..=5).contains(&thinned.frames), "{}", thinned.frames);
    assert_eq!(fs::read_dir(world.recordings.dir().join(folder::POOL)).unwrap().count(), 0);
}

#[test]
fn a_deletion_leaves_kept_events_and_says_so() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    let now_s = crate::base::clock::since_epoch().as_secs();
    footage(&world, 1, &head(1, 10, now_s - 100), &[0, 500]);
    footage(&world, 2, &head(1, 110, now_s - 1), &[0, 2500]);
    let camera = CameraName::new("front").unwrap();
    let event = NewEvent { end: NewEnd::AtOnce, ..NewEvent::new(camera, EventKind::Manual) };
    let event = world.journal.start(&event).unwrap().event;
    assert_eq!(world.recordings.request_deletion("front", 0, u64::MAX), 2);
    world.journal.keep(event.id, true).unwrap();
    assert_eq!(world.recordings.request_deletion("front", 0, u64::MAX), 1);
    assert_eq!(world.recordings.request_deletion("attic", 0, u64::MAX), 0);
    assert_eq!(world.recordings.take_deletions().len(), 2, "nothing is asked of the keeper for no file");
}

#[test]
fn what_cannot_be_deleted_stays_in_the_catalogue() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    let info = footage(&world, 1, &head(1, 10, 10), &[0]);
    // As a read-only disk does, this refuses to be removed.
    fs::remove_file(info.path()).unwrap();
    fs::create_dir(info.path()).unwrap();
    let space = Space::new(&world.recordings, BTreeMap::new());
    let victim =
        Victim { camera: "front".to_owned(), sequence: 1, bytes: info.summary.length, reason: Reason::Space };
    assert!(space.delete(&victim, false).is_err());
    assert!(world.recordings.segment("front", 1).is_some());
    assert_eq!(world.recordings.sacrificed().deleted, []);
}

#[test]
fn a_full_file_of_the_least_size_is_not_cut() {
    let mut world = World::new(&always());
    world.stop();
    let store = world.recordings.store().clone();
    let store = RecordStore { segment_bytes: 4 << 20, flush: Duration::from_secs(30), ..store };
    world.recordings = Arc::new(Recordings::new(store, Arc::clone(&world.journal)));
    world.start();
    while world.files().len() < 2 {
        world.publish(now_us(), 56_000);
    }
    world.stop();
    assert_eq!(world.segments()[0].0.length, 4 << 20, "it is used again as it is");
}

#[test]
fn nothing_is_written_where_no_disk_is_mounted() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    let dir = world.folder.path().join("stick");
    fs::create_dir(&dir).unwrap();
    let store = RecordStore { is_mount: true, ..RecordStore::in_folder(dir.clone()) };
    let refused = Recordings::new(store, Arc::clone(&world.journal)).claim().unwrap_err();
    assert!(refused.to_string().ends_with("nothing is mounted there"), "{refused}");
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
}

#[test]
fn each_file_is_read_once_at_the_start() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    let reads = |from: u64, until: u64| {
        (from..until).for_each(|sequence| drop(footage(&world, sequence, &head(1, 10, 10), &[0])));
        world.recordings.release();
        let done = || {
            let counters = fs::read_to_string("/proc/thread-self/io").unwrap();
            counters.lines().find_map(|line| line.strip_prefix("syscr: ")?.parse::<u64>().ok()).unwrap()
        };
        let before = done();
        let listing = keeper::prepare(&world.recordings).unwrap();
        keeper::read_all(listing, &world.recordings, &Stop::new());
        assert_eq!(world.recordings.with_all(|all| all.len()) as u64, until);
        done() - before
    };
    let few = reads(0, 20);
    assert_eq!(reads(20, 120) - few, 100);
}

#[test]
fn a_player_leases_what_it_remembers_of_a_segment() {
    let mut world = World::new(&always());
    for count in 1..=10 {
        world.publish(now_us(), 1000);
        wait_until(|| world.counted().0 == count);
    }
    let (enough, little) = (Memory::new(64 * 1024), Memory::new(256));
    let used = || enough.usage()[1].1.used_bytes;
    let mut player = Player::new(&world.recordings, "front", enough.for_footage());
    assert!(player.seek(0) && !player.lacks_memory());
    assert_eq!(used(), 10 * 16, "16 bytes for each frame");
    drop(player);
    assert_eq!(used(), 0);
    let mut player = Player::new(&world.recordings, "front", little.for_footage());
    assert!(!player.seek(0) && player.lacks_memory());
}

#[test]
fn a_clip_that_nobody_waits_for_is_not_put_together() {
    let mut world = World::new(&RecordSettings::default());
    // Nobody deletes what is old.
    world.stop();
    let info = footage(&world, 7, &head(1, 100, 1_790_000_000), &[0, 100, 200]);
    let put_together = |is_awaited: bool| {
        let (from_us, to_us) = (info.start_us(), info.end_us());
        let (hears, is_awaited) = (|_: &str| true, || is_awaited);
        let wanted = Wanted { from_us, to_us, kind: ClipKind::Mkv, hears: &hears, is_awaited: &is_awaited };
        Clip::new(&world.recordings, "front", &wanted, &Account::unlimited()).map(|_| ())
    };
    assert!(put_together(true).is_ok());
    assert!(matches!(put_together(false), Err(NoClip::Unwanted)));
}
