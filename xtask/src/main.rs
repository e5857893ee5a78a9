//! The project's own chores.
//!
//! - `cargo xtask test`: all gates and all tests, with what they need installed first; the last line is `N passed, N failed`.
//! - `cargo xtask bench`: the mock provider beside bare hyper and its peers, measured; `--help` tells the rest.
//! - `cargo xtask matrix`: every planted defect told every story, those in other languages the fewest that convict them; writes
//!   `docs/kill-matrix.md`. With `--foreign`: the defects of the subjects in
//!   other languages, told all stories that decide what each must or may be convicted of.
//! - `cargo xtask hunt`: every planted race searched for, and honest designs searched on a busy machine; writes `docs/race-hunt.md`.
//! - `cargo xtask soak`: honest subjects judged again and again, at leisure and under load; no verdict may change.
//! - `cargo xtask features`: writes the Examples tables of `features/` anew from `scenarios/`.

mod part;
mod parts;
mod totals;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => parts::test(),
        ["features"] => parts::features(),
        ["bench", ..] => parts::bench(&words[1..]),
        ["matrix", ..] => parts::matrix(&words[1..]),
        ["hunt", ..] => parts::hunt(&words[1..]),
        ["soak", ..] => parts::soak(&words[1..]),
        _ => {
            println!("cargo xtask test      fmt, clippy, all tests, rustdoc; installs what the examples and clients need");
            println!("cargo xtask bench     measures the mock provider beside bare hyper and its peers; --quick, --help");
            println!("cargo xtask matrix    every planted defect told every story: docs/kill-matrix.md; --sample, --minutes N; --foreign");
            println!("cargo xtask hunt      searches for every planted race, and among the orders of honest designs; --only NAME, --write");
            println!(
                "cargo xtask soak      honest subjects judged again and again: no verdict may change; --minutes N, --runs N, --timing N"
            );
            println!("cargo xtask features  writes the Examples tables of features/ anew from scenarios/");
            ExitCode::from(2)
        }
    }
}
