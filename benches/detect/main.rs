//! How well motion is found: clips are drawn with people whose places are known, and with what disturbs; encoded as cameras
//! do; and looked at by Defender's detector, five times a second. `bench/detect` runs it; bench/README.md says what it
//! shows.
//!
//!     detect [--clips N] [--first N] [--class WORD] [--seed N] [--pictures DIR]
//!     detect --day [--hours N] [--step N]     a day of disturbances without people; one pixel of N is drawn each way
//!     detect --time                 what a look costs
//!     detect --export DIR           clips as folders of JPEGs with their truth, for other programs
//!     detect --exported DIR         looks at those, with the same --clips and --seed

mod day;
mod draw;
mod nuisance;
mod random;
mod run;
mod scene;
mod score;

use std::process::ExitCode;

use scene::{Clip, Nuisance};
use score::Score;

/// What is asked for.
struct Options {
    /// The first clip of a class, and how many.
    first: u64,
    clips: u64,
    class: String,
    seed: u64,
    pictures: Option<String>,
    hours: f32,
    step: usize,
    export: Option<String>,
    exported: Option<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let number = |name: &str, usual: f32| value(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let options = Options {
        first: number("--first", 0.0) as u64,
        clips: number("--clips", 8.0) as u64,
        class: value("--class").unwrap_or_default(),
        seed: number("--seed", 1.0) as u64,
        pictures: value("--pictures"),
        hours: number("--hours", 24.0),
        step: (number("--step", 2.0) as usize).max(1),
        export: value("--export"),
        exported: value("--exported"),
    };
    if arguments.is_empty() && cfg!(test) {
        return ExitCode::SUCCESS;
    }
    if has("--day") {
        day::run(options.hours, options.seed, options.step, &options.class);
    } else if has("--time") {
        run::time();
    } else if let Some(folder) = &options.export {
        run::export(folder, options.clips, options.seed);
    } else {
        table(&options);
    }
    ExitCode::SUCCESS
}

fn table(options: &Options) {
    println!("| {:<22} | people | found | recall | reported | right | precision | slowest |", "class");
    println!("| :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut all = Score::default();
    for (nuisance, name) in Nuisance::ALL {
        if !name.contains(&options.class) {
            continue;
        }
        let mut score = Score::default();
        for number in options.first..options.first + options.clips {
            let clip = Clip::new(nuisance, options.seed * 1000 + number, 3);
            let mut of_clip = Score::default();
            let exported = options.exported.as_ref().map(|folder| run::folder_of(folder, &clip, number));
            of_clip.add(&clip, &run::look_at(&clip, exported.as_deref()));
            if let Some(folder) = &options.pictures {
                run::show(&clip, &of_clip, folder);
            }
            score.join(of_clip);
        }
        row(name, &mut score);
        all.join(score);
    }
    row("all", &mut all);
}

fn row(name: &str, score: &mut Score) {
    score.delays.sort_by(f32::total_cmp);
    let slowest = score.delays.get(score.delays.len() * 95 / 100).copied().unwrap_or(0.0);
    println!(
        "| {name:<22} | {} | {} | {:.3} | {} | {} | {:.3} | {slowest:.1} s |",
        score.people,
        score.found,
        score.recall(),
        score.detections,
        score.right,
        score.precision()
    );
}
