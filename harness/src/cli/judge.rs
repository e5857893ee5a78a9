//! `regrant judge`: verdicts of a saved run, computed again.

use std::{fs::File, io::BufReader, path::PathBuf};

use super::{args, check::labels, error::CliError, meant, out, seams};
use crate::{
    evidence::read_run,
    report::{ExitStatus, Report},
    run::Run,
};

pub(super) fn judge(typed: &args::Judge) -> Result<ExitStatus, CliError> {
    let outputs = meant::outputs(&typed.judging.format)?;
    let run = saved(&typed.run)?;
    let register = seams::register();
    let labels = labels(&seams::stories());
    let report = Report::new(&run, &register, &labels, meant::rules(&typed.judging), &[], "check");
    out::send(&outputs, &report, meant::look(&typed.look))?;
    Ok(report.exit)
}

fn saved(typed: &std::path::Path) -> Result<Run, CliError> {
    let path: PathBuf = if typed.is_dir() { typed.join("run.jsonl") } else { typed.to_owned() };
    let shown = path.display().to_string();
    let file = File::open(&path).map_err(|source| CliError::Saved { path: shown.clone(), source: source.into() })?;
    let (header, histories) = read_run(BufReader::new(file)).map_err(|source| CliError::Saved { path: shown, source })?;
    let judgement = seams::judge(&header, &histories);
    // Stories were told side by side and the wall time was not kept: the longest of them is what can be said.
    let seconds = judgement.stories.iter().map(|told| told.seconds).fold(0.0, f64::max);
    Ok(Run { header, histories, judgement, seconds, cancelled: false })
}
