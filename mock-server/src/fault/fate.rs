//! What can become of a request.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Reshape,
    words::{RetryAfter, in_millis},
};

/// What becomes of a request. Before `committed` an answer of ours takes the place of the provider's and nothing is committed.
///
/// `truncate`, `garble`, `throttle` and `reshape` let the request go its way and do something to the provider's own reply, wherever on the way
/// the rule meets it; several of them may meet one request.
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
        /// `Retry-After`.
        retry_after: Option<RetryAfter>,
    },
    /// Answers with these status, headers and body.
    Replace {
        /// The status, 200 unless told otherwise.
        status: Option<u16>,
        /// `Content-Type`.
        content_type: Option<String>,
        /// Further headers.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// The body.
        body: String,
    },
    /// Sends the subject elsewhere.
    Redirect {
        /// A path of the provider, or a URL on loopback.
        to: String,
        /// 301, 302, 303, 307 or 308; 302 unless told otherwise.
        status: Option<u16>,
    },
    /// Closes the connection (FIN) without an answer.
    Drop,
    /// The body stops short of its `Content-Length`.
    Truncate {
        /// After so many bytes of the body; half of them unless told otherwise.
        after: Option<u32>,
        /// How the connection ends there.
        #[serde(default)]
        then: CutShort,
    },
    /// The provider's own reply, spoilt.
    Garble(Garble),
    /// Closes the connection with RST.
    Reset,
    /// The body drips.
    Throttle {
        /// So many bytes a second.
        bytes_per_second: NonZeroU32,
    },
    /// Never answers; the connection stays open until the subject ends it.
    Hang,
    /// Tokens are issued, in an odd but legal form.
    Reshape(Box<Reshape>),
}

/// How a connection ends in the middle of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CutShort {
    /// In order (FIN).
    #[default]
    Fin,
    /// With RST.
    Reset,
    /// Not at all: no more comes, and the connection stays open.
    Hang,
}

/// How a reply is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Garble {
    /// The body is no JSON any more: its last bracket is missing and text follows.
    Json,
    /// The body is that of the provider, and said to be `text/html`.
    ContentType,
    /// The body is that of the provider, without any `Content-Type`.
    NoContentType,
    /// A byte in the middle is no UTF-8.
    Utf8,
    /// There is no body.
    Empty,
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
            Self::Redirect { status, .. } => format!("redirect {}", status.unwrap_or(302)),
            Self::Drop => "drop".into(),
            Self::Truncate { after: Some(after), .. } => format!("truncate {after}"),
            Self::Truncate { after: None, .. } => "truncate".into(),
            Self::Garble(how) => format!("garble {}", how.word()),
            Self::Reset => "reset".into(),
            Self::Throttle { bytes_per_second } => format!("throttle {bytes_per_second}"),
            Self::Hang => "hang".into(),
            Self::Reshape(shape) => shape.word(),
        }
    }
}

impl Garble {
    fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::ContentType => "content-type",
            Self::NoContentType => "no-content-type",
            Self::Utf8 => "utf8",
            Self::Empty => "empty",
        }
    }
}
