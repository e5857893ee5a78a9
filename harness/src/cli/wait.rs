//! The runtime, and how a run ends early: the first Ctrl-C cancels, the second one ends at once.

use std::{future::Future, process, time::Duration};

use tokio::{runtime::Runtime, sync::watch};

use super::{error::CliError, seams::Cancel};
use crate::report::ExitStatus;

/// Time for tasks to notice that nobody waits for them any more.
const FAREWELL: Duration = Duration::from_millis(500);

/// Runs a future on a runtime of its own and hands it the means to notice that the user cancels.
pub(super) fn block_on<F: Future>(work: impl FnOnce(Cancel) -> F) -> Result<F::Output, CliError> {
    let runtime = Runtime::new().map_err(|source| CliError::Environment(format!("cannot start a runtime: {source}")))?;
    let (cancel, cancelled) = watch::channel(false);
    runtime.spawn(watch_keys(cancel));
    let output = runtime.block_on(work(cancelled));
    runtime.shutdown_timeout(FAREWELL);
    Ok(output)
}

/// Subjects do not outlive a sudden end: their supervisors see the pipe close.
async fn watch_keys(cancel: watch::Sender<bool>) {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals there is nothing to wait for; the sender must live on, or receivers would see an end.
        return std::future::pending().await;
    }
    cancel.send_replace(true);
    if tokio::signal::ctrl_c().await.is_ok() {
        process::exit(ExitStatus::Cancelled.code().into());
    }
    std::future::pending::<()>().await;
}

/// Waits until the user cancels.
pub(super) async fn cancelled(cancel: &mut Cancel) {
    if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
