//! Conformance runs as chores need them: a command line, its verdicts, and nothing left behind.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use serde_json::Value;

/// The exit status of a run that was cut short.
const CANCELLED: i32 = 130;

/// A chore: 0 if all is as it must be, 1 if not; words that make no sense are answered with its usage, and 2.
#[must_use]
pub fn chore(usage: &str, run: impl FnOnce(&[String]) -> Result<bool, String>) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            println!("{wrong}\n\n{usage}");
            ExitCode::from(2)
        }
    }
}

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

/// What a search saw, as its `explored.json` says it; the scenario files that it left are in this folder.
///
/// # Errors
/// It left nothing: what it said instead.
pub fn explored(words: &[String], out: &Path) -> Result<(i32, Value), String> {
    left("explore", words, out, "explored.json")
}

/// Which program's searches count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The one that is there.
    This,
    /// Any that came before it, too.
    Earlier,
}

/// The same, unless an earlier search with these words and such a program came to its end in this folder: then what that one saw.
///
/// # Errors
/// As of [`explored`].
pub fn explored_once(words: &[String], out: &Path, build: Build) -> Result<(i32, Value), String> {
    if let Some(seen) = earlier(words, out, build) {
        return Ok(seen);
    }
    let mark = out.join(TOLD);
    if mark.exists() {
        std::fs::remove_file(&mark).map_err(|error| format!("{}: {error}", mark.display()))?;
    }
    let (status, seen) = explored(words, out)?;
    let told = serde_json::json!({"words": words, "status": status});
    std::fs::write(&mark, told.to_string()).map_err(|error| format!("{}: {error}", mark.display()))?;
    Ok((status, seen))
}

/// Whether [`explored_once`] would not search again.
#[must_use]
pub fn is_explored(words: &[String], out: &Path, build: Build) -> bool {
    earlier(words, out, build).is_some()
}

/// Beside what a search left: with which words it was made, and how it ended.
const TOLD: &str = "told.json";

fn earlier(words: &[String], out: &Path, build: Build) -> Option<(i32, Value)> {
    let since = match build {
        Build::This => changed(&program().ok()?)?,
        Build::Earlier => SystemTime::UNIX_EPOCH,
    };
    seen_since(since, words, out)
}

/// What was seen after a moment, with the subject as it is now: its folder is the first word, unless that is a flag.
fn seen_since(since: SystemTime, words: &[String], out: &Path) -> Option<(i32, Value)> {
    let mark = out.join(TOLD);
    let searched = changed(&mark)?;
    let subject = words.first().and_then(|word| changed(Path::new(word)));
    if searched < since || subject.is_some_and(|subject| searched < subject) {
        return None;
    }
    let read = |path: &Path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).ok()?).ok();
    let told = read(&mark)?;
    let status = told["status"].as_i64().and_then(|status| i32::try_from(status).ok())?;
    if told["words"] != Value::from(words) { None } else { Some((status, read(&out.join("explored.json"))?)) }
}

/// When a file last changed, or the newest file of a folder with source in it.
fn changed(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return path.metadata().and_then(|meta| meta.modified()).ok();
    }
    let entries = std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|path| !path.ends_with("__pycache__")).filter_map(|path| changed(&path)).max()
}

fn document(words: &[String]) -> Result<Value, String> {
    let out = tempfile::tempdir().map_err(|error| format!("no folder for a run: {error}"))?;
    left("check", words, out.path(), "verdicts.json").map(|(_, document)| document)
}

/// Runs the program to its end: its exit status, and a document that it left.
fn left(verb: &str, words: &[String], out: &Path, file: &str) -> Result<(i32, Value), String> {
    // What an earlier run left there is no answer to this one.
    if out.join(file).exists() {
        std::fs::remove_file(out.join(file)).map_err(|error| format!("{}: {error}", out.join(file).display()))?;
    }
    let mut command = Command::new(program()?);
    command.args([verb, "--quiet", "--out"]).arg(out).args(words).stdin(std::process::Stdio::null());
    let ended = command.output().map_err(|error| format!("regrant cannot be run: {error}"))?;
    let Some(status) = ended.status.code().filter(|status| *status != CANCELLED) else {
        return Err("the run was cancelled".to_owned());
    };
    let text = std::fs::read_to_string(out.join(file))
        .map_err(|error| format!("no {file} ({error}): {}", String::from_utf8_lossy(&ended.stderr)))?;
    serde_json::from_str(&text).map(|document| (status, document)).map_err(|error| format!("{file}: {error}"))
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

/// Keeps every core busy while something is done.
pub fn with_load<T>(loaded: bool, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let cores = if loaded { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) } else { 0 };
        for _ in 0..cores {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_counts_again_only_with_the_same_words_and_while_nothing_that_it_looked_at_has_changed() {
        let (subject, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let source = subject.path().join("app.py");
        std::fs::write(&source, "1").expect("written");
        let words = vec![subject.path().to_string_lossy().into_owned(), "--seed".to_owned()];
        let told = out.path().join(TOLD);
        std::fs::write(out.path().join("explored.json"), "{\"found\": []}").expect("written");
        assert_eq!(seen_since(SystemTime::UNIX_EPOCH, &words, out.path()), None, "nothing says that it came to its end");
        std::fs::write(&told, serde_json::json!({"words": words, "status": 1}).to_string()).expect("written");
        let seen = Some((1, serde_json::json!({"found": []})));
        assert_eq!(seen_since(SystemTime::UNIX_EPOCH, &words, out.path()), seen);
        assert_eq!(seen_since(SystemTime::UNIX_EPOCH, &words[..1], out.path()), None, "other words");
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(seen_since(later, &words, out.path()), None, "another program");
        std::fs::File::options().write(true).open(&source).expect("there").set_modified(later).expect("set");
        assert_eq!(seen_since(SystemTime::UNIX_EPOCH, &words, out.path()), None, "another subject");
    }

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
