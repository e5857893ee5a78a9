//! The words of a client's secrets and of a clock of the API's own.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::maybe_duration;
use crate::Skew;

/// `rotate_secret = { overlap = "10s", kill_grants = true }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateSecret {
    /// How long the old one still works; not at all unless told otherwise.
    #[serde(deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub overlap: Option<Duration>,
    /// Grants of the old secret end.
    pub kill_grants: bool,
    /// The new one has every character that a secret of Pleo's may have: letters, digits and each of `-._~+/=%:`.
    pub odd: bool,
}

/// `add_secret = { after = "10s" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AddSecret {
    /// When it begins to be accepted; at once unless told otherwise.
    #[serde(deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub after: Option<Duration>,
}

/// `retire_secret = { secret = "secret#1", after = "10s" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetireSecret {
    /// Which, by name; the oldest that is accepted unless told otherwise.
    pub secret: Option<String>,
    /// When it ends; at once unless told otherwise.
    #[serde(deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub after: Option<Duration>,
}

/// `revoke_secret = {}` or `{ secret = "secret#1" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RevokeSecret {
    /// Which, by name; the oldest that is accepted unless told otherwise.
    pub secret: Option<String>,
}

/// `skew_api = { ahead = "30s" }` or `{ behind = "30s" }`; `{}`: both clocks go alike again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SkewApi {
    /// The API's clock is ahead of the authorisation server's by so much.
    #[serde(deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub ahead: Option<Duration>,
    /// It is behind by so much.
    #[serde(deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub behind: Option<Duration>,
}

impl SkewApi {
    /// How the API's clock is to go; none: it cannot be ahead and behind at once.
    #[must_use]
    pub fn skew(self) -> Option<Skew> {
        match (self.ahead, self.behind) {
            (Some(_), Some(_)) => None,
            (None, Some(span)) => Some(Skew::Behind(span)),
            (ahead, None) => Some(Skew::Ahead(ahead.unwrap_or_default())),
        }
    }
}
