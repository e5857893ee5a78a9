//! The command line: what was typed ([`args`](self)), what was meant, and the one place where outcomes become exit codes.
//!
//! Lets in everything through `seams`; gives out an exit code. Nothing in here judges or tells stories.

mod args;
mod check;
mod demo;
mod doctor;
mod error;
mod explain;
mod explore;
mod init;
mod judge;
mod list;
mod meant;
mod out;
mod progress;
mod prompter;
mod report;
pub mod seams;
mod select;
mod serve;
mod shell;
mod wait;

use std::{any::Any, ffi::OsString, panic::AssertUnwindSafe, process::ExitCode};

use clap::Parser;

use self::{
    args::{Command, Typed},
    error::CliError,
};
use crate::report::ExitStatus;

/// The program `regrant`, from its command line to its exit code.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// The same with a command line handed in; the first word is the program's name.
///
/// A panic anywhere ends here, as a fault of the harness.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed = match Typed::try_parse_from(args) {
        Ok(typed) => typed,
        Err(refused) => return refuse(&refused),
    };
    match std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(typed.command))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            out::complain(&error.message());
            code(error.status())
        }
        Err(panic) => {
            out::complain(&format!("regrant: the harness failed: {}\nThis is a defect of regrant, not of the subject.", words(&*panic)));
            code(ExitStatus::HarnessFault)
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Demo(typed) => demo::demo(&typed).map(code),
        Command::Check(typed) => check::check(typed).map(code),
        Command::Explore(typed) => explore::explore(typed).map(code),
        Command::Serve(typed) => serve::serve(&typed).map(code),
        Command::Judge(typed) => judge::judge(&typed).map(code),
        Command::Report(typed) => report::report(&typed).map(code),
        Command::Init(typed) => init::init(&typed).map(code),
        Command::Doctor(typed) => doctor::doctor(&typed).map(code),
        Command::List(typed) => list::list(&typed).map(code),
        Command::Explain(typed) => explain::explain(&typed.id).map(code),
        Command::Schema(typed) => shell::schema(typed.of).map(code),
        Command::Completions(typed) => shell::completions(typed.shell).map(code),
        Command::Man => shell::man().map(code),
        Command::Supervise => Ok(seams::supervise()),
        Command::Subject(typed) => Ok(seams::subject(typed.args)),
    }
}

/// Help and version are no errors; clap knows which of its messages are.
fn refuse(refused: &clap::Error) -> ExitCode {
    // Whether the message could be shown changes nothing about the outcome.
    let _ = refused.print();
    code(if refused.use_stderr() { ExitStatus::Usage } else { ExitStatus::Clean })
}

fn code(status: ExitStatus) -> ExitCode {
    ExitCode::from(status.code())
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Typed::command().debug_assert();
    }

    #[test]
    fn help_of_each_command_reads_like_this() {
        let mut command = Typed::command().term_width(100);
        command.build();
        let mut help = command.render_long_help().to_string();
        for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
            help += &format!("\n=== {}\n\n", sub.get_name().to_owned());
            help += &sub.render_help().to_string();
        }
        insta::assert_snapshot!(help);
    }

    #[test]
    fn a_panic_keeps_its_words() {
        let panic = std::panic::catch_unwind(|| panic!("lost {}", 7)).expect_err("it panics");
        assert_eq!(words(&*panic), "lost 7");
    }
}
