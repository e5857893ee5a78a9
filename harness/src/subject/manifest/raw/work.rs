//! Work as it is written: triggers, what they answer, what kind of work it is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::verb_table;
use crate::subject::manifest::values::{Pattern, Statuses};

verb_table! {
    /// How the subject is asked to work.
    RawTrigger {
        /// What is taken on.
        accepted: Option<RawPattern>,
        /// What is honestly refused.
        refused: Option<RawPattern>,
        /// How it is known that work accepted now was done later.
        done: Option<RawDone>,
        /// Exits of a program that are no crash.
        exits: Option<Vec<i32>>,
        /// Further sources of work. A webhook subscription that the subject makes itself at the provider is one without being named here.
        also: Vec<RawAlsoTrigger>,
    }
}

verb_table! {
    /// A further source of work.
    RawAlsoTrigger {
        /// What it is called.
        name: String,
        /// Signed as Pleo's webhooks are: with `{webhook_secret}`, or with the secret of the subscription that the subject made for the address.
        signed: bool,
        /// What is taken on.
        accepted: Option<RawPattern>,
        /// What is honestly refused.
        refused: Option<RawPattern>,
        /// How it is known that work accepted now was done later.
        done: Option<RawDone>,
        /// Exits of a program that are no crash.
        exits: Option<Vec<i32>>,
    }
}

/// Something an answer can say: `json` with `is`, or `status`, or `text`, or `exit`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPattern {
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(crate) pointer: Option<String>,
    /// The value at the pointer, or a list of values of which one will do.
    pub(crate) is: Option<serde_json::Value>,
    /// Statuses.
    pub(crate) status: Option<Statuses>,
    /// A regex on the body.
    pub(crate) text: Option<Pattern>,
    /// An exit code.
    pub(crate) exit: Option<i32>,
}

/// How it is known that work was done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDone {
    /// The address to poll.
    pub(crate) poll: String,
    /// Headers.
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(crate) pointer: Option<String>,
    /// The value at the pointer, or a list of values of which one will do.
    pub(crate) is: Option<serde_json::Value>,
    /// Statuses.
    pub(crate) status: Option<Statuses>,
    /// A regex on the body.
    pub(crate) text: Option<Pattern>,
}

/// What kind of work the subject does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWork {
    pub(crate) kind: RawWorkKind,
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawWorkKind {
    /// Pending export jobs at the provider; delivered when a PUT names the entry.
    Export,
    /// Reads; delivered when a 2xx page that holds the unit was read.
    Read,
    /// The trigger carries `{item_id}`; delivered when it appears in a request.
    Push,
}
