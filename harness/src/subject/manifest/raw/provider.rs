//! The provider as it is written: the mock, its client, its API, interception.

use schemars::JsonSchema;
use serde::Deserialize;

/// The mock provider.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawProvider {
    /// https under the run's CA.
    pub(crate) tls: bool,
    /// The address it listens on.
    pub(crate) listen: Option<String>,
    /// The host in the URLs handed over.
    pub(crate) reachable_as: Option<String>,
    /// A fixed client; random unless told otherwise.
    pub(crate) client: Option<RawClient>,
    /// Scopes that are registered.
    pub(crate) scopes: Vec<String>,
    /// Whether PKCE must be used.
    pub(crate) pkce: RawPkce,
}

/// A fixed client.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawClient {
    /// Its id.
    pub(crate) id: Option<String>,
    /// Its secret.
    pub(crate) secret: Option<String>,
}

/// Whether PKCE must be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawPkce {
    /// It must.
    #[default]
    Required,
    /// It may be missing.
    Optional,
}

/// The mock's resource API.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawApi {
    /// Answers that are overridden or added.
    pub(crate) reply: Vec<RawReply>,
}

/// An answer of the resource API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReply {
    /// `"METHOD /path"`.
    pub(crate) on: String,
    /// Its status; 200 unless told otherwise.
    pub(crate) status: Option<u16>,
    /// Its body: a file relative to the manifest, or JSON in place.
    pub(crate) json: serde_json::Value,
}

/// For subjects with Pleo's hosts hard-coded.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawIntercept {
    /// The hosts.
    pub(crate) hosts: Vec<String>,
}
