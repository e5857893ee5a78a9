//! Stands in for the command line until there is one.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("supervise") => regrant::subject::supervise_main(),
        #[cfg(feature = "reference")]
        Some("subject") => regrant::reference::main(args),
        Some(_) | None => ExitCode::from(2),
    }
}
