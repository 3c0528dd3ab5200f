//! The program: its arguments go to `cli`, its exit code comes from there.

use std::process::ExitCode;

fn main() -> ExitCode {
    defender::cli::main(std::env::args_os().skip(1).collect())
}
