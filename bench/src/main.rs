//! Times Defender against Debian's uStreamer on one stand-in camera. README.md in this folder
//! says what is measured, how, and what it does not show.
//!
//! | module | what belongs there |
//! |---|---|
//! | [`options`] | the command line into checked values |
//! | [`cameras`] | cameras that this program plays |
//! | [`servers`] | starting and ending the servers under test |
//! | [`viewers`] | the load: many streams read by one thread |
//! | [`process`] | what the kernel says a server costs |
//! | [`compare`] | the plan of a run, and each measurement |
//! | [`first`] | how long the first picture takes |
//! | [`report`] | the table and the JSON |
//! | [`failure`] | what can go wrong |

use std::process::ExitCode;

mod cameras;
mod compare;
mod failure;
mod first;
mod kind;
mod options;
mod process;
mod report;
mod servers;
mod viewers;

use failure::Failure;
use options::{Options, Task, USAGE};

fn main() -> ExitCode {
    let result = Options::from_args().and_then(|options| match options {
        Some(options) => run(&options),
        None => {
            print!("{USAGE}");
            Ok(())
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("defender-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    if options.task == Task::FirstPicture {
        print!("{}", first::run(options)?);
        return Ok(());
    }
    let rows = compare::run(options)?;
    if options.json {
        println!("{}", report::json(&rows));
    } else {
        print!("{}", report::table(&rows));
    }
    Ok(())
}
