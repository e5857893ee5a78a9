//! `regrant explore`: search, or tell again what was found, and report.

use std::{fmt::Write, num::NonZeroUsize, path::PathBuf, time::Duration};

use super::{
    args,
    check::{known_defect, labels, with_progress},
    error::CliError,
    meant::{self, Look, shell_word},
    out,
    seams::{self, Subject, Trouble},
    select::Selectable,
};
use crate::{
    report::{ExitStatus, Report, Rules, explored, explored_document, text},
    run::{Explored, Hunt, Options, Recorded, Selection, read_recorded},
};

/// A search as meant.
struct Meant {
    subject: Subject,
    options: Options,
    out: PathBuf,
    rules: Rules,
    look: Look,
    /// What starts the same again, after `regrant`.
    command: String,
}

pub(super) fn explore(typed: args::Explore) -> Result<ExitStatus, CliError> {
    let subject = meant::subject(typed.reference, &typed.manifest, &typed.set)?;
    known_defect(&subject)?;
    let mut options = meant::options(&typed.telling)?;
    options.selection = Selection { only: typed.only, skip: typed.skip };
    // Orders are not chosen by story: only requirements can be named.
    Selectable::new(&seams::register(), &seams::stories(), &options).check(&options)?;
    let rules = Rules { strict: typed.strict, allow_undecided: true };
    let command = meant::again("explore", &subject);
    let meant = Meant { subject, options, out: typed.out, rules, look: meant::look(&typed.look), command };
    match typed.replay {
        Some(file) => replay(&meant, read_recorded(&file)?, typed.telling.seed),
        None => {
            let budget = budget(&typed.budget)?;
            let orders = typed.orders.map(NonZeroUsize::get);
            search(&meant, Hunt { budget, orders, situations: typed.situation, sequences: !typed.no_sequences })
        }
    }
}

fn search(meant: &Meant, hunt: Hunt) -> Result<ExitStatus, CliError> {
    let Meant { subject, options, look, .. } = meant;
    let seen = with_progress(*look, |progress, cancel| seams::explore(subject.clone(), options.clone(), hunt, progress, cancel))??;
    let register = seams::register();
    let report = Report::new(&seen.run, &register, &[], meant.rules, &[], &meant.command);
    // Nothing that was found is told from nothing that was looked for by its exit status, not by a file that is not there.
    out::keep(&meant.out, &seen.run, &report)?;
    out::keep_schedule(&meant.out, &seen.run, &seen.found)?;
    let files = keep_scenarios(meant, &seen)?;
    out::keep_explored(&meant.out, &explored_document(&seen, &files))?;
    if !seen.found.is_empty() {
        out::say(&text(&report, look.paint, look.verbosity))?;
    }
    let files: Vec<String> = files.iter().map(|file| shell_word(file)).collect();
    out::say(&explored(&seen, &files, &meant.command, look.paint))?;
    Ok(status(&seen, report.exit))
}

/// What was not looked at is not clean: a subject that cannot be brought to work is undecided.
fn status(seen: &Explored, judged: ExitStatus) -> ExitStatus {
    match (&seen.trouble, seen.came_about()) {
        _ if seen.run.cancelled => ExitStatus::Cancelled,
        _ if judged == ExitStatus::Failed => judged,
        (Some(Trouble::Harness(_)), _) => ExitStatus::HarnessFault,
        (Some(Trouble::Environment(_)), false) => ExitStatus::Environment,
        (None, false) => ExitStatus::Undecided,
        (Some(Trouble::Environment(_)) | None, true) => judged,
    }
}

/// A scenario file for each, to be told again or kept as a regression.
fn keep_scenarios(meant: &Meant, seen: &Explored) -> Result<Vec<String>, CliError> {
    let mut files = Vec::new();
    for (found, history) in seen.found.iter().zip(&seen.run.histories) {
        let path = meant.out.join("explored").join(format!("{}.toml", history.story));
        out::replace(&path, found.scenario.as_bytes())?;
        files.push(path.to_string_lossy().into_owned());
    }
    for (story, once) in &seen.once {
        out::replace(&meant.out.join("explored").join(format!("{story}.toml")), once.scenario.as_bytes())?;
    }
    Ok(files)
}

fn replay(meant: &Meant, recorded: Recorded, seed: Option<u64>) -> Result<ExitStatus, CliError> {
    // The recorded seed, unless another one is asked for.
    let options =
        Options { seed: seed.or((recorded.seed != 0).then_some(recorded.seed)).unwrap_or(meant.options.seed), ..meant.options.clone() };
    let Meant { subject, look, .. } = meant;
    let seen = with_progress(*look, |progress, cancel| seams::replay(subject.clone(), options, recorded, progress, cancel))??;
    let register = seams::register();
    let labels = labels(&seams::stories());
    let report = Report::new(&seen.run, &register, &labels, meant.rules, &[], &meant.command);
    out::keep(&meant.out, &seen.run, &report)?;
    out::keep_schedule(&meant.out, &seen.run, &[])?;
    out::say(&text(&report, look.paint, look.verbosity))?;
    let mut words = String::new();
    for (story, alike) in seen.alike.iter().filter_map(|(story, alike)| alike.map(|alike| (story, alike))) {
        let how = if alike {
            "in the order that was recorded"
        } else {
            "in another order than was recorded: the subject is not deterministic here"
        };
        let _ = writeln!(words, "{story} went {how}.");
    }
    for story in &seen.not_begun {
        let _ = writeln!(words, "{story} did not come to its beginning: nothing was seen in it. `regrant doctor` says why.");
    }
    out::say(&words)?;
    Ok(match report.exit {
        _ if seen.run.cancelled => ExitStatus::Cancelled,
        ExitStatus::Clean if !seen.not_begun.is_empty() => ExitStatus::Undecided,
        exit => exit,
    })
}

/// `90s`, `5m`: how long a search may take.
fn budget(typed: &str) -> Result<Duration, CliError> {
    let wrong = || CliError::Usage(format!("--budget {typed}: expected a time such as 90s or 5m"));
    let (number, unit) = typed.split_at(typed.find(|c: char| !c.is_ascii_digit()).unwrap_or(typed.len()));
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" | "" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(60 * 60),
        _ => return Err(wrong()),
    };
    if seconds == 0 { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_time() {
        assert_eq!(budget("90s").expect("a time"), Duration::from_secs(90));
        assert_eq!(budget("5m").expect("a time"), Duration::from_secs(300));
        for wrong in ["", "s", "5 m", "0s", "-1s", "1d"] {
            assert!(matches!(budget(wrong), Err(CliError::Usage(_))), "{wrong}");
        }
    }
}
