//! Conformance runs as chores need them: a command line, its verdicts, and nothing left behind.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use serde_json::Value;

/// The exit status of a run that was cut short.
const CANCELLED: i32 = 130;

/// What came of one run: each requirement's verdict and reason.
pub type Verdicts = BTreeMap<String, (String, String)>;

/// The program under test beside this program; both are built by `cargo build --package acceptance --bins`.
///
/// # Errors
/// It is not there.
pub fn program() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("it is not known where this program lies: {error}"))?;
    let program = here.with_file_name(format!("regrant-under-test{}", std::env::consts::EXE_SUFFIX));
    if program.is_file() { Ok(program) } else { Err(format!("{} is not built", program.display())) }
}

/// `regrant check` with these words, to its end.
///
/// # Errors
/// It left no verdicts: what it said instead.
pub fn check(words: &[String]) -> Result<Verdicts, String> {
    let document = document(words)?;
    Ok(list(&document["requirements"]).iter().map(|one| (word(one, "id"), (word(one, "verdict"), word(one, "reason")))).collect())
}

/// What came of one run, story by story: requirement, verdict and reason.
pub type ByStory = BTreeMap<String, Vec<(String, String, String)>>;

/// The same as [`check`], story by story.
///
/// # Errors
/// As of [`check`].
pub fn by_story(words: &[String]) -> Result<ByStory, String> {
    let document = document(words)?;
    let mut found = ByStory::new();
    for requirement in list(&document["requirements"]) {
        for told in list(&requirement["stories"]) {
            found.entry(word(told, "name")).or_default().push((word(requirement, "id"), word(told, "verdict"), word(told, "reason")));
        }
    }
    Ok(found)
}

fn document(words: &[String]) -> Result<Value, String> {
    let out = tempfile::tempdir().map_err(|error| format!("no folder for a run: {error}"))?;
    let mut command = Command::new(program()?);
    command.args(["check", "--quiet", "--out"]).arg(out.path()).args(words).stdin(std::process::Stdio::null());
    let ended = command.output().map_err(|error| format!("regrant cannot be run: {error}"))?;
    if ended.status.code() == Some(CANCELLED) {
        return Err("the run was cancelled".to_owned());
    }
    let text = std::fs::read_to_string(out.path().join("verdicts.json"))
        .map_err(|error| format!("no verdicts ({error}): {}", String::from_utf8_lossy(&ended.stderr)))?;
    serde_json::from_str(&text).map_err(|error| format!("verdicts.json: {error}"))
}

fn word(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[][..], Vec::as_slice)
}

/// A number after a flag such as `--minutes`; `usual` without it.
///
/// # Errors
/// What follows is no number.
pub fn number(words: &[String], flag: &str, usual: usize) -> Result<usize, String> {
    let Some(place) = words.iter().position(|word| word == flag) else { return Ok(usual) };
    let typed = words.get(place + 1).map_or("", String::as_str);
    typed.parse().map_err(|_| format!("{flag} {typed}: expected a number"))
}

/// Refuses words that nobody asks for.
///
/// # Errors
/// There is one.
pub fn known(words: &[String], with_number: &[&str], alone: &[&str]) -> Result<(), String> {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if with_number.contains(&word) {
            words.next();
        } else if !alone.contains(&word) {
            return Err(format!("{word} is not known; there are {}", [with_number, alone].concat().join(", ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_flag_or_number_is_refused() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(number(&words("--minutes 5"), "--minutes", 60), Ok(5));
        assert_eq!(number(&words(""), "--minutes", 60), Ok(60));
        assert!(number(&words("--minutes five"), "--minutes", 60).is_err() && number(&words("--minutes"), "--minutes", 60).is_err());
        assert_eq!(known(&words("--minutes 5 --sample"), &["--minutes"], &["--sample"]), Ok(()));
        assert!(known(&words("--minute 5"), &["--minutes"], &["--sample"]).is_err());
    }
}
