//! `cargo xtask soak`: the same subjects judged again and again, at leisure and on a busy machine. No verdict may change.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
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

/// One run that is planned.
struct Planned {
    subject: String,
    words: Vec<String>,
    timing: bool,
    loaded: bool,
}

fn run(words: &[String]) -> Result<bool, String> {
    runs::known(words, &["--minutes", "--runs", "--timing"], &["--reference"])?;
    let minutes = u64::try_from(runs::number(words, "--minutes", 60)?).unwrap_or(u64::MAX);
    let (whole, timing) = (runs::number(words, "--runs", 3)?, runs::number(words, "--timing", 20)?);
    let planned = planned(&subjects(words.iter().any(|word| word == "--reference"))?, whole, timing);
    if timing > 0 && !planned.iter().any(|run| run.timing) {
        println!("no story is tagged `timing`");
    }
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let mut first: BTreeMap<(String, bool), Verdicts> = BTreeMap::new();
    let (mut done, mut wrong) = (0, 0);
    for run in &planned {
        if Instant::now() >= until {
            break;
        }
        let began = Instant::now();
        let verdicts = runs::with_load(run.loaded, || runs::check(&run.words));
        let differences = match &verdicts {
            Err(why) => vec![why.clone()],
            Ok(verdicts) => match first.get(&(run.subject.clone(), run.timing)) {
                Some(first) => differences(first, verdicts),
                None => accusations(verdicts),
            },
        };
        done += 1;
        wrong += usize::from(!differences.is_empty());
        let (kind, load) = (if run.timing { "timing" } else { "all stories" }, if run.loaded { ", cores loaded" } else { "" });
        println!("{} ({kind}{load}): {:.0} s, {} differences", run.subject, began.elapsed().as_secs_f64(), differences.len());
        for difference in differences {
            println!("    {difference}");
        }
        if let Ok(verdicts) = verdicts {
            first.entry((run.subject.clone(), run.timing)).or_insert(verdicts);
        }
    }
    println!("{done} of {} runs, {wrong} with a difference", planned.len());
    Ok(wrong == 0)
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
fn planned(subjects: &[(String, Vec<String>)], whole: usize, timing: usize) -> Vec<Planned> {
    let tagged: Vec<&str> =
        built_in().iter().filter(|s| s.scenario.tags.iter().any(|tag| tag == "timing")).map(|s| s.name.as_str()).collect();
    let timing = if tagged.is_empty() { 0 } else { timing };
    let mut planned = Vec::new();
    for (round, is_timing) in (0..whole).map(|round| (round, false)).chain((0..timing).map(|round| (round, true))) {
        for (subject, words) in subjects {
            let mut words = words.clone();
            if is_timing {
                words.extend(["--only".to_owned(), tagged.join(",")]);
            }
            planned.push(Planned { subject: subject.clone(), words, timing: is_timing, loaded: round % 2 == 1 });
        }
    }
    planned
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
        let runs: Vec<(String, bool)> = planned(&subjects, 2, 0).into_iter().map(|run| (run.subject, run.loaded)).collect();
        assert_eq!(runs, [("a".to_owned(), false), ("b".to_owned(), false), ("a".to_owned(), true), ("b".to_owned(), true)]);
    }
}
