//! Viewers on links with delay and loss, which the guest's kernel can make.

use crate::links;
use crate::usb_bus::{PROGRAM, bring_program};
use crate::vm;

const DEFENDER: &str = env!("CARGO_BIN_EXE_defender");

#[test]
fn viewers_on_links_with_delay_and_loss_see_the_present() {
    let vm = vm::counted();
    // From memory: what waits for the host's files is late by the guest's clock.
    bring_program(&vm);
    vm.run_ok(&format!(
        "[ -e /run/defender ] || {{ cp {DEFENDER} /run/defender && mount --bind /run/defender {DEFENDER}; }}"
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
