//! `regrant report`: what saved runs say, in any format; the shards of one run as that run.

use super::{args, check::labels, error::CliError, judge::saved, meant, out, seams};
use crate::report::{ExitStatus, Report};

pub(super) fn report(typed: &args::Report) -> Result<ExitStatus, CliError> {
    let outputs = meant::outputs(&typed.judging.format)?;
    let known = meant::known(&typed.judging)?;
    let parts = typed.runs.iter().map(|run| saved(run)).collect::<Result<Vec<_>, _>>()?;
    let Some(mut run) = seams::merge(parts)? else { return Err(CliError::Usage("name a run".into())) };
    let stale = seams::hold_against(&mut run, &known);
    let register = seams::register();
    let labels = labels(&seams::stories());
    let report = Report::new(&run, &register, &labels, meant::rules(&typed.judging), &[], "check").with_stale(&stale);
    if let Some(dir) = &typed.out {
        out::keep(dir, &run, &report)?;
    }
    out::send(&outputs, &report, meant::look(&typed.look))?;
    Ok(report.exit)
}
