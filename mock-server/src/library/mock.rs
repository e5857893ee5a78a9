//! The wiremock door, for tests that have a `MockServer` already.

use std::{ops::Deref, sync::Arc};

use ::wiremock::MockServer;

use super::{Pleo, PleoBuilder, SettingError};
use crate::{
    Control, ProviderConfig, Urls,
    front::wiremock::{REACH, mount},
    state::Shared,
    tenants::Origin,
};

/// A Pleo on a [`MockServer`], beside your other mocks. Derefs to [`Pleo`], as [`PleoServer`](super::PleoServer) does.
///
/// Decisions and journal are those of the full server. What wiremock cannot do is refused: rules that hold, hang, reset or cut a
/// reply short when they are installed, TLS and a second listener when it is mounted. Times are less exact: a request begins
/// when it was read whole, a reply is dated before it is written, and nothing is known of connections (number 0) or of when a reply
/// was read. It stays mounted as long as the `MockServer` lives, or until its `reset`; wiremock keeps every request in memory
/// meanwhile, unless its recording is disabled.
///
/// ```
/// use regrant_mock_server::{PleoMock, ProviderConfig};
/// use wiremock::MockServer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = MockServer::start().await;
/// let pleo = PleoMock::mount(&server, ProviderConfig::local(1)).await?;
/// assert!(pleo.api_url() == server.uri());
/// pleo.lose_next_refresh_reply()?; // wiremock can close a connection
/// let refused = pleo.hold_next_refresh().map(|_gate| ()).map_err(|error| error.to_string());
/// assert!(refused.is_err_and(|text| text.contains("cannot `hold") && text.contains("PleoServer")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PleoMock {
    pleo: Pleo,
}

impl PleoMock {
    /// Mounts a Pleo. [`PleoBuilder::mount`] does the same with settings in words.
    ///
    /// # Errors
    /// A setting that wiremock cannot carry out.
    pub async fn mount(server: &MockServer, config: ProviderConfig) -> Result<Self, SettingError> {
        check(&config)?;
        let urls = Urls::at(server.uri(), None);
        let shared = Shared::first(Origin { config, urls, tls: None, file: None, founders: Vec::new(), runtime: None, reach: REACH });
        let shared = Arc::new(shared);
        mount(server, shared.clone()).await;
        Ok(Self { pleo: Pleo::new(Control { shared }) })
    }
}

impl PleoBuilder {
    /// Mounts a Pleo with these settings on a `MockServer`.
    ///
    /// # Errors
    /// A setting that cannot be meant, or that wiremock cannot carry out.
    pub async fn mount(self, server: &MockServer) -> Result<PleoMock, SettingError> {
        PleoMock::mount(server, self.config()?).await
    }
}

impl Deref for PleoMock {
    type Target = Pleo;

    fn deref(&self) -> &Pleo {
        &self.pleo
    }
}

/// What is said of listeners in the settings would be ignored here.
fn check(config: &ProviderConfig) -> Result<(), SettingError> {
    let usual = ProviderConfig::local(config.seed);
    let refused = |setting, fault: &str| Err(SettingError { setting, fault: fault.to_owned(), remedy: REMEDY });
    if config.tls {
        return refused("tls", "wiremock speaks plain http");
    }
    if config.management.is_some() || config.management_token.is_some() {
        return refused("management", "a `MockServer` has one listener");
    }
    if config.listen != usual.listen {
        return refused("listen", "the address is the `MockServer`'s");
    }
    if config.journal_file.is_some() {
        return refused("journal_file", "nobody writes it here");
    }
    if config.reachable_as.is_some() {
        return refused("reachable_as", "the address is the `MockServer`'s");
    }
    let mut statuses = config.replies.iter().map(|reply| ("reply", reply.status)).chain([("policy", config.policy.refused_with.status)]);
    match statuses.find(|(_, status)| !(200..=999).contains(status)) {
        Some((setting, status)) => refused(setting, &format!("wiremock cannot write the status {status}")),
        None => Ok(()),
    }
}

const REMEDY: &str = "leave it out, or start a `PleoServer`, which can";
