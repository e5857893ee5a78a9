//! What was typed.

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand};

/// Measures the mock provider beside bare hyper and its peers, all in one run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// What is to be measured.
#[derive(Debug, Clone, Group)]
pub(crate) struct Wanted {
    /// Only these alternatives, besides bare hyper, to which all are compared; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Rounds; in each every alternative has its turn
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Milliseconds of each turn
    #[arg(long, default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(50..=10_000))]
    pub(crate) turn: u64,
    /// Connections, each with a refresh chain of its own
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) connections: u32,
    /// Seconds that regrant alone is kept busy to see whether it grows
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=7200))]
    pub(crate) soak: u64,
    /// Live grants of the large authority
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    pub(crate) grants: u32,
    /// A look at the order of things, for people who change the code: three short rounds, short soak, 100,000 grants
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the judge, from what the reference subject leaves behind when all stories are told to it
    #[arg(long, conflicts_with = "only")]
    pub(crate) judge: bool,
    /// A run to judge (`run.jsonl`), in place of telling the stories anew
    #[arg(long, value_name = "FILE")]
    pub(crate) run: Option<PathBuf>,
    /// Writes the tables into docs/performance.md too
    #[arg(long)]
    pub(crate) write: bool,
}

impl Wanted {
    /// What is really meant: `--quick` shortens what was left as it was.
    pub(crate) fn meant(&self) -> Self {
        let mut meant = self.clone();
        if self.quick {
            meant.rounds = self.rounds.min(3);
            meant.turn = self.turn.min(300);
            meant.soak = self.soak.min(5);
            meant.grants = self.grants.min(100_000);
        }
        meant
    }
}

/// Servers and measurements that run as processes of their own. Started by the benchmark itself.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Part {
    /// Bare hyper with one constant body
    #[command(hide = true)]
    Hyper { port: u16, body: String },
    /// wiremock with one constant body
    #[command(hide = true)]
    Wiremock { port: u16, body: String },
    /// The judge with a saved run
    #[command(hide = true)]
    Judge { run: PathBuf, rounds: u32 },
    /// An authority with so many grants
    #[command(hide = true)]
    Grants { count: u32, seconds: u64 },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    #[test]
    fn quick_shortens_and_never_lengthens() {
        let wanted = |words: &[&str]| Args::try_parse_from([&["bench"], words].concat()).expect("valid").wanted.meant();
        assert_eq!((wanted(&[]).rounds, wanted(&[]).grants), (9, 1_000_000));
        let quick = wanted(&["--quick", "--rounds", "2", "--turn", "2000"]);
        assert_eq!((quick.rounds, quick.turn, quick.soak, quick.grants), (2, 300, 5, 100_000));
    }
}
