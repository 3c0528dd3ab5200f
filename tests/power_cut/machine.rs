//! A virtual machine with a disk of its own, whose power can be cut. It is as small as it can be, for it
//! boots before each cut: the kernel of tests/vm, the drivers of the disk, busybox, and the binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::edits::{EDITORS, Editor};

/// How long anything in the guest may take before the test gives up on it. Emulation is slow.
const PATIENCE: Duration = Duration::from_secs(600);

/// A machine that waits for the host's processor may find that its timer does not tick: not looked at.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet no_timer_check edd=off mitigations=off panic=-1";

/// What every machine boots: a kernel, and all files of its root.
pub struct Image {
    kernel: PathBuf,
    files: PathBuf,
}

/// A running machine; it ends when this is dropped, or with the thread that booted it.
pub struct Machine {
    qemu: Child,
    console: PathBuf,
    said: PathBuf,
}

impl Image {
    /// Packs it into `folder`, from what tests/vm/prepare left.
    pub fn pack(folder: &Path) -> Self {
        let vm = std::env::var_os("DEFENDER_VM").map_or_else(|| tree().join(".build/vm"), PathBuf::from);
        let kernel = vm.join("vmlinux");
        assert!(kernel.exists(), "no kernel in {}: run tests/vm/prepare", vm.display());
        let root = folder.join("root");
        for name in ["bin", "dev", "proc", "sys", "disk"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        copy(&program("busybox"), &root.join("bin/busybox"));
        copy(&tree().join("tests/power_cut/init"), &root.join("init"));
        let binary = Path::new(env!("CARGO_BIN_EXE_defender"));
        let stripped = root.join("defender");
        succeed(Command::new("strip").arg("-o").arg(&stripped).arg(binary));
        for library in libraries(binary) {
            copy(&library, &root.join(library.strip_prefix("/").expect("a whole path")));
        }
        fs::create_dir(root.join("modules")).unwrap();
        for driver in fs::read_dir(vm.join("disk_modules")).expect("tests/vm/prepare left it") {
            let driver = driver.unwrap();
            copy(&driver.path(), &root.join("modules").join(driver.file_name()));
        }
        fs::create_dir(root.join("etc")).unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
        for letter in EDITORS {
            fs::write(root.join(format!("edit-{letter}")), Editor::script(letter)).unwrap();
        }
        let files = folder.join("initramfs");
        let archive = fs::File::create(&files).unwrap();
        let pack = "find . | cpio -o -H newc -R 0:0 --quiet";
        succeed(Command::new("sh").args(["-c", pack]).current_dir(&root).stdout(archive));
        Self { kernel, files }
    }
}

impl Machine {
    /// Boots it with the image `disk` as `/dev/vda`; what it says goes to files in `folder`.
    pub fn boot(image: &Image, disk: &Path, folder: &Path, variables: &str) -> Self {
        let (console, said) = (folder.join("console"), folder.join("said"));
        for file in [&console, &said] {
            fs::write(file, "").unwrap();
        }
        let serial = |file: &Path| format!("file:{}", file.display());
        // No KVM: it is missing on many build machines, and where it is nested it may hang.
        // What the guest has synced to its disk has left qemu, whatever becomes of it.
        let qemu = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "qemu-system-x86_64",
                "-accel",
                "tcg,thread=single",
                "-cpu",
                "max",
                "-m",
                "256",
            ])
            .args(["-nodefaults", "-display", "none", "-no-reboot", "-kernel"])
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.files)
            .args(["-append", &format!("{KERNEL_ARGUMENTS} {variables}")])
            .args(["-serial", &serial(&console), "-serial", &serial(&said), "-drive"])
            .arg(format!("file={},if=virtio,format=raw,cache=writethrough", disk.display()))
            .stdin(Stdio::null())
            .spawn()
            .expect("setpriv runs");
        Self { qemu, console, said }
    }

    /// What the machine has said so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).unwrap_or_default()).into_owned()
    }

    pub fn wait_for(&mut self, what: &str, ready: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !ready(&self.said()) {
            let ended = self.qemu.try_wait().expect("it is a child");
            assert!(ended.is_none() && Instant::now() < end, "waited in vain for {what}; {}", self.state());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Cuts the power: nothing in the guest has a moment left.
    pub fn cut_power(&mut self) {
        let ended = self.qemu.try_wait().expect("it is a child");
        assert!(ended.is_none(), "the machine ended before its power was cut; {}", self.state());
        self.qemu.kill().expect("it runs");
        self.qemu.wait().expect("it is a child");
    }

    fn state(&self) -> String {
        let console = fs::read(&self.console).unwrap_or_default();
        format!("console:\n{}\nsaid:\n{}", String::from_utf8_lossy(&console), self.said())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// The shared libraries of a program, its loader among them.
fn libraries(binary: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(binary).output().expect("ldd runs");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    output.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn program(name: &str) -> PathBuf {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().expect("sh runs");
    String::from_utf8_lossy(&found.stdout).trim().into()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a file in a folder")).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

fn succeed(command: &mut Command) {
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
}

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
