//! What the judge must know of the manifest: which probes there are, and what was declared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What kind of work the subject does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// Pending export jobs; delivered when a PUT names the entry.
    Export,
    /// Reads; delivered when a 2xx page that holds the unit was read.
    Read,
    /// The trigger carries the unit; delivered when it appears in a request.
    Push,
}

/// How a user gets to the authorise endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectBy {
    /// By links, forms and redirects, which can be followed.
    #[default]
    Link,
    /// By a script on the page, which takes the address from an answer; scripts are not run.
    Script,
    /// By a command: there is nothing to click.
    Command,
}

/// How a new client secret gets to the subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewSecret {
    /// `{client_secret}` is handed over at each start, or by `start.reload`.
    Handed,
    /// It may have been written down before the first start, by a command of the manifest.
    Prepared,
    /// The manifest never names `{client_secret}`.
    #[default]
    Unknown,
}

/// The manifest as far as verdicts depend on it. Saved in the header of `run.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// `[status]` is there.
    pub status: bool,
    /// `status.disconnected` is there.
    pub status_disconnected: bool,
    /// `status.broken` is there.
    pub status_broken: bool,
    /// `[prompt]` is there.
    pub prompt: bool,
    /// `prompt.log`: the line of log that tells somebody that access must be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_log: Option<String>,
    /// The user is told by a webhook or a mail.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prompt_notices: bool,
    /// `prompt.says` is there.
    pub prompt_says: bool,
    /// `prompt.from` is there.
    pub prompt_from: bool,
    /// How `connect` gets to the authorise endpoint.
    pub connect: ConnectBy,
    /// `[settings]` is there.
    pub settings: bool,
    /// `[data]` is there.
    pub data: bool,
    /// `[disconnect]` is there.
    pub disconnect: bool,
    /// `disconnect.none = true`: the user cannot disconnect.
    pub no_disconnect: bool,
    /// How a new client secret gets to the subject.
    pub new_secret: NewSecret,
    /// Kind of work; none: could not be told.
    pub work: Option<WorkKind>,
    /// Sources of work declared, `trigger` first.
    pub sources: Vec<String>,
    /// The process can be restarted by us (not attached, not one-shot).
    pub restartable: bool,
    /// Every trigger runs the program anew.
    pub one_shot: bool,
    /// `start.restart = "on-exit"`.
    pub restarts_on_exit: bool,
    /// `features.confidential`.
    pub confidential: Option<bool>,
    /// `features.period`: microseconds; `Some(None)` is an explicit "none".
    #[serde(with = "period")]
    pub period: Option<Option<u64>>,
    /// `features.processes`: how many share a store.
    pub processes: Option<u32>,
    /// `features.connections`: how many.
    pub connections: Option<u32>,
    /// `features.refresh_attempts`.
    pub refresh_attempts: u32,
    /// `features.token_timeout`: microseconds.
    pub token_timeout: Option<u64>,
    /// PKCE was declared optional.
    pub pkce_optional: bool,
    /// `[not_applicable]`: id and reason.
    pub not_applicable: BTreeMap<String, String>,
    /// `[logs]` patterns for the three events.
    pub log_refresh_failed: Option<String>,
    /// See above.
    pub log_detected: Option<String>,
    /// See above.
    pub log_reauthentication: Option<String>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            status: false,
            status_disconnected: false,
            status_broken: false,
            prompt: false,
            prompt_log: None,
            prompt_notices: false,
            prompt_says: false,
            prompt_from: false,
            connect: ConnectBy::Link,
            settings: false,
            data: false,
            disconnect: false,
            no_disconnect: false,
            new_secret: NewSecret::Unknown,
            work: None,
            sources: vec!["trigger".into()],
            restartable: true,
            one_shot: false,
            restarts_on_exit: false,
            confidential: None,
            period: None,
            processes: None,
            connections: None,
            refresh_attempts: 1,
            token_timeout: None,
            pkce_optional: false,
            not_applicable: BTreeMap::new(),
            log_refresh_failed: None,
            log_detected: None,
            log_reauthentication: None,
        }
    }
}

/// JSON has one `null` only, so an explicit "none" is saved as that word.
mod period {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Saved {
        Micros(u64),
        Word(No),
    }

    #[derive(Serialize, Deserialize)]
    enum No {
        #[serde(rename = "none")]
        None,
    }

    #[allow(clippy::option_option, clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(period: &Option<Option<u64>>, to: S) -> Result<S::Ok, S::Error> {
        period.map(|period| period.map_or(Saved::Word(No::None), Saved::Micros)).serialize(to)
    }

    #[allow(clippy::option_option, reason = "as in the terms")]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
        let saved = Option::<Saved>::deserialize(from)?;
        Ok(saved.map(|saved| match saved {
            Saved::Micros(micros) => Some(micros),
            Saved::Word(No::None) => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_period_survives_being_saved() {
        for period in [None, Some(None), Some(Some(2_000_000))] {
            let terms = Terms { period, ..Terms::default() };
            let saved = serde_json::to_string(&terms).expect("written");
            assert_eq!(serde_json::from_str::<Terms>(&saved).expect("read"), terms, "{saved}");
        }
    }
}
