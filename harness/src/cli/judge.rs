//! `regrant judge`: verdicts of a saved run, computed again.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use super::{args, check::labels, error::CliError, meant, out, seams};
use crate::{
    evidence::read_run,
    report::{ExitStatus, Report},
};

pub(super) fn judge(typed: &args::Judge) -> Result<ExitStatus, CliError> {
    let outputs = meant::outputs(&typed.judging.format)?;
    let known = meant::known(&typed.judging)?;
    let (_, header, histories) = saved(&typed.run)?;
    let mut run = seams::judge(header, histories);
    let stale = seams::hold_against(&mut run, &known);
    let register = seams::register();
    let labels = labels(&seams::stories());
    let report = Report::new(&run, &register, &labels, meant::rules(&typed.judging), &[], "check").with_stale(&stale);
    out::send(&outputs, &report, meant::look(&typed.look))?;
    Ok(report.exit)
}

/// What a run left, and where.
pub(super) fn saved(typed: &Path) -> Result<seams::Part, CliError> {
    let path: PathBuf = if typed.is_dir() { typed.join("run.jsonl") } else { typed.to_owned() };
    let shown = path.display().to_string();
    let file = File::open(&path).map_err(|source| CliError::Saved { path: shown.clone(), source: source.into() })?;
    let (header, histories) = read_run(BufReader::new(file)).map_err(|source| CliError::Saved { path: shown.clone(), source })?;
    Ok((shown, header, histories))
}
