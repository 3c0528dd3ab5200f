use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::{Command, Output, Stdio};

use super::*;
use crate::users::file::Record;
use crate::users::password::PasswordHash;
use crate::users::{Role, Scope};

/// What the process started by [`elsewhere`] is to edit.
const FILE: &str = "DEFENDER_TEST_USER_FILE";

/// How many users one editor adds.
const ADDED: usize = 10;

fn add(path: &Path, name: &str) -> Result<(), UsersError> {
    edit(path, |file| {
        let hash = PasswordHash::of_nobody();
        file.put(Record { name: name.to_owned(), role: Role::Viewer, hash, scope: Scope::All, past: true });
        Ok(())
    })
}

fn users(path: &Path) -> UserFile {
    read(path).unwrap().0
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A process of its own that adds [`ADDED`] users, after the shell has done `first`.
fn elsewhere(first: &str, path: &Path) -> Command {
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{first}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("{module}::edits_in_a_process_of_another_test"),
            "--ignored",
            "--nocapture",
        ])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output_of(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

#[test]
#[ignore = "the other process of the tests that need one"]
fn edits_in_a_process_of_another_test() {
    let Some(path) = std::env::var_os(FILE) else { return };
    for number in 0..ADDED {
        if let Err(error) = add(Path::new(&path), &format!("p{}-{number}", std::process::id())) {
            panic!("{error}");
        }
    }
}

#[test]
fn many_threads_editing_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::thread::scope(|scope| {
        for editor in 0..8 {
            let path = &path;
            scope.spawn(move || (0..ADDED).for_each(|n| add(path, &format!("u{editor}-{n}")).unwrap()));
        }
    });
    assert_eq!(users(&path).users().count(), 8 * ADDED);
}

#[test]
fn many_processes_editing_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let editors: Vec<_> = (0..4).map(|_| elsewhere(":", &path).spawn().unwrap()).collect();
    for editor in editors {
        let output = editor.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output_of(&output));
    }
    assert_eq!(users(&path).users().count(), 4 * ADDED);
}

#[test]
fn no_umask_changes_who_may_read_the_file() {
    for umask in ["000", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let output = elsewhere(&format!("umask {umask}"), &path).output().unwrap();
        // Whether the lock can be opened twice under 777 depends on being root; the file must
        // be right from the first edit on.
        assert!(output.status.success() || umask == "777", "{}", output_of(&output));
        assert_eq!(mode(&path), 0o600, "umask {umask}");
        assert_eq!(mode(&disk::beside(&path, "lock")) & 0o077, 0, "umask {umask}");
    }
}

#[test]
fn a_file_others_could_read_is_closed_by_the_next_edit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    add(&path, "eve").unwrap();
    assert_eq!(mode(&path), 0o600);
}

/// A limit of the file size is a full disk that stops root as well: the write fails half way.
#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "eve").unwrap();
    let before = fs::read(&path).unwrap();
    let output = elsewhere("trap '' XFSZ; ulimit -f 0", &path).output().unwrap();
    let said = output_of(&output);
    assert!(!output.status.success() && said.contains("users: cannot write the user file"), "{said}");
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(entries(folder.path()), ["users", "users.lock"]);
}

#[test]
fn what_cannot_be_written_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "eve").unwrap();
    // A folder where the new file goes: not even root can write it.
    fs::create_dir_all(folder.path().join("users.new/x")).unwrap();
    let error = add(&path, "adam").unwrap_err();
    assert!(matches!(error, UsersError::Write(..)) && error.to_string().contains("users.new"), "{error}");
    assert!(users(&path).find("eve").is_some() && users(&path).find("adam").is_none());
}

#[test]
fn an_edit_that_would_make_the_file_unreadable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, vec![b'#'; MAX_FILE_BYTES as usize]).unwrap();
    assert!(matches!(add(&path, "eve"), Err(UsersError::Write(..))));
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_FILE_BYTES);
    assert_eq!(entries(folder.path()), ["users", "users.lock"]);
}

#[test]
fn what_an_edit_killed_half_way_left_behind_is_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(disk::beside(&path, "new"), "half a li").unwrap();
    add(&path, "eve").unwrap();
    assert_eq!(entries(folder.path()), ["users", "users.lock"]);
    assert!(users(&path).find("eve").is_some());
}

#[test]
fn a_link_stays_a_link_whether_or_not_its_target_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    let (target, link) = (folder.path().join("real/list"), folder.path().join("users"));
    symlink("real/list", &link).unwrap();
    for name in ["eve", "adam"] {
        add(&link, name).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(users(&target).find(name).is_some());
    }
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    symlink(&one, &other).unwrap();
    symlink(&other, &one).unwrap();
    assert!(matches!(add(&one, "eve"), Err(UsersError::Write(..))), "a loop of links");
    assert!(fs::symlink_metadata(&one).unwrap().is_symlink());
}

#[test]
fn the_owner_of_the_file_stays_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "").unwrap();
    // Only root sees the difference: any other user edits files of their own.
    let own = fs::metadata(&path).unwrap().uid();
    let owner = if own == 0 { 65534 } else { own };
    chown(&path, Some(owner), None).unwrap();
    add(&path, "eve").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().uid(), owner);
    assert_eq!(fs::metadata(disk::beside(&path, "lock")).unwrap().uid(), owner);
}

#[test]
fn a_refused_and_an_empty_change_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let refused = edit(&path, |_| Err::<(), _>(UsersError::Unknown("eve".to_owned())));
    assert!(refused.is_err() && !path.exists());
    edit(&path, |_| Ok(())).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_lock_that_is_a_link_or_a_pipe_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (folder.path().join("users"), folder.path().join("elsewhere"));
    let lock = disk::beside(&path, "lock");
    let refused = || edit(&path, |_| Ok(())).expect_err("an error").to_string();
    std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
    assert!(refused().contains("it is a link; remove it") && !elsewhere.exists(), "{}", refused());
    fs::remove_file(&lock).unwrap();
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    assert!(refused().contains("it is not a regular file; remove it"), "{}", refused());
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
        let error = read(path).err().expect("an error").to_string();
        assert!(error.starts_with(path.to_str().unwrap()) && error.contains("regular file"), "{error}");
    }
}
