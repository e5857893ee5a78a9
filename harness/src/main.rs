//! Stands in for the command line until there is one.

fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    #[cfg(feature = "reference")]
    if args.next().as_deref() == Some("subject") {
        return regrant::reference::main(args);
    }
    #[cfg(not(feature = "reference"))]
    drop(args.next());
    std::process::ExitCode::from(2)
}
