//! `regrant check`: tell, judge, hold the features against the verdicts, report.

use tokio::sync::mpsc;

use super::{
    args,
    error::CliError,
    meant::{self, Check, Look},
    out, progress, seams,
    select::{Selectable, hint},
    wait,
};
use crate::{
    report::{ExitStatus, Report, StoryLabel},
    run::Run,
    steps,
};

pub(super) fn check(typed: args::Check) -> Result<ExitStatus, CliError> {
    let meant = meant::check(typed)?;
    let register = seams::register();
    let stories = seams::stories();
    let selectable = Selectable::new(&register, &stories, &meant.options);
    selectable.check(&meant.options)?;
    known_defect(&meant.subject)?;
    let mut run = tell(&meant).map_err(|error| with_existing(error, &selectable))?;
    let stale = seams::hold_against(&mut run, &meant.known);
    let faults = disagreements(&run);
    let labels = labels(&stories);
    let report = Report::new(&run, &register, &labels, meant.rules, &faults, &meant.command).with_stale(&stale);
    out::keep(&meant.out, &run, &report)?;
    out::keep_schedule(&meant.out, &run, &[])?;
    out::send(&meant.outputs, &report, meant.look)?;
    Ok(report.exit)
}

fn tell(meant: &Check) -> Result<Run, CliError> {
    let Check { subject, options, look, .. } = meant;
    let run = with_progress(*look, |progress, cancel| seams::check(subject.clone(), options.clone(), progress, cancel))?;
    Ok(run?)
}

/// Runs something that reports its progress.
pub(super) fn with_progress<T, F: Future<Output = T>>(
    look: Look,
    work: impl FnOnce(mpsc::UnboundedSender<crate::run::Progress>, seams::Cancel) -> F,
) -> Result<T, CliError> {
    wait::block_on(|cancel| async move {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (output, ()) = tokio::join!(work(sender, cancel), progress::show(receiver, look.verbosity));
        output
    })
}

pub(super) fn known_defect(subject: &seams::Subject) -> Result<(), CliError> {
    let seams::Subject::Reference { defect: Some(defect) } = subject else { return Ok(()) };
    let defects = seams::defects();
    if defects.iter().any(|known| known.name == *defect) {
        return Ok(());
    }
    let hint = hint(defect, defects.iter().map(|known| known.name.as_str()));
    Err(CliError::Usage(format!("the reference subject has no defect {defect:?}{hint} `regrant list --defects` names them.")))
}

/// An empty selection is told what there is to select from.
fn with_existing(error: CliError, selectable: &Selectable) -> CliError {
    match error {
        CliError::Run(seams::RunError::NothingSelected) => {
            CliError::Usage(format!("the selection leaves nothing to tell.\n{}", selectable.existing()))
        }
        other => other,
    }
}

/// The features are read over the verdicts; where both disagree, the harness is wrong.
fn disagreements(run: &Run) -> Vec<String> {
    if run.cancelled {
        return Vec::new();
    }
    match wait::block_on(|_| async { steps::read_features(&run.judgement, steps::FEATURES).await }) {
        Ok(Ok(outcome)) => outcome.disagreements(&run.judgement),
        Ok(Err(error)) => vec![error.to_string()],
        Err(error) => vec![error.to_string()],
    }
}

/// Titles for the report.
pub(super) fn labels(stories: &[seams::StoryInfo]) -> Vec<StoryLabel> {
    stories.iter().map(|story| StoryLabel { name: story.name.clone(), title: story.title.clone() }).collect()
}
