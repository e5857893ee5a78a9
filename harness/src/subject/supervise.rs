//! `regrant supervise`: the process that starts the subject, and ends all of it when its standard input closes.

/// The hidden subcommand: reads commands on stdin, writes events on stdout, one JSON line each.
#[allow(clippy::todo, reason = "filled in by the next commits")]
#[must_use]
pub fn supervise_main() -> std::process::ExitCode {
    todo!()
}
