//! Landlock as a real kernel enforces it, on a server that runs as root: nothing else would hold
//! it back.

use crate::server::Server;
use crate::vm;

/// A camera and a sound card are driven, and the configuration is read again, by a confined server.
#[test]
fn a_confined_server_drives_devices_and_reloads() {
    let vm = vm::lock();
    vm.plug_card();
    let server = Server::start(
        &vm,
        "[camera.front]\ndevice = \"/dev/video0\"\nwidth = 320\nheight = 180\n\
         [microphone.front]\ndevice = \"hw:0,1\"\n",
    );
    server.wait_log("confined by Landlock ABI ");
    server.wait_log("microphone front: hw:0,1");
    assert_eq!(server.snapshot().width, 320);
    server.reconfigure("[camera.front]\ndevice = \"/dev/video0\"\nwidth = 640\nheight = 360\n");
    server.wait_status("\"width\":640");
}

#[test]
fn a_link_in_the_servers_folders_opens_nothing_outside_them() {
    let vm = vm::lock();
    let server = Server::start(&vm, "[camera.front]\ndevice = \"test\"\n");
    server.wait_log("confined by Landlock ABI ");
    assert_eq!(server.get("/api").0, 200);
    // Root reads it, and so would the server: its own check is for links within the page's folder.
    vm.run_ok("cp /mnt/server/users /run/secret && ln -sf /run/secret /mnt/server/users");
    assert_eq!(server.get("/api/1.0/status").0, 401);
    server.wait_log("users: cannot read the user file: Permission denied");
    vm.run_ok("rm /mnt/server/users && cp /run/secret /mnt/server/users");
    assert_eq!(server.get("/api/1.0/status").0, 200);
}
