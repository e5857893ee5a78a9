//! One rule: match, point, fate. As TOML it reads `on = {…}`, `at = "…"`, `fate = {…}`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::journal::Endpoint;

/// Names an installed rule.
pub type RuleId = u32;

/// What happens to which traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    pub on: Match,
    /// Where on their way.
    #[serde(default)]
    pub at: Point,
    /// What becomes of them.
    pub fate: Fate,
    /// In force until this name is released; without it, until the end of the story.
    #[serde(default)]
    pub until: Option<String>,
}

/// Which requests a rule is for; what is absent matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Part of the provider.
    pub endpoint: Option<Endpoint>,
    /// `grant_type` of a token request.
    pub grant: Option<String>,
    /// Path prefix.
    pub path: Option<String>,
    /// Method.
    pub method: Option<String>,
    /// Only the nth matching request, from 1, counted from the end of the prologue (or from installation); with `times`, so many from the nth on.
    pub nth: Option<u32>,
    /// Only the first so many matching requests.
    pub times: Option<u32>,
}

/// Where on a request's way a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// It was read whole; nothing was looked at.
    #[default]
    Arrived,
    /// The client or the token was checked.
    Authenticated,
    /// The outcome is known, nothing was changed. For reads this is the same as `committed`.
    Decided,
    /// The change was made (tokens rotated, work recorded); the reply was not begun.
    Committed,
    /// Half of the reply was written.
    Replying,
}

/// What becomes of a request. Before `committed` an answer of ours takes the place of the provider's and nothing is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fate {
    /// Nothing.
    Pass,
    /// Waits that long, then goes on.
    Delay(
        #[serde(deserialize_with = "super::scenario::duration", serialize_with = "in_millis")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// Waits at a gate until it is released.
    Hold(String),
    /// Answers with a status, and an OAuth or API error body where `error` is given.
    Status {
        /// The status.
        code: u16,
        /// `error` (token endpoint) or `type` (API).
        error: Option<String>,
        /// `error_description` or `message`.
        description: Option<String>,
        /// `Retry-After`, seconds.
        retry_after: Option<u32>,
    },
    /// Answers with these status, headers and body.
    Replace {
        /// The status, 200 unless told otherwise.
        status: Option<u16>,
        /// `Content-Type`.
        content_type: Option<String>,
        /// The body.
        body: String,
    },
    /// Closes the connection (FIN) without an answer.
    Drop,
    /// Closes the connection with RST.
    Reset,
    /// Never answers; the connection stays open until the subject ends it.
    Hang,
}

fn in_millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{}ms", span.as_millis()))
}

impl Fate {
    /// The fate in a word or two, e.g. `status 503`.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Pass => "pass".into(),
            Self::Delay(span) => format!("delay {}ms", span.as_millis()),
            Self::Hold(gate) => format!("hold {gate}"),
            Self::Status { code, .. } => format!("status {code}"),
            Self::Replace { status, .. } => format!("replace {}", status.unwrap_or(200)),
            Self::Drop => "drop".into(),
            Self::Reset => "reset".into(),
            Self::Hang => "hang".into(),
        }
    }
}
