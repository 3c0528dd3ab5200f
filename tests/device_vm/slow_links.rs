//! Viewers on links with delay and loss, which the guest's kernel can make.

use crate::links;
use crate::server::{BINARY, DEFENDER, bring_binary};
use crate::usb_bus::{PROGRAM, bring_program};
use crate::vm;

#[test]
fn viewers_on_links_with_delay_and_loss_see_the_present() {
    let vm = vm::counted();
    bring_program(&vm);
    bring_binary(&vm);
    // The tests start it by its path on the host. There it is read from memory: what waits for the host's files is late by the
    // guest's clock. Below /tmp the guest has no file of the host.
    vm.run_ok(&format!(
        "[ {BINARY} -ef {DEFENDER} ] || {{ mkdir -p $(dirname {BINARY}); [ -e {BINARY} ] || : >{BINARY}
         mount --bind {DEFENDER} {BINARY}; }}"
    ));
    let output = vm.run(&format!("{PROGRAM} --exact slow_links::in_the_guest --ignored --nocapture 2>&1"));
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}");
    assert!(output.status == 0 && printed.contains("1 passed"), "{printed}{}", output.stderr);
}

#[test]
#[ignore = "the test above runs it in the guest"]
fn in_the_guest() {
    links::try_far().expect("links with delay");
}
