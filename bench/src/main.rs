//! How fast and how small is the mock provider, beside bare hyper and its peers?
//!
//! `cargo xtask bench` builds this and `regrant` in release mode and runs it. It is a measurement and no test: nothing here
//! fails because a machine is slow.

mod args;
mod error;
mod goals;
mod load;
mod measure;
mod peer;
mod process;
mod report;
mod run;
mod statistics;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let typed = args::Args::parse();
    let outcome = match typed.part {
        Some(args::Part::Hyper { port, body }) => peer::hyper::serve(port, &body),
        Some(args::Part::Wiremock { port, body }) => peer::wiremock::serve(port, &body),
        Some(args::Part::Grants { count, seconds }) => measure::grants::measure(count, seconds),
        Some(args::Part::Judge { run, rounds }) => measure::judge::measure(&run, rounds),
        None if typed.wanted.judge => run::judge(&typed.wanted),
        None => run::run(&typed.wanted),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
