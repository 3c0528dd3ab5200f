//! What signing in costs, and whether its time discloses which users exist.
//!
//! `cargo bench --bench sign_in`. Not Criterion's business: the question is not how long one thing
//! takes but whether two differ, tried in turns so that the machine's moods hit both alike.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use defender::users::{self, Accounts, Change, SessionLimits};

/// Users in the file, and tries at each: fewer than the throttle lets pass.
const USERS: u32 = 40;
const TRIES: u32 = 5;

const CHECKS: u32 = 100_000;

const PASSWORD: &str = "correct horse battery";

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("users");
    for number in 0..USERS {
        let new = Change { password: Some(PASSWORD.to_owned().into()), ..Change::default() };
        users::add(&path, &format!("user{number}"), &new).expect("added");
    }
    let token = users::add_token(&path, "token", "user0", &[], &[]).expect("added");
    let accounts = Accounts::open(&path, SessionLimits::default());
    let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let user = accounts.authenticate("user0", PASSWORD, home).expect("signed in");
    let session = accounts.begin_session(&user, home).expect("begun").expect("by password");

    per_check("session", || drop(accounts.by_secret(&session)));
    per_check("token", || drop(accounts.by_secret(&token)));
    per_check("forged session", || drop(accounts.by_secret("dfs_AAAAAAAAAAAAAAAAAAAAAA")));
    per_check("remembered password", || drop(accounts.authenticate("user0", PASSWORD, home)));
    per_check("whether a stream may go on", || {
        accounts.holds(&user);
    });
    unknown_beside_wrong(&accounts);
}

fn per_check(what: &str, check: impl Fn()) {
    let start = Instant::now();
    (0..CHECKS).for_each(|_| check());
    println!("{what}: {:.2} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(CHECKS));
}

fn unknown_beside_wrong(accounts: &Accounts) {
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for try_number in 0..USERS * TRIES {
        // An address of its own for each try, or the throttle would answer.
        let from = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + try_number));
        let number = try_number % USERS;
        let measure = |name: String, times: &mut Vec<f64>| {
            let start = Instant::now();
            assert!(accounts.authenticate(&name, "not the password", from).is_err());
            times.push(start.elapsed().as_secs_f64() * 1e3);
        };
        if try_number % 2 == 0 {
            measure(format!("user{number}"), &mut wrong);
            measure(format!("mallory{number}"), &mut unknown);
        } else {
            measure(format!("mallory{number}"), &mut unknown);
            measure(format!("user{number}"), &mut wrong);
        }
    }
    let (wrong, unknown) = (Times::of(wrong), Times::of(unknown));
    let spread = (wrong.variance / wrong.count + unknown.variance / unknown.count).sqrt();
    println!("wrong password: mean {:.3} ms, median {:.3} ms of {}", wrong.mean, wrong.median, wrong.count);
    println!(
        "unknown user: mean {:.3} ms, median {:.3} ms of {}",
        unknown.mean, unknown.median, unknown.count
    );
    println!(
        "Welch's t: {:.2} (beyond 2.6 either way they would differ, p < 0.01)",
        (wrong.mean - unknown.mean) / spread
    );
}

struct Times {
    count: f64,
    mean: f64,
    median: f64,
    variance: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { count, mean, median: times[times.len() / 2], variance }
    }
}
