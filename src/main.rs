//! The program: its arguments go to the command line's room, its exit code comes from there.

use std::process::ExitCode;

fn main() -> ExitCode {
    defender::cli::main(std::env::args_os().skip(1).collect())
}
