//! The program `regrant`.

fn main() -> std::process::ExitCode {
    regrant::cli::main()
}
