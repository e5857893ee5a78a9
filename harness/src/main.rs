//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("supervise") => regrant::subject::supervise_main(),
        Some(_) | None => ExitCode::from(2),
    }
}
