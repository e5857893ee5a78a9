//! What the provider holds to in one story.

use std::time::Duration;

use regrant_authority::{Dialect, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{maybe_duration, parse_duration};

/// `[provider]` of a scenario.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderPolicy {
    /// e.g. `"15m"`.
    #[serde(default, deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub access_token_lifetime: Option<Duration>,
    /// e.g. `"60d"`.
    #[serde(default, deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub refresh_token_lifetime: Option<Duration>,
    /// `"strict+revoke-family"`, `"strict"`, `"grace:5s"`, `"grace:5s:sibling"`, `"lenient"`, `"off"`.
    #[serde(default, deserialize_with = "maybe_rotation")]
    #[schemars(with = "Option<String>")]
    pub rotation: Option<regrant_authority::Rotation>,
    /// How dead refresh tokens are refused.
    pub refused_with: Option<RefusedWith>,
    /// A refresh token is refused once the client secret that it was issued under is no longer accepted.
    pub refresh_bound_to_secret: Option<bool>,
    /// `rotate_secret` ends all grants of the client.
    pub rotation_ends_grants: Option<bool>,
    /// Client credentials in the body of a token request are refused; `Basic` only.
    pub strict_basic: Option<bool>,
}

/// How dead refresh tokens are refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedWith {
    /// HTTP status.
    #[serde(default = "bad_request")]
    pub status: u16,
    /// `error`.
    pub error: String,
    /// `error_description`.
    pub description: Option<String>,
}

fn bad_request() -> u16 {
    400
}

/// Puts a story's policy over another; what the story leaves out stays.
pub fn apply_policy(told: &ProviderPolicy, policy: &mut Policy) {
    if let Some(lifetime) = told.access_token_lifetime {
        policy.access_lifetime = lifetime;
    }
    if let Some(lifetime) = told.refresh_token_lifetime {
        policy.refresh_lifetime = lifetime;
    }
    if let Some(rotation) = told.rotation {
        policy.rotation = rotation;
    }
    let switches = [
        (told.refresh_bound_to_secret, &mut policy.refresh_bound_to_secret),
        (told.rotation_ends_grants, &mut policy.rotation_ends_grants),
        (told.strict_basic, &mut policy.strict_basic),
    ];
    for (told, switch) in switches {
        *switch = told.unwrap_or(*switch);
    }
    if let Some(refused) = &told.refused_with {
        policy.refused_with = Dialect { error: refused.error.clone(), description: refused.description.clone(), status: refused.status };
    }
}

fn maybe_rotation<'de, D: Deserializer<'de>>(d: D) -> Result<Option<regrant_authority::Rotation>, D::Error> {
    use regrant_authority::Rotation;
    let text = String::deserialize(d)?;
    let grace = |rest: &str, sibling| parse_duration(rest).map(|window| Rotation::Grace { window, sibling });
    let rotation = match text.as_str() {
        "strict+revoke-family" => Some(Rotation::StrictRevokeFamily),
        "strict" => Some(Rotation::Strict),
        "lenient" => Some(Rotation::Lenient),
        "off" => Some(Rotation::Off),
        other => other.strip_prefix("grace:").and_then(|rest| match rest.strip_suffix(":sibling") {
            Some(rest) => grace(rest, true),
            None => grace(rest, false),
        }),
    };
    rotation.map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{text:?} is no rotation: one of strict+revoke-family, strict, grace:5s, grace:5s:sibling, lenient, off"
        ))
    })
}
