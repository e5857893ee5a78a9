//! What the environment says: where Pleo is, who we are, where to listen and to keep things.

use std::path::PathBuf;

use super::signature::WebhookSecret;

/// Asked for at every consent. `export-items:read` is for a report that reads no API yet.
const DEFAULT_SCOPES: &str = "users:read export-jobs:read export-jobs:write export-items:read";

/// The configuration, read once at start.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) authorize_url: String,
    pub(crate) token_url: String,
    /// No slash at the end.
    pub(crate) api_url: String,
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) client_secret: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) port: u16,
    pub(crate) state_dir: PathBuf,
    /// Which of the processes that share the folder this is.
    pub(crate) process: u32,
    /// What tokens at rest are sealed with.
    pub(crate) store_key: String,
    pub(crate) scopes: Vec<String>,
    /// The names of the connections, the first one's being that of a request which names none.
    pub(crate) connections: Vec<String>,
    /// What Pleo signs its webhooks with; `None`: they are taken unsigned.
    pub(crate) webhook_secret: Option<WebhookSecret>,
    /// A PEM bundle to trust beside the system's roots.
    pub(crate) extra_roots: Option<PathBuf>,
}

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("PORT is not a port number: {0:?}")]
    Port(String),
    #[error("PROCESS is not a number: {0:?}")]
    Process(String),
    #[error("WEBHOOK_SECRET is none of Pleo's: they begin with whsec_")]
    WebhookSecret,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            authorize_url: required("AUTHORIZE_URL")?,
            token_url: required("TOKEN_URL")?,
            api_url: required("API_URL")?.trim_end_matches('/').to_owned(),
            client_id: required("CLIENT_ID")?,
            client_secret: optional("CLIENT_SECRET"),
            redirect_uri: required("REDIRECT_URI")?,
            port: port()?,
            state_dir: required("STATE_DIR")?.into(),
            process: process()?,
            store_key: required("STORE_KEY")?,
            scopes: optional("SCOPES").as_deref().unwrap_or(DEFAULT_SCOPES).split_whitespace().map(str::to_owned).collect(),
            connections: optional("CONNECTIONS").as_deref().unwrap_or("pleo").split_whitespace().map(str::to_owned).collect(),
            webhook_secret: webhook_secret()?,
            extra_roots: optional("SSL_CERT_FILE").map(Into::into),
        })
    }
}

fn webhook_secret() -> Result<Option<WebhookSecret>, ConfigError> {
    let Some(text) = optional("WEBHOOK_SECRET") else { return Ok(None) };
    WebhookSecret::read(&text).map(Some).ok_or(ConfigError::WebhookSecret)
}

/// The port to listen on: all that a null subject needs.
pub(crate) fn port() -> Result<u16, ConfigError> {
    let text = required("PORT")?;
    text.parse().map_err(|_| ConfigError::Port(text))
}

/// The first, where nothing is said.
fn process() -> Result<u32, ConfigError> {
    let text = optional("PROCESS").unwrap_or_else(|| "0".into());
    text.parse().map_err(|_| ConfigError::Process(text))
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    optional(name).ok_or(ConfigError::Missing(name))
}

fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
