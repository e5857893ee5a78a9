//! A gate at which a request waits for the test.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{InstallError, Pleo};
use crate::{
    Control,
    fault::{Missing, Rule, RuleId},
};

/// How long [`Gate::reached`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds a request or its reply. Dropping it lets go of what it holds, so that no test hangs on a gate it forgot.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let _chosen = rustls::crypto::ring::default_provider().install_default();
/// # async fn my_client(pleo: regrant_mock_server::Pleo, tokens: regrant_mock_server::Connected) -> reqwest::Result<reqwest::StatusCode> {
/// #     let fields = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh_token)];
/// #     let request = reqwest::Client::new().post(pleo.token_url()).basic_auth(pleo.client_id(), pleo.client_secret());
/// #     Ok(request.form(&fields).send().await?.status())
/// # }
/// let pleo = regrant_mock_server::PleoServer::builder().start().await?;
/// let gate = pleo.hold_next_refresh()?;
/// let client = tokio::spawn(my_client((*pleo).clone(), pleo.connect()?));
/// gate.reached().await?; // the refresh token is on its way
/// pleo.revoke();         // and is dead before it is looked at
/// gate.release();
/// assert_eq!(client.await??, 400);
/// # Ok(())
/// # }
/// ```
#[must_use = "a gate lets go when it is dropped"]
pub struct Gate {
    control: Control,
    name: String,
    rule: RuleId,
}

/// Nothing came to a gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeverHeld {
    /// The client sent nothing that the gate is for.
    #[error(transparent)]
    InTime(#[from] Missing),
    /// It was asked to block a thread that must not be blocked.
    #[error("`reached_blocking` blocks, which a runtime forbids: write `reached().await` here")]
    InRuntime,
    /// There is no clock to wait by.
    #[error("no runtime could be made to wait in")]
    NoRuntime,
}

impl Gate {
    /// Waits until the gate holds something, for 10 seconds at most. Wants a tokio runtime with its clock on, as in `#[tokio::test]`.
    ///
    /// # Errors
    /// Nothing came.
    pub async fn reached(&self) -> Result<(), NeverHeld> {
        self.reached_within(PATIENCE).await
    }

    /// [`reached`](Self::reached) with a patience of your own.
    ///
    /// # Errors
    /// Nothing came.
    pub async fn reached_within(&self, patience: Duration) -> Result<(), NeverHeld> {
        Ok(self.control.until_held_within(&self.name, 1, patience).await?)
    }

    /// [`reached`](Self::reached) for tests without a runtime.
    ///
    /// # Errors
    /// Nothing came, or it was called within a runtime.
    pub fn reached_blocking(&self) -> Result<(), NeverHeld> {
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err(NeverHeld::InRuntime);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.map_err(|_| NeverHeld::NoRuntime)?.block_on(self.reached())
    }

    /// How many it holds now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.control.held(&self.name)
    }

    /// Lets go; dropping does the same. Returns how many were held.
    pub fn release(self) -> usize {
        self.control.release(&self.name)
    }

    /// Drops the connections of what it holds. Returns how many.
    pub fn drop_connections(self) -> usize {
        self.control.drop_held(&self.name)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("name", &self.name).field("held", &self.held()).finish()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.control.remove(self.rule);
        self.control.release(&self.name);
    }
}

/// Installs a rule that holds at a gate of its own.
pub(super) fn close(pleo: &Pleo, rule: impl FnOnce(String) -> Rule) -> Result<Gate, InstallError> {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let rule = pleo.install(rule(name.clone()))?;
    Ok(Gate { control: pleo.control().clone(), name, rule })
}
