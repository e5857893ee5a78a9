//! The runtime, and how a run ends early: the first Ctrl-C (or SIGTERM) cancels, the second one ends at once; so does the first one where
//! nothing is left to end in good order, while verdicts are computed and written.

use std::{
    future::Future,
    process,
    sync::{LazyLock, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

use super::{error::CliError, seams::Cancel};
use crate::report::ExitStatus;

/// Time for tasks to notice that nobody waits for them any more.
const FAREWELL: Duration = Duration::from_millis(500);

/// Signals so close together are one wish: `timeout` and some shells signal a process and then its group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// Runs a future on a runtime of its own and hands it the means to notice that the user cancels.
pub(super) fn block_on<F: Future>(work: impl FnOnce(Cancel) -> F) -> Result<F::Output, CliError> {
    run(Builder::new_multi_thread(), work)
}

/// The same on this thread alone: what mostly waits for the network is faster without handing work from thread to thread.
pub(super) fn block_here_on<F: Future>(work: impl FnOnce(Cancel) -> F) -> Result<F::Output, CliError> {
    run(Builder::new_current_thread(), work)
}

fn run<F: Future>(mut kind: Builder, work: impl FnOnce(Cancel) -> F) -> Result<F::Output, CliError> {
    let runtime = started(kind.enable_all())?;
    let cancelled = listen()?;
    let output = runtime.block_on(work(cancelled));
    runtime.shutdown_timeout(FAREWELL);
    Ok(output)
}

fn started(kind: &mut Builder) -> Result<Runtime, CliError> {
    kind.build().map_err(|source| CliError::Environment(format!("cannot start a runtime: {source}")))
}

/// Whom the first wish is told: what runs now, or what ran last.
static RUNNING: LazyLock<Mutex<Option<watch::Sender<bool>>>> = LazyLock::new(Mutex::default);

/// Wishes are heard from here on, until the program ends: whoever reads that something is ready may end it at once. A signal that was heard
/// once never ends a program by itself again, so somebody has to listen also where no runtime is left.
fn listen() -> Result<Cancel, CliError> {
    let (cancel, cancelled) = watch::channel(false);
    let listens = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).replace(cancel).is_some();
    if !listens {
        let runtime = started(Builder::new_current_thread().enable_all())?;
        let wishes = {
            let _inside = runtime.enter();
            Wishes::listen()
        };
        let listener = thread::Builder::new().name("wishes".into()).spawn(move || runtime.block_on(watch_signals(wishes)));
        listener.map_err(|source| CliError::Environment(format!("cannot start a thread: {source}")))?;
    }
    Ok(cancelled)
}

/// Subjects do not outlive a sudden end: their supervisors see the pipe close.
async fn watch_signals(mut wishes: Wishes) {
    wishes.asked_to_end().await;
    if cancel_what_runs() {
        tokio::time::sleep(ONE_WISH).await;
        wishes.asked_to_end().await;
    }
    process::exit(ExitStatus::Cancelled.code().into());
}

/// False: nobody is there to end anything in good order.
fn cancel_what_runs() -> bool {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.as_ref().is_some_and(|running| running.send(true).is_ok())
}

/// Ctrl-C, and the signal by which scripts and CI servers end a program. One that cannot be heard never comes.
#[cfg(unix)]
struct Wishes {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Wishes {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { interrupt: signal(SignalKind::interrupt()).ok(), terminate: signal(SignalKind::terminate()).ok() }
    }

    async fn asked_to_end(&mut self) {
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }
}

#[cfg(unix)]
async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
    let heard = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
struct Wishes;

#[cfg(not(unix))]
impl Wishes {
    fn listen() -> Self {
        Self
    }

    async fn asked_to_end(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the user cancels.
pub(super) async fn cancelled(cancel: &mut Cancel) {
    if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
