//! Writing: to stdout and stderr without breaking on a closed pipe, to files without leaving halves.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::{
    error::CliError,
    meant::{Format, Look, Output},
};
use crate::{
    evidence::write_run,
    report::{Paint, Report, Verbosity, ctrf, html, junit, sarif, summary, tap, text, verdicts},
    run::{Found, Run, schedule_document},
};

/// Prints to stdout. A reader that has gone away (`| head`) is no error.
pub(super) fn say(words: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(words.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Environment(format!("cannot write to stdout: {source}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to stderr; there is nobody to tell if that fails.
pub(super) fn complain(words: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", words.trim_end());
}

/// Everything that a run leaves behind. The history comes first: it is what the rest can be made from again.
pub(super) fn keep(dir: &Path, run: &Run, report: &Report<'_>) -> Result<(), CliError> {
    fs::create_dir_all(dir).map_err(|source| cannot(dir, &source))?;
    keep_history(dir, run)?;
    replace(&dir.join("verdicts.json"), rendered(report, Format::Json, PLAIN)?.as_bytes())?;
    replace(&dir.join("junit.xml"), rendered(report, Format::Junit, PLAIN)?.as_bytes())?;
    replace(&dir.join("report.html"), rendered(report, Format::Html, PLAIN)?.as_bytes())?;
    replace(&dir.join("summary.md"), rendered(report, Format::Markdown, PLAIN)?.as_bytes())
}

/// `schedule.json`: what was decided when, for `regrant explore --replay`.
pub(super) fn keep_schedule(dir: &Path, run: &Run, found: &[Found]) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(&schedule_document(run, found))
        .map_err(|source| CliError::Harness(format!("schedule.json: {source}")))?;
    replace(&dir.join("schedule.json"), text.as_bytes())
}

/// `explored.json`: what a search saw, for a program.
pub(super) fn keep_explored(dir: &Path, document: &serde_json::Value) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document).map_err(|source| CliError::Harness(format!("explored.json: {source}")))?;
    replace(&dir.join("explored.json"), text.as_bytes())
}

const PLAIN: Look = Look { paint: Paint::PLAIN, verbosity: Verbosity::Verbose };

fn keep_history(dir: &Path, run: &Run) -> Result<(), CliError> {
    let path = dir.join("run.jsonl");
    with_replacement(&path, |file| write_run(io::BufWriter::new(file), &run.header, &run.histories))
}

/// Each output where it was asked for; text in files is plain.
pub(super) fn send(outputs: &[Output], report: &Report<'_>, look: Look) -> Result<(), CliError> {
    for Output { format, path } in outputs {
        match path {
            None => say(&rendered(report, *format, look)?)?,
            Some(path) => replace(path, rendered(report, *format, Look { paint: Paint::PLAIN, ..look })?.as_bytes())?,
        }
    }
    Ok(())
}

fn rendered(report: &Report<'_>, format: Format, look: Look) -> Result<String, CliError> {
    match format {
        Format::Text => Ok(text(report, look.paint, look.verbosity)),
        Format::Json => verdicts(report).map_err(|source| CliError::Harness(format!("verdicts.json: {source}"))),
        Format::Junit => junit(report).map_err(|source| CliError::Harness(format!("junit.xml: {source}"))),
        Format::Ctrf => ctrf(report).map_err(|source| CliError::Harness(format!("ctrf: {source}"))),
        Format::Tap => Ok(tap(report)),
        Format::Markdown => Ok(summary(report)),
        Format::Html => Ok(html(report)),
        Format::Sarif => sarif(report).map_err(|source| CliError::Harness(format!("sarif: {source}"))),
    }
}

/// Replaces a file in one step, so that a reader sees the old content or the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), CliError> {
    with_replacement(path, |file| file.write_all(content))
}

fn with_replacement(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<(), CliError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replaced = fs::create_dir_all(dir).and_then(|()| {
        let mut file = tempfile::Builder::new().prefix(".regrant-").permissions(readable()).tempfile_in(dir)?;
        write(file.as_file_mut())?;
        file.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    });
    replaced.map_err(|source| cannot(path, &source))
}

/// Temporary files are for their owner only by default; reports are read by others, such as a CI server.
#[cfg(unix)]
fn readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}

fn cannot(path: &Path, source: &io::Error) -> CliError {
    CliError::Environment(format!("cannot write {}: {source}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a").join("verdicts.json");
        replace(&path, b"old and longer").expect("written");
        replace(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"new");
        assert_eq!(fs::read_dir(dir.path().join("a")).expect("there").count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_names_itself() {
        let dir = tempfile::tempdir().expect("a folder");
        let blocked = dir.path().join("file");
        fs::write(&blocked, b"").expect("written");
        let error = replace(&blocked.join("below"), b"x").expect_err("a file is no folder");
        assert!(error.message().contains("file/below"), "{}", error.message());
    }
}
