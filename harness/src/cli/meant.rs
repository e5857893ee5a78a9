//! What was meant: the command line with defaults filled in, files resolved and contradictions refused.

use std::{
    io::IsTerminal,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use super::{
    args::{self, Color},
    error::CliError,
    seams::{self, Subject},
};
use crate::{
    judge::Known,
    report::{Paint, Rules, Verbosity},
    run::{Options, Selection, Shard},
};

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
    Junit,
    Ctrf,
    Tap,
    Markdown,
    Html,
    Sarif,
}

impl Format {
    const ALL: [(&'static str, Self); 8] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("junit", Self::Junit),
        ("ctrf", Self::Ctrf),
        ("tap", Self::Tap),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
        ("sarif", Self::Sarif),
    ];
}

/// Where a report goes, and in which format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) format: Format,
    /// None: stdout.
    pub(super) path: Option<PathBuf>,
}

/// How things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) paint: Paint,
    pub(super) verbosity: Verbosity,
}

/// A conformance run as meant.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) subject: Subject,
    pub(super) options: Options,
    pub(super) out: PathBuf,
    pub(super) rules: Rules,
    pub(super) known: Vec<Known>,
    pub(super) outputs: Vec<Output>,
    pub(super) look: Look,
    /// What starts the same run again, after `regrant`.
    pub(super) command: String,
}

pub(super) fn check(typed: args::Check) -> Result<Check, CliError> {
    let subject = subject(typed.reference, &typed.manifest, &typed.set)?;
    let command = again("check", &subject);
    let mut options = options(&typed.telling)?;
    options.selection = Selection { only: typed.only, skip: typed.skip };
    options.scenarios = typed.scenario;
    options.shard = shard(typed.shard.as_deref(), typed.telling.seed)?;
    Ok(Check {
        subject,
        options,
        out: typed.out,
        rules: rules(&typed.judging),
        known: known(&typed.judging)?,
        outputs: outputs(&typed.judging.format)?,
        look: look(&typed.look),
        command,
    })
}

/// The built-in subject, if it is asked for; else the manifest's.
pub(super) fn subject(reference: Option<Option<String>>, path: &Path, set: &[String]) -> Result<Subject, CliError> {
    match reference {
        Some(defect) => Ok(Subject::Reference { defect }),
        None => Ok(Subject::Manifest { path: manifest(path)?, sets: sets(set)? }),
    }
}

/// Options of a run; everything is selected.
pub(super) fn options(telling: &args::Telling) -> Result<Options, CliError> {
    let regrant =
        std::env::current_exe().map_err(|source| CliError::Environment(format!("cannot tell where regrant itself lies: {source}")))?;
    Ok(Options {
        selection: Selection::default(),
        shard: None,
        seed: seed(telling.seed),
        jobs: telling.jobs.map(NonZeroUsize::get),
        scenarios: Vec::new(),
        regrant,
    })
}

pub(super) fn rules(judging: &args::Judging) -> Rules {
    Rules { strict: judging.strict, allow_undecided: judging.allow_undecided }
}

/// Known failures; none without a baseline.
pub(super) fn known(judging: &args::Judging) -> Result<Vec<Known>, CliError> {
    Ok(judging.baseline.as_deref().map(seams::baseline).transpose()?.unwrap_or_default())
}

pub(super) fn look(look: &args::Look) -> Look {
    let terminal = std::io::stdout().is_terminal();
    let verbosity = match (look.quiet, look.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    Look { paint: Paint::new(paints(look.color, terminal)), verbosity }
}

/// `NO_COLOR` (no-color.org) counts for `auto` only: who types `always` means it.
fn paints(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Short enough to be typed again.
pub(super) fn seed(typed: Option<u64>) -> u64 {
    typed.unwrap_or_else(|| rand::random_range(1..1_000_000))
}

/// Shards that are to be merged must have the seed in common.
fn shard(typed: Option<&str>, seed: Option<u64>) -> Result<Option<Shard>, CliError> {
    let Some(typed) = typed else { return Ok(None) };
    let shard = typed.parse().map_err(|error| CliError::Usage(format!("--shard {typed}: {error}")))?;
    if seed.is_none() {
        return Err(CliError::Usage(format!(
            "--shard {typed} needs --seed N, the same for every shard: `regrant report` merges no others"
        )));
    }
    Ok(Some(shard))
}

/// Where reports go; text on stdout unless another format goes there.
pub(super) fn outputs(typed: &[String]) -> Result<Vec<Output>, CliError> {
    let mut outputs = typed.iter().map(|one| output(one)).collect::<Result<Vec<_>, _>>()?;
    match outputs.iter().filter(|output| output.path.is_none()).count() {
        0 => outputs.insert(0, Output { format: Format::Text, path: None }),
        1 => {}
        _ => {
            return Err(CliError::Usage(
                "only one --format can go to stdout: give the others a file, as in --format junit=report.xml".into(),
            ));
        }
    }
    Ok(outputs)
}

fn output(typed: &str) -> Result<Output, CliError> {
    let (word, path) = typed.split_once('=').map_or((typed, None), |(word, path)| (word, Some(path)));
    let format = Format::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, format)| format);
    let Some(format) = format else {
        let names = Format::ALL.map(|(name, _)| name).join(", ");
        return Err(CliError::Usage(format!("--format {word}: there are {names}")));
    };
    match path {
        Some("") => Err(CliError::Usage(format!("--format {typed}: the file is missing"))),
        Some("-") | None => Ok(Output { format, path: None }),
        Some(path) => Ok(Output { format, path: Some(path.into()) }),
    }
}

fn sets(typed: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let set = |one: &String| match one.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err(CliError::Usage(format!("--set {one}: expected KEY=VALUE, such as start.env.MODE=x"))),
    };
    typed.iter().map(set).collect()
}

fn manifest(typed: &Path) -> Result<PathBuf, CliError> {
    let path = if typed.is_dir() { typed.join("regrant.toml") } else { typed.to_owned() };
    if path.is_file() {
        return Ok(path);
    }
    if path.is_dir() {
        return Err(CliError::Usage(format!("{} is a folder, not a manifest", path.display())));
    }
    Err(CliError::Usage(format!(
        "there is no manifest at {}: name one, as in `regrant check path/to/regrant.toml` (`regrant demo` needs none)",
        path.display()
    )))
}

/// The words after `regrant` that run this command for a subject again.
pub(super) fn again(command: &str, subject: &Subject) -> String {
    match subject {
        Subject::Manifest { path, sets } => {
            let sets: String = sets.iter().map(|(key, value)| format!(" --set {}", shell_word(&format!("{key}={value}")))).collect();
            let path = if path.as_os_str() == "regrant.toml" { String::new() } else { format!(" {}", shell_word(&path.to_string_lossy())) };
            format!("{command}{path}{sets}")
        }
        Subject::Reference { defect: None } => format!("{command} --reference"),
        Subject::Reference { defect: Some(defect) } => format!("{command} --reference {}", shell_word(defect)),
    }
}

/// As a shell wants it: quoted where a character could mean something.
pub(super) fn shell_word(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(harmless) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn text_goes_to_stdout_unless_another_format_does() {
        let text = Output { format: Format::Text, path: None };
        assert_eq!(outputs(&[]).expect("valid"), std::slice::from_ref(&text));
        let file = Output { format: Format::Junit, path: Some("a.xml".into()) };
        assert_eq!(outputs(&typed(&["junit=a.xml"])).expect("valid"), [text, file]);
        assert_eq!(outputs(&typed(&["json"])).expect("valid"), [Output { format: Format::Json, path: None }]);
        assert_eq!(outputs(&typed(&["json=-"])).expect("valid"), [Output { format: Format::Json, path: None }]);
    }

    #[test]
    fn two_formats_cannot_share_stdout() {
        assert!(matches!(outputs(&typed(&["json", "text"])), Err(CliError::Usage(_))));
    }

    #[test]
    fn an_unknown_format_is_told_which_there_are() {
        let Err(CliError::Usage(message)) = outputs(&typed(&["pdf=x"])) else { panic!("accepted") };
        assert!(message.contains("text, json, junit, ctrf, tap, markdown, html, sarif"), "{message}");
    }

    #[test]
    fn a_set_is_split_at_its_first_equals_sign() {
        assert_eq!(sets(&typed(&["start.env.URL=a=b"])).expect("valid"), [("start.env.URL".into(), "a=b".into())]);
        assert!(matches!(sets(&typed(&["nothing"])), Err(CliError::Usage(_))));
    }

    #[test]
    fn the_same_run_can_be_typed_again() {
        let reference = Subject::Reference { defect: Some("goes_on".into()) };
        assert_eq!(again("check", &reference), "check --reference goes_on");
        let manifest = Subject::Manifest { path: "my app/regrant.toml".into(), sets: vec![("name".into(), "it's".into())] };
        assert_eq!(again("check", &manifest), "check 'my app/regrant.toml' --set 'name=it'\\''s'");
    }

    #[test]
    fn colour_is_for_terminals_unless_asked_for() {
        assert!(paints(Color::Always, false));
        assert!(!paints(Color::Never, true));
        assert!(!paints(Color::Auto, false));
    }
}
