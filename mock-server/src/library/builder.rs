//! Settings of a Pleo, in the words of a test.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use regrant_authority::{Policy, Rotation};
use serde_json::Value;
use url::Url;

use super::{PleoServer, ServerError, server};
use crate::{ApiReply, ClientConfig, ConsentMode, ProviderConfig};

/// Settings of a Pleo that is about to start. What is not set is as at Pleo, and random where it is a secret.
#[derive(Debug, Clone)]
#[must_use = "nothing is started until `start`, `start_blocking` or `mount` is called"]
pub struct PleoBuilder {
    config: ProviderConfig,
    client: ClientConfig,
    /// Whether the client was described at all; else it is one that is open for anything on loopback.
    described: bool,
}

/// A setting that cannot be meant, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {fault}; {remedy}")]
pub struct SettingError {
    /// The method that set it.
    pub setting: &'static str,
    /// What is wrong.
    pub fault: String,
    /// What to write instead.
    pub remedy: &'static str,
}

impl Default for PleoBuilder {
    fn default() -> Self {
        Self { config: ProviderConfig::local(rand::random()), client: ClientConfig::default(), described: false }
    }
}

impl PleoBuilder {
    /// Registers the client with this id and secret. Without it both are random.
    pub fn client(self, id: &str, secret: &str) -> Self {
        self.describe(|client| {
            client.id = Some(id.to_owned());
            client.secret = Some(secret.to_owned());
            client.public = false;
        })
    }

    /// Registers a public client: an id, no secret.
    pub fn public_client(self, id: &str) -> Self {
        self.describe(|client| {
            client.id = Some(id.to_owned());
            client.secret = None;
            client.public = true;
        })
    }

    /// Registers a redirect URI, compared exactly; call it again for more. Without any, every loopback URI is good for a random
    /// client, and the first one that is used for one that was described.
    pub fn redirect_uri(self, uri: &str) -> Self {
        self.describe(|client| client.redirect_uris.push(uri.to_owned()))
    }

    /// Registers the scopes the client may ask for. Without any, it may ask for all.
    pub fn scopes<'a>(self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.describe(|client| client.scopes.extend(scopes.into_iter().map(str::to_owned)))
    }

    /// Lets the client authorise without PKCE; Pleo grants such exceptions.
    pub fn pkce_optional(self) -> Self {
        self.describe(|client| client.pkce_exempt = true)
    }

    /// What becomes of a refresh token that was used; at Pleo [`Rotation::StrictRevokeFamily`].
    pub fn rotation(self, rotation: Rotation) -> Self {
        self.policy(|policy| policy.rotation = rotation)
    }

    /// Life of an access token, 15 minutes unless told otherwise.
    pub fn access_token_lifetime(self, lifetime: Duration) -> Self {
        self.policy(|policy| policy.access_lifetime = lifetime)
    }

    /// Life of a refresh token, 60 days unless told otherwise.
    pub fn refresh_token_lifetime(self, lifetime: Duration) -> Self {
        self.policy(|policy| policy.refresh_lifetime = lifetime)
    }

    /// Changes any part of the policy: further lifetimes, what ends a family, the words of a refusal.
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.config.policy);
        self
    }

    /// Serves https under a CA made for this server; [`Pleo::ca_pem`](super::Pleo::ca_pem) is what the client has to trust.
    pub fn tls(mut self) -> Self {
        self.config.tls = true;
        self
    }

    /// The seed of all tokens and ids. Without it, it is random; a failed expectation tells it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// How the consent page answers, at once and with yes unless told otherwise.
    pub fn consent(mut self, mode: ConsentMode) -> Self {
        self.config.consent = mode;
        self
    }

    /// Adds an answer of the resource API or takes the place of one; `{name}` in the path matches one segment.
    pub fn reply(mut self, method: &str, path: &str, status: u16, json: Value) -> Self {
        self.config.replies.push(ApiReply { method: method.to_owned(), path: path.to_owned(), status, json });
        self
    }

    /// Listens here instead of at any free port of 127.0.0.1. Beyond loopback only together with [`reachable_as`](Self::reachable_as).
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.listen = address;
        self
    }

    /// Writes this host into the URLs, such as `host.docker.internal`, and thereby lets others than this host in.
    pub fn reachable_as(mut self, host: &str) -> Self {
        self.config.reachable_as = Some(host.to_owned());
        self
    }

    /// Opens the management listener too, for programs in other languages: at [`Urls::management`](crate::Urls::management).
    pub fn management(mut self) -> Self {
        self.config.management = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        self
    }

    /// Writes the journal to this file as well, a line of JSON per event, secrets by name.
    pub fn journal_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.journal_file = Some(path.into());
        self
    }

    /// Starts a server on a thread of its own, so that a test which blocks its runtime does not stop it.
    ///
    /// # Errors
    /// A setting that cannot be meant, a port that cannot be had.
    pub async fn start(self) -> Result<PleoServer, ServerError> {
        server::start(self.config()?).await
    }

    /// [`start`](Self::start) for tests without a runtime. Blocks until the server listens.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_blocking(self) -> Result<PleoServer, ServerError> {
        server::start_blocking(self.config()?)
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// The first one that cannot be meant.
    pub fn config(self) -> Result<ProviderConfig, SettingError> {
        let Self { mut config, client, described } = self;
        if described {
            check_client(&client)?;
            config.clients.push(client);
        }
        config.replies.iter().try_for_each(check_reply)?;
        Ok(config)
    }

    fn describe(mut self, change: impl FnOnce(&mut ClientConfig)) -> Self {
        change(&mut self.client);
        self.described = true;
        self
    }
}

fn check_client(client: &ClientConfig) -> Result<(), SettingError> {
    if client.id.as_deref() == Some("") {
        return Err(fault("client", "the id is empty", "leave `client` out for a random one"));
    }
    if client.secret.as_deref() == Some("") {
        return Err(fault("client", "the secret is empty", "write `public_client(id)` for a client without one"));
    }
    client.redirect_uris.iter().try_for_each(|uri| check_redirect(uri))?;
    client.scopes.iter().try_for_each(|scope| check_scope(scope))
}

/// RFC 6749 section 3.1.2.
fn check_redirect(uri: &str) -> Result<(), SettingError> {
    let remedy = "write a whole URI without a fragment, such as http://127.0.0.1:8080/callback";
    match Url::parse(uri) {
        Err(error) => Err(fault("redirect_uri", &format!("{uri:?} is no absolute URI: {error}"), remedy)),
        Ok(url) if url.fragment().is_some() => Err(fault("redirect_uri", &format!("{uri:?} has a fragment"), remedy)),
        Ok(_) => Ok(()),
    }
}

/// RFC 6749 section 3.3.
fn check_scope(scope: &str) -> Result<(), SettingError> {
    let good = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !scope.is_empty() && scope.bytes().all(good) {
        return Ok(());
    }
    Err(fault("scopes", &format!("{scope:?} is no scope"), "give each scope by itself: [\"users:read\", \"export-jobs:read\"]"))
}

fn check_reply(reply: &ApiReply) -> Result<(), SettingError> {
    let versioned = reply.path.strip_prefix("/v").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !versioned {
        let shown = format!("{:?} is no path of the API, so nobody would ever be answered so", reply.path);
        return Err(fault("reply", &shown, "begin it with a version, such as /v2/employees"));
    }
    if !(200..=599).contains(&reply.status) {
        return Err(fault("reply", &format!("{} is no final HTTP status", reply.status), "write one from 200 to 599"));
    }
    Ok(())
}

fn fault(setting: &'static str, fault: &str, remedy: &'static str) -> SettingError {
    SettingError { setting, fault: fault.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: PleoBuilder) -> Option<&'static str> {
        builder.config().err().map(|error| error.setting)
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_name() {
        let new = PleoBuilder::default;
        assert_eq!(refused(new().client("", "x")), Some("client"));
        assert_eq!(refused(new().client("app", "")), Some("client"));
        assert_eq!(refused(new().redirect_uri("/callback")), Some("redirect_uri"));
        assert_eq!(refused(new().redirect_uri("http://127.0.0.1/cb#top")), Some("redirect_uri"));
        assert_eq!(refused(new().scopes(["users:read export-jobs:read"])), Some("scopes"));
        assert_eq!(refused(new().reply("GET", "/employees", 200, Value::Null)), Some("reply"));
        assert_eq!(refused(new().reply("GET", "/v2/employees", 42, Value::Null)), Some("reply"));
        assert_eq!(refused(new()), None);
    }

    #[test]
    fn a_fault_says_what_to_write_instead() {
        let error = PleoBuilder::default().client("app", "").config().map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(error, Err("client: the secret is empty; write `public_client(id)` for a client without one".to_owned()));
    }

    #[test]
    fn a_client_that_was_not_described_stays_open_for_anything() {
        assert!(PleoBuilder::default().seed(1).config().is_ok_and(|config| config.clients.is_empty() && config.seed == 1));
        let described = PleoBuilder::default().pkce_optional().config();
        assert!(described.is_ok_and(|config| config.clients.len() == 1 && config.clients[0].pkce_exempt));
    }
}
