//! The program `regrant`, built again where tests can find it.

fn main() -> std::process::ExitCode {
    regrant::cli::main()
}
