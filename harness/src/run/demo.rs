//! `regrant demo`: a few stories against the reference subject, upright and with a defect.
#![cfg(feature = "reference")]

use tokio::sync::mpsc::UnboundedSender;

use super::{Cancel, Options, Progress, Run, RunError, Selection, Subject, check};

/// The defect that the demonstration plants: what most integrations get wrong.
const DEFECT: &str = "keeps-calling";
/// The stories that it tells.
const STORIES: [&str; 4] =
    ["user_revokes_access", "restarted_while_disconnected", "token_endpoint_unavailable", "parallel_work_needs_one_refresh"];

/// What the demonstration saw.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The reference subject as it should be.
    pub upright: Run,
    /// The reference subject with a defect.
    pub faulty: Run,
    /// The defect.
    pub defect: &'static crate::reference::Defect,
}

/// A few stories against the reference subject, upright and with a defect, one after the other.
///
/// # Errors
/// As [`RunError`] says.
pub async fn demo(options: Options, progress: UnboundedSender<Progress>, cancel: Cancel) -> Result<Demo, RunError> {
    let defect = crate::reference::defects().iter().find(|d| d.name == DEFECT);
    let defect = defect.ok_or_else(|| RunError::Harness(format!("the reference subject has no defect {DEFECT}")))?;
    let only = STORIES.iter().map(|s| (*s).to_owned()).collect();
    let options = Options { selection: Selection { only, skip: Vec::new() }, shard: None, ..options };
    let upright = check(Subject::Reference { defect: None }, options.clone(), progress.clone(), cancel.clone()).await?;
    let faulty = check(Subject::Reference { defect: Some(DEFECT.to_owned()) }, options, progress, cancel).await?;
    Ok(Demo { upright, faulty, defect })
}
