//! `regrant doctor`: do the positive controls work, and which lines of the manifest would let more be decided?

use std::{fmt::Write, time::Duration};

use super::{
    args,
    check::with_progress,
    error::CliError,
    meant, out,
    seams::{self, Control, Diagnosis, Pace, Trouble},
};
use crate::report::{ExitStatus, Paint};

pub(super) fn doctor(typed: &args::Doctor) -> Result<ExitStatus, CliError> {
    let look = meant::look(&typed.look);
    let options = meant::options(&typed.telling)?;
    let subject = meant::subject(typed.reference.then_some(None), &typed.manifest, &typed.set)?;
    let diagnosis = with_progress(look, |progress, cancel| seams::doctor(subject, options, progress, cancel))??;
    let status = status(&diagnosis);
    out::say(&text(&diagnosis, look.paint, status))?;
    Ok(status)
}

/// Clean once stories can be told; what is missing beyond that is the author's choice.
fn status(diagnosis: &Diagnosis) -> ExitStatus {
    let fails = |name: &str| diagnosis.controls.iter().any(|(control, how)| *control == name && matches!(how, Control::Fails(_)));
    match &diagnosis.trouble {
        _ if diagnosis.cancelled => ExitStatus::Cancelled,
        Some(Trouble::Harness(_)) => ExitStatus::HarnessFault,
        Some(Trouble::Environment(_)) => ExitStatus::Environment,
        None if ["start", "connect", "trigger", "reconnect"].into_iter().any(fails) => ExitStatus::Undecided,
        None => ExitStatus::Clean,
    }
}

fn text(diagnosis: &Diagnosis, paint: Paint, status: ExitStatus) -> String {
    let mut out = format!("{}\n", paint.strong(&diagnosis.subject));
    let mut told = "";
    for (name, control) in &diagnosis.controls {
        let (word, words) = match control {
            // What kept one control from being tried keeps the next ones from it.
            Control::Fails(words) if words == told => (paint.bad("fails"), "for the same reason"),
            Control::Works(words) => (paint.good("works"), words.as_str()),
            Control::Fails(words) => (paint.bad("fails"), words.as_str()),
            Control::Unsaid => (paint.warn("     "), "the manifest does not say how it is seen"),
        };
        if let Control::Fails(words) = control {
            told = words;
        }
        let _ = writeln!(out, "  {word}  {name:<10} {}", words.trim_end().replace('\n', "\n                    "));
    }
    match status {
        ExitStatus::Clean => {
            requirements(&mut out, diagnosis, paint);
            pace(&mut out, diagnosis.pace);
        }
        ExitStatus::Undecided => {
            out.push_str("\nUntil this works nothing can be decided: `pass` needs to see the subject work first, and again afterwards.\n");
        }
        ExitStatus::Environment => out.push_str("\nThe surroundings failed: no story can be told.\n"),
        ExitStatus::Cancelled | ExitStatus::Usage | ExitStatus::Failed | ExitStatus::HarnessFault => {}
    }
    out
}

fn requirements(out: &mut String, diagnosis: &Diagnosis, paint: Paint) {
    let total = seams::register().len();
    let _ = writeln!(out, "\n{} of {total} requirements need nothing more of the manifest.", diagnosis.ready.len());
    if !diagnosis.declared.is_empty() {
        let _ = writeln!(out, "{} are declared away: {}", diagnosis.declared.len(), diagnosis.declared.join(" "));
    }
    if diagnosis.missing.is_empty() {
        out.push_str("No line is missing. `regrant check` tells the stories.\n");
        return;
    }
    out.push_str("\nThese lines let more be decided; addresses and words are yours to change:\n");
    for (unlock, ids) in &diagnosis.missing {
        let ids = if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(" ")) };
        let _ = writeln!(out, "\n{}", paint.faint(format!("# {}: {}{ids}", unlock.key, unlock.about)));
        let _ = writeln!(out, "{}", unlock.lines);
    }
}

/// A timer that turns more slowly than this is what a run mostly waits for.
const SLOW: Duration = Duration::from_secs(5);

fn pace(out: &mut String, pace: Option<Pace>) {
    let Some(pace) = pace else { return };
    let (took, least) = (pace.controls.as_secs_f64(), minutes(pace.at_least()));
    let _ = writeln!(out, "\nThe controls took {took:.1} s: {} stories, {} at once, take {least} or more.", pace.stories, pace.at_once);
    if let Some(period) = pace.period.filter(|period| *period >= SLOW) {
        let _ = writeln!(
            out,
            "Wherever a story lets things come to rest it watches two turns of the timer (features.period = \"{}s\"): where the subject lets you set a shorter one for the run (start.env), it is faster by as much.",
            period.as_secs()
        );
    }
}

fn minutes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(controls: &[(&'static str, Control)], trouble: Option<Trouble>) -> Diagnosis {
        let subject = "crm-sync".to_owned();
        Diagnosis {
            subject,
            controls: controls.to_vec(),
            missing: Vec::new(),
            ready: vec!["STOP-01"],
            declared: Vec::new(),
            trouble,
            cancelled: false,
            pace: None,
        }
    }

    #[test]
    fn blame_decides_the_status() {
        let (works, fails) = (Control::Works("it starts".into()), Control::Fails("it does not".into()));
        assert_eq!(status(&diagnosis(&[("start", works.clone()), ("status", fails.clone())], None)), ExitStatus::Clean);
        assert_eq!(status(&diagnosis(&[("start", works), ("trigger", fails.clone())], None)), ExitStatus::Undecided);
        let environment = Some(Trouble::Environment("no python3".into()));
        assert_eq!(status(&diagnosis(&[("start", fails.clone())], environment)), ExitStatus::Environment);
        assert_eq!(status(&diagnosis(&[("start", fails)], Some(Trouble::Harness("lost".into())))), ExitStatus::HarnessFault);
    }

    #[test]
    fn what_keeps_several_controls_from_being_tried_is_said_once() {
        let fails = || Control::Fails("it exited with code 1".into());
        let said =
            text(&diagnosis(&[("start", fails()), ("connect", fails()), ("trigger", fails())], None), Paint::PLAIN, ExitStatus::Undecided);
        assert_eq!(said.matches("it exited").count(), 1, "{said}");
        assert_eq!(said.matches("for the same reason").count(), 2, "{said}");
    }

    #[test]
    fn what_a_run_will_take_is_said_and_what_makes_a_slow_timer_faster() {
        let said = |period| {
            let pace = Pace { controls: Duration::from_secs(20), stories: 99, at_once: 8, period };
            let diagnosis = Diagnosis { pace: Some(pace), ..diagnosis(&[("start", Control::Works("it starts".into()))], None) };
            text(&diagnosis, Paint::PLAIN, status(&diagnosis))
        };
        assert!(said(None).ends_with("The controls took 20.0 s: 99 stories, 8 at once, take 5 minutes or more.\n"), "{}", said(None));
        assert!(!said(Some(Duration::from_secs(2))).contains("features.period"));
        assert!(said(Some(Duration::from_secs(60))).contains("features.period = \"60s\""));
    }

    #[test]
    fn a_control_that_fails_is_said_in_its_own_words() {
        let said = diagnosis(&[("trigger", Control::Fails("`trigger` answered 404".into()))], None);
        assert_eq!(
            text(&said, Paint::PLAIN, status(&said)),
            "crm-sync\n  fails  trigger    `trigger` answered 404\n\nUntil this works nothing can be decided: `pass` needs to see the subject work first, and again afterwards.\n"
        );
    }
}
