//! `cargo xtask soak`: the same subjects judged again and again, at leisure and on a busy machine. No verdict may change.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use acceptance::runs::{self, Verdicts};
use regrant::{
    catalogue::{self, Severity},
    run::built_in,
};

const USAGE: &str = "cargo xtask soak [--minutes N] [--runs N] [--timing N] [--reference]
  judges the upright reference subject and every honest one again and again, every second time with all cores loaded; no verdict may change
  --minutes N   begins no further run after so many minutes (60)
  --runs N      so many runs of all stories for each subject (3)
  --timing N    so many runs of the stories tagged `timing` for each subject (20)
  --reference   the reference subject alone";

fn main() -> ExitCode {
    runs::chore(USAGE, run)
}

/// So many subjects at the same time: their stories wait more than they compute.
const AT_ONCE: usize = 3;

/// Runs at the same time, or in turn, and alike in everything but the subject.
struct Round {
    timing: bool,
    loaded: bool,
    runs: Vec<Planned>,
}

/// One run that is planned.
struct Planned {
    subject: String,
    words: Vec<String>,
}

/// The verdicts that each subject was given first, of all stories and of the others apart.
type First = Mutex<BTreeMap<(String, bool), Verdicts>>;

fn run(words: &[String]) -> Result<bool, String> {
    runs::known(words, &["--minutes", "--runs", "--timing"], &["--reference"])?;
    let minutes = u64::try_from(runs::number(words, "--minutes", 60)?).unwrap_or(u64::MAX);
    let (whole, timing) = (runs::number(words, "--runs", 3)?, runs::number(words, "--timing", 20)?);
    let planned = planned(&subjects(words.iter().any(|word| word == "--reference"))?, whole, timing);
    if timing > 0 && !planned.iter().any(|round| round.timing) {
        println!("no story is tagged `timing`");
    }
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let (first, done, wrong) = (First::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    for round in &planned {
        let left = Mutex::new(round.runs.iter());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next().filter(|_| Instant::now() < until);
        let work = || {
            while let Some(run) = next() {
                let is_wrong = told(round, run, &first);
                done.fetch_add(1, Ordering::Relaxed);
                wrong.fetch_add(usize::from(is_wrong), Ordering::Relaxed);
            }
        };
        runs::with_load(round.loaded, || {
            thread::scope(|scope| {
                for _ in 0..AT_ONCE {
                    scope.spawn(work);
                }
            });
        });
    }
    let (done, wrong) = (done.into_inner(), wrong.into_inner());
    println!("{done} of {} runs, {wrong} with a difference", planned.iter().map(|round| round.runs.len()).sum::<usize>());
    Ok(wrong == 0)
}

/// Tells one run, and whether anything about it is not as it was, or not as it may be.
fn told(round: &Round, run: &Planned, first: &First) -> bool {
    let began = Instant::now();
    let verdicts = runs::check(&run.words);
    let took = began.elapsed().as_secs_f64();
    let differences = match verdicts {
        Err(why) => vec![why],
        Ok(verdicts) => match first.lock().unwrap_or_else(PoisonError::into_inner).entry((run.subject.clone(), round.timing)) {
            Entry::Occupied(first) => differences(first.get(), &verdicts),
            Entry::Vacant(first) => accusations(first.insert(verdicts)),
        },
    };
    let (kind, load) = (if round.timing { "timing" } else { "all stories" }, if round.loaded { ", cores loaded" } else { "" });
    let mut lines = format!("{} ({kind}{load}): {took:.0} s, {} differences", run.subject, differences.len());
    lines.extend(differences.iter().map(|difference| format!("\n    {difference}")));
    println!("{lines}");
    !differences.is_empty()
}

/// Name, and what `regrant check` is told of it.
fn subjects(reference_alone: bool) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut subjects = vec![("reference".to_owned(), vec!["--reference".to_owned()])];
    if reference_alone {
        return Ok(subjects);
    }
    let left_out = std::env::var("REGRANT_LEFT_OUT").unwrap_or_default();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("subjects/honest");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("regrant.toml").is_file()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if left_out.split(',').any(|other| other == name) {
            println!("left out: {name}, since what it needs could not be made ready");
            continue;
        }
        subjects.push((name, vec![folder.to_string_lossy().into_owned()]));
    }
    Ok(subjects)
}

/// In rounds, so that a limit of time cuts all subjects alike; every second round is loaded.
fn planned(subjects: &[(String, Vec<String>)], whole: usize, timing: usize) -> Vec<Round> {
    let tagged: Vec<&str> =
        built_in().iter().filter(|s| s.scenario.tags.iter().any(|tag| tag == "timing")).map(|s| s.name.as_str()).collect();
    let timing = if tagged.is_empty() { 0 } else { timing };
    let round = |number: usize, timing: bool| {
        let selection = if timing { vec!["--only".to_owned(), tagged.join(",")] } else { Vec::new() };
        let run = |(subject, words): &(String, Vec<String>)| Planned { subject: subject.clone(), words: [&words[..], &selection].concat() };
        Round { timing, loaded: number % 2 == 1, runs: subjects.iter().map(run).collect() }
    };
    (0..whole).map(|number| round(number, false)).chain((0..timing).map(|number| round(number, true))).collect()
}

/// None of these subjects may be accused of an error, whatever else is decided. Warnings that some of them deserve are listed by the tests.
fn accusations(verdicts: &Verdicts) -> Vec<String> {
    let is_error = |id: &str| catalogue::find(id).is_none_or(|requirement| requirement.severity == Severity::Error);
    let bad = verdicts.iter().filter(|(id, (verdict, _))| (verdict == "fail" && is_error(id)) || verdict == "harness-fault");
    bad.map(|(id, (verdict, reason))| format!("{id} is {verdict}: {reason}")).collect()
}

fn differences(first: &Verdicts, now: &Verdicts) -> Vec<String> {
    let verdict =
        |of: &Verdicts, id: &str| of.get(id).map_or_else(|| "not there".to_owned(), |(verdict, reason)| format!("{verdict} ({reason})"));
    let same = |id: &&String| first.get(*id).map(|(verdict, _)| verdict) == now.get(*id).map(|(verdict, _)| verdict);
    let mut ids: Vec<&String> = first.keys().chain(now.keys()).filter(|id| !same(id)).collect();
    ids.sort();
    ids.dedup();
    ids.into_iter().map(|id| format!("{id} was {} and is {}", verdict(first, id), verdict(now, id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(of: &[(&str, &str)]) -> Verdicts {
        of.iter().map(|(id, verdict)| ((*id).to_owned(), ((*verdict).to_owned(), "seen".to_owned()))).collect()
    }

    #[test]
    fn a_verdict_that_changes_is_told_with_both_reasons() {
        let (first, now) =
            (verdicts(&[("STOP-01", "pass"), ("STOP-02", "pass")]), verdicts(&[("STOP-01", "undecided"), ("STOP-02", "pass")]));
        assert_eq!(differences(&first, &now), ["STOP-01 was pass (seen) and is undecided (seen)"]);
        assert_eq!(differences(&first, &first), Vec::<String>::new());
        assert_eq!(accusations(&verdicts(&[("STOP-01", "fail"), ("STOP-02", "undecided")])), ["STOP-01 is fail: seen"]);
    }

    #[test]
    fn rounds_take_turns_and_every_second_one_is_loaded() {
        let subjects = [("a".to_owned(), vec![]), ("b".to_owned(), vec![])];
        let rounds = planned(&subjects, 2, 2);
        let seen: Vec<(bool, bool)> = rounds.iter().map(|round| (round.timing, round.loaded)).collect();
        assert_eq!(seen, [(false, false), (false, true), (true, false), (true, true)]);
        assert!(rounds.iter().all(|round| round.runs.iter().map(|run| run.subject.as_str()).eq(["a", "b"])));
    }
}
