//! Viewers on links with delay and loss, which the guest's kernel can make.

use std::env;

use crate::links;
use crate::vm;

#[test]
fn viewers_on_links_with_delay_and_loss_see_the_present() {
    let vm = vm::counted();
    let this = env::current_exe().expect("a path");
    let output =
        vm.run(&format!("{} --exact slow_links::in_the_guest --ignored --nocapture 2>&1", this.display()));
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}");
    assert!(output.status == 0 && printed.contains("1 passed"), "{printed}{}", output.stderr);
}

#[test]
#[ignore = "the test above runs it in the guest"]
fn in_the_guest() {
    links::try_far().expect("links with delay");
}
