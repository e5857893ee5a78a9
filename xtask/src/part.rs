//! One part of a chore: a command whose output streams, timed, with an outcome.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use crate::totals::Totals;

/// How a part went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it should.
    Done,
    /// It ran and says no.
    Failed,
    /// It could not run.
    LeftOut(String),
}

/// A part that was run.
#[derive(Debug)]
pub(crate) struct Part {
    /// What it is called.
    pub(crate) name: &'static str,
    /// How it went.
    pub(crate) outcome: Outcome,
    /// How long it took.
    pub(crate) took: Duration,
    /// Tests counted in its output.
    pub(crate) totals: Totals,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// The cargo that runs this chore.
pub(crate) fn cargo(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), words)
}

/// A program in the repository's root.
pub(crate) fn command(program: impl AsRef<OsStr>, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(root());
    if let Some(path) = &*WITHOUT_SHIMS {
        command.env("PATH", path);
    }
    command
}

/// A PATH that begins with the folder of Python itself, where `python3` is a version manager's script: such a script starts a dozen programs
/// each time, and the tests start Python thousands of times.
static WITHOUT_SHIMS: LazyLock<Option<OsString>> = LazyLock::new(|| {
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file())?;
    if !is_script(&found) {
        return None;
    }
    let told = Command::new(found).args(["-c", "import sys; print(sys.executable)"]).stderr(Stdio::null()).output().ok()?;
    let python = PathBuf::from(String::from_utf8(told.stdout).ok()?.trim());
    let folder = python.parent().filter(|_| python.is_file() && !is_script(&python))?.to_path_buf();
    env::join_paths(std::iter::once(folder).chain(env::split_paths(&path))).ok()
});

fn is_script(file: &Path) -> bool {
    let mut first = [0; 2];
    File::open(file).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"#!"
}

/// Runs a command. Its output goes through as it comes, and test results in it are counted.
pub(crate) fn run(name: &'static str, command: &mut Command) -> Part {
    println!("\n== {name}");
    let part = timed(name, command, stream);
    println!("{}", last_line(&part));
    part
}

/// Runs a command beside another one. All that it wrote comes at once when it has ended.
pub(crate) fn run_beside(name: &'static str, command: &mut Command) -> Part {
    let mut lines = Vec::new();
    let part = timed(name, command, |command, totals| gather(command, totals, &mut lines));
    println!("\n== {name}\n{}\n{}", lines.join("\n"), last_line(&part));
    part
}

fn timed(name: &'static str, command: &mut Command, run: impl FnOnce(&mut Command, &mut Totals) -> io::Result<bool>) -> Part {
    let began = Instant::now();
    let mut totals = Totals::default();
    let outcome = match run(command, &mut totals) {
        Ok(true) => Outcome::Done,
        Ok(false) => Outcome::Failed,
        Err(error) => Outcome::LeftOut(format!("{} cannot be run: {error}", command.get_program().to_string_lossy())),
    };
    Part { name, outcome, took: began.elapsed(), totals }
}

fn last_line(Part { name, outcome, took, .. }: &Part) -> String {
    format!("== {name}: {} in {:.1} s", word(outcome), took.as_secs_f64())
}

fn stream(command: &mut Command, totals: &mut Totals) -> io::Result<bool> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = child.stdout.take() {
        each_line(stdout, totals, |line| println!("{line}"))?;
    }
    Ok(child.wait()?.success())
}

/// Errors among the output, where they belong.
fn gather(command: &mut Command, totals: &mut Totals, lines: &mut Vec<String>) -> io::Result<bool> {
    let (output, input) = io::pipe()?;
    let mut child = command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input).spawn()?;
    // What the command still holds of the pipe would keep it open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    each_line(output, totals, |line| lines.push(line))?;
    Ok(child.wait()?.success())
}

fn each_line(output: impl Read, totals: &mut Totals, mut to: impl FnMut(String)) -> io::Result<()> {
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        totals.count(&line);
        to(line);
    }
    Ok(())
}

/// The word for an outcome.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed => "FAILED",
        Outcome::LeftOut(_) => "left out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_beside_another_command_is_counted_and_its_errors_fail_it() {
        let said = "echo 'test result: FAILED. 2 passed; 1 failed; 0 ignored'; echo why >&2; exit 1";
        let mut lines = Vec::new();
        let part = timed("said", &mut command("sh", ["-c", said]), |command, totals| gather(command, totals, &mut lines));
        assert_eq!(lines, ["test result: FAILED. 2 passed; 1 failed; 0 ignored", "why"]);
        assert_eq!((part.outcome, part.totals), (Outcome::Failed, Totals { passed: 2, failed: 1 }));
    }
}
