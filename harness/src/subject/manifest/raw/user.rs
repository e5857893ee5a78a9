//! What the user does, as it is written: signing in, connecting, disconnecting.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::verb_table;
use crate::subject::manifest::values::{Scalar, TextOr};

/// A way to sign in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLogin {
    /// What a person would do.
    pub(crate) steps: Vec<RawStep>,
}

/// One step at a page: `get`, or `fill` with `submit`, or `click`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStep {
    /// Open an address.
    pub(crate) get: Option<String>,
    /// Fill in these fields.
    pub(crate) fill: Option<BTreeMap<String, Scalar>>,
    /// Press the button with this text.
    pub(crate) submit: Option<String>,
    /// Click the link or button with this text.
    pub(crate) click: Option<String>,
}

verb_table! {
    /// How the user connects the subject with Pleo.
    RawConnect {
        /// How the authorise URL comes out: `"redirect"`, `"stdout"`, `"browser"`, or `{ json = "/url" }`.
        opens: Option<TextOr<RawOpens>>,
        /// Where the callback goes, if the redirect URI is not served.
        callback: Option<RawCallback>,
    }
}

/// The authorise URL in a JSON answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOpens {
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(crate) pointer: String,
}

/// Where the callback goes: one of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCallback {
    /// To a program, as `{callback_url}`.
    pub(crate) run: Option<Vec<String>>,
    /// To the standard input of the program that `connect` runs.
    pub(crate) stdin: Option<bool>,
}

verb_table! {
    /// How the user disconnects.
    RawDisconnect {
        /// There is no way to.
        none: Option<bool>,
    }
}
