//! The runtime, and how a run ends early: the first Ctrl-C (or SIGTERM) cancels, the second one ends at once.

use std::{future::Future, process, time::Duration};

use tokio::{runtime::Runtime, sync::watch};

use super::{error::CliError, seams::Cancel};
use crate::report::ExitStatus;

/// Time for tasks to notice that nobody waits for them any more.
const FAREWELL: Duration = Duration::from_millis(500);

/// Signals so close together are one wish: `timeout` and some shells signal a process and then its group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// Runs a future on a runtime of its own and hands it the means to notice that the user cancels.
pub(super) fn block_on<F: Future>(work: impl FnOnce(Cancel) -> F) -> Result<F::Output, CliError> {
    let runtime = Runtime::new().map_err(|source| CliError::Environment(format!("cannot start a runtime: {source}")))?;
    let (cancel, cancelled) = watch::channel(false);
    runtime.spawn(watch_signals(cancel));
    let output = runtime.block_on(work(cancelled));
    runtime.shutdown_timeout(FAREWELL);
    Ok(output)
}

/// Subjects do not outlive a sudden end: their supervisors see the pipe close.
async fn watch_signals(cancel: watch::Sender<bool>) {
    asked_to_end().await;
    cancel.send_replace(true);
    tokio::time::sleep(ONE_WISH).await;
    asked_to_end().await;
    process::exit(ExitStatus::Cancelled.code().into());
}

/// Ctrl-C, or the signal by which scripts and CI servers end a program. Where neither can be heard, it is never asked.
async fn asked_to_end() {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = terminated => {}
        () = interrupted => {}
    }
}

/// Waits until the user cancels.
pub(super) async fn cancelled(cancel: &mut Cancel) {
    if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
