//! `regrant demo`: what the harness does, seen on its own reference subject.

use crate::{
    catalogue::Verdict,
    report::{ExitStatus, Report, Rules, text},
    run::Run,
};

use super::{
    args,
    check::{labels, with_progress},
    error::CliError,
    meant, out,
    seams::{self, Demo},
};

pub(super) fn demo(typed: &args::Demo) -> Result<ExitStatus, CliError> {
    let look = meant::look(&typed.look);
    let options = meant::options(&typed.telling)?;
    let demo = with_progress(look, |progress, cancel| seams::demo(options, progress, cancel))??;
    let register = seams::register();
    let labels = labels(&seams::stories());
    let report = |run, command| Report::new(run, &register, &labels, Rules::default(), &[], command);
    let again = format!("check --reference {}", demo.defect.name);
    let (upright, faulty) = (report(&demo.upright, "check --reference"), report(&demo.faulty, &again));
    out::say(&format!("The reference subject as it should be:\n\n{}", text(&upright, look.paint, look.verbosity)))?;
    out::say(&format!(
        "\nThe same with the defect {}: {}\n\n{}",
        demo.defect.name,
        demo.defect.about,
        text(&faulty, look.paint, look.verbosity)
    ))?;
    if let Some(dir) = &typed.out {
        out::keep(&dir.join("upright"), &demo.upright, &upright)?;
        out::keep(&dir.join("faulty"), &demo.faulty, &faulty)?;
    }
    let (status, words) = outcome(&demo, upright.exit, faulty.exit);
    out::say(&format!("\n{words}\n"))?;
    Ok(status)
}

/// The demonstration is a success if the upright subject is clean and the faulty one is convicted of what was planted.
fn outcome(demo: &Demo, upright: ExitStatus, faulty: ExitStatus) -> (ExitStatus, String) {
    let missed = missed(&demo.faulty, &demo.defect.convicts);
    match (upright, faulty) {
        (ExitStatus::Cancelled, _) | (_, ExitStatus::Cancelled) => (ExitStatus::Cancelled, "Cancelled.".into()),
        (ExitStatus::Environment, _) | (_, ExitStatus::Environment) => {
            (ExitStatus::Environment, "The surroundings did not allow the demonstration.".into())
        }
        (ExitStatus::Clean, ExitStatus::Failed) if missed.is_empty() => (
            ExitStatus::Clean,
            format!("As planned: the upright subject is clean, the faulty one was convicted of {}.", demo.defect.convicts.join(" ")),
        ),
        _ if missed.is_empty() => (ExitStatus::HarnessFault, "Not as planned: this is a defect of regrant.".into()),
        _ => (ExitStatus::HarnessFault, format!("Not as planned, which is a defect of regrant: {} did not fail.", missed.join(" "))),
    }
}

fn missed<'p>(run: &Run, planned: &'p [String]) -> Vec<&'p str> {
    let failed = |id: &str| run.judgement.requirements.iter().any(|judged| judged.id == id && judged.verdict == Verdict::Fail);
    planned.iter().map(String::as_str).filter(|id| !failed(id)).collect()
}
