//! The program `regrant`.

/// Every exchange is kept in the journal, so allocating is a good part of what serving one costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    regrant::cli::main()
}
