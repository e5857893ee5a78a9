//! What can be seen of the subject, as it is written: status, prompt, storage, logs, and what it is.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawPattern, verb_table};
use crate::subject::manifest::values::{Pattern, Period, Span, TextOr};

verb_table! {
    /// How the subject says how it stands.
    RawStatus {
        /// It works.
        connected: Option<RawPattern>,
        /// The user must reauthenticate.
        disconnected: Option<RawPattern>,
        /// It works for neither side.
        broken: Option<RawPattern>,
        /// How many connections there are.
        count: Option<RawCount>,
    }
}

/// Where the number of connections stands.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCount {
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(crate) pointer: String,
    /// The length of the list there counts.
    #[serde(default)]
    pub(crate) length: bool,
}

verb_table! {
    /// Where a person would see that access must be restored.
    RawPrompt {
        /// A line of log.
        log: Option<Pattern>,
        /// A call of `{notify_url}`.
        webhook: Option<bool>,
        /// A mail to `{smtp_url}`.
        mail: Option<bool>,
        /// What tells the user.
        says: Option<Pattern>,
        /// A place the user should come back to.
        from: Option<String>,
    }
}

/// Where the subject stores things.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStorage {
    /// Folders and files; `{state_dir}` unless told otherwise.
    pub(crate) paths: Option<Vec<String>>,
    /// Programs whose output is the store's live content.
    pub(crate) dump: Vec<Vec<String>>,
    /// Stores by URL.
    pub(crate) urls: Vec<String>,
}

/// Where the subject logs; stdout and stderr are always read.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLogs {
    /// Log files, with wildcards.
    pub(crate) files: Vec<String>,
    /// `{otlp_url}` is handed over.
    pub(crate) otlp: bool,
    /// A refresh failed: a regex, or `{ json = … }`.
    pub(crate) refresh_failed: Option<TextOr<RawLogJson>>,
    /// Expiry or revocation was detected.
    pub(crate) detected: Option<TextOr<RawLogJson>>,
    /// Reauthentication was asked for.
    pub(crate) reauthentication: Option<TextOr<RawLogJson>>,
}

/// A log line that is JSON.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLogJson {
    /// The members it must have.
    pub(crate) json: serde_json::Value,
}

/// What the subject is; absent: undecided where it matters.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawFeatures {
    /// A confidential client.
    pub(crate) confidential: Option<bool>,
    /// Instances that share one store, each with its own `{process}`, `{port}`, `{base_url}`, `{token_url}` and `{api_url}`.
    #[schemars(range(min = 1, max = 8))]
    pub(crate) processes: Option<u32>,
    /// Several companies' grants in one subject: the values of `{connection}`; or 1.
    pub(crate) connections: Option<OneOrNames>,
    /// How often it works unasked, or `"none"`.
    pub(crate) period: Option<Period>,
    /// Declared budget on one refused refresh token.
    #[schemars(range(min = 1, max = 3))]
    pub(crate) refresh_attempts: Option<u32>,
    /// Its own limit for a token request.
    pub(crate) token_timeout: Option<Span>,
    /// What is done with memory.
    pub(crate) memory: Option<RawMemory>,
}

/// Names of connections, or the number 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a list of names such as [\"acme\", \"globex\"], or 1")]
pub(crate) enum OneOrNames {
    /// The number 1.
    Number(u32),
    /// Their names.
    Names(Vec<String>),
}

/// What is done with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawMemory {
    /// Not looked at.
    Off,
    /// Reported.
    Report,
    /// Judged.
    Strict,
}
