//! Waiting until the subject is ready, or finding out why it never will be.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Agent, Bindings, ProcId, SpawnRequest, SubjectError, Supervisor, SupervisorEvent, manifest::Ready};

/// Starts a program and waits until it is ready.
///
/// # Errors
/// It could not be started, ended early, found its port taken ([`SubjectError::PortTaken`]: try again with another), or was not ready in time.
/// What was started and is not ready has been killed.
#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
pub async fn start_and_wait(
    supervisor: &Supervisor,
    agent: &Agent,
    request: &SpawnRequest,
    ready: &Ready,
    bindings: &Bindings,
    limit: Duration,
) -> Result<ProcId, SubjectError> {
    todo!()
}

/// Waits until a program, started by [`Supervisor::spawn_watched`], is ready.
///
/// # Errors
/// See [`start_and_wait`].
#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
pub async fn wait_ready(
    agent: &Agent,
    name: &str,
    events: &mut UnboundedReceiver<SupervisorEvent>,
    ready: &Ready,
    bindings: &Bindings,
    limit: Duration,
) -> Result<(), SubjectError> {
    todo!()
}
