//! The manifest as far as verdicts depend on it.

use crate::{
    judge::{ConnectBy, NewSecret, Terms, WorkKind},
    subject::{
        Manifest,
        manifest::{self, Connect, LogPattern, Opens, PromptChannel, Verb},
    },
};

/// What the judge must know.
pub(super) fn terms(manifest: &Manifest, work: Option<manifest::WorkKind>) -> Terms {
    let start = manifest.start.as_ref();
    let features = &manifest.features;
    Terms {
        status: manifest.status.is_some(),
        status_disconnected: manifest.status.as_ref().is_some_and(|s| s.disconnected.is_some()),
        status_broken: manifest.status.as_ref().is_some_and(|s| s.broken.is_some()),
        prompt: manifest.prompt.as_ref().is_some_and(|p| matches!(p.channel, PromptChannel::Verb(_))),
        prompt_log: manifest.prompt.as_ref().and_then(|p| p.log.as_ref()).map(|regex| regex.as_str().to_owned()),
        prompt_notices: manifest.prompt.as_ref().is_some_and(|p| p.webhook || p.mail),
        prompt_says: manifest.prompt.as_ref().is_some_and(|p| p.says.is_some()),
        prompt_from: manifest.prompt.as_ref().is_some_and(|p| p.from.is_some()),
        connect: connect_by(&manifest.connect),
        settings: manifest.settings.is_some(),
        data: manifest.data.is_some(),
        disconnect: matches!(manifest.disconnect, manifest::Disconnect::Verb(_)),
        no_disconnect: matches!(manifest.disconnect, manifest::Disconnect::Absent),
        new_secret: new_secret(manifest),
        work: work.map(kind),
        sources: std::iter::once("trigger".to_owned()).chain(manifest.also.iter().map(|t| t.name.clone())).collect(),
        restartable: start.is_some_and(|s| s.run.is_some()),
        one_shot: manifest.one_shot(),
        restarts_on_exit: start.is_some_and(|s| s.restart_on_exit),
        confidential: features.confidential,
        period: features.period.map(|p| p.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))),
        connections: features.connections.as_ref().map(|names| u32::try_from(names.len().max(1)).unwrap_or(u32::MAX)),
        processes: features.processes,
        refresh_attempts: features.refresh_attempts,
        token_timeout: features.token_timeout.map(|limit| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)),
        pkce_optional: manifest.provider.pkce_optional,
        not_applicable: manifest.not_applicable.clone(),
        log_refresh_failed: manifest.logs.refresh_failed.as_ref().map(pattern),
        log_detected: manifest.logs.detected.as_ref().map(pattern),
        log_reauthentication: manifest.logs.reauthentication.as_ref().map(pattern),
    }
}

/// By `start.reload`; else at a start or with a verb, unless a command that runs only before the first start may have written it down.
fn new_secret(manifest: &Manifest) -> NewSecret {
    let names_it = |part: &dyn std::fmt::Debug| format!("{part:?}").contains("{client_secret}");
    let Some(start) = &manifest.start else {
        let verbs = names_it(&manifest.trigger) || names_it(&manifest.connect);
        return if verbs { NewSecret::Handed } else { NewSecret::Unknown };
    };
    if start.reload.is_some() {
        NewSecret::Handed
    } else if !start.prepare.is_empty() || !start.reset.is_empty() {
        NewSecret::Prepared
    } else if [&start.env as &dyn std::fmt::Debug, &start.run, &start.also, &manifest.trigger, &manifest.connect].into_iter().any(names_it)
    {
        NewSecret::Handed
    } else {
        NewSecret::Unknown
    }
}

fn connect_by(connect: &Connect) -> ConnectBy {
    match (&connect.verb, &connect.opens) {
        (Verb::Run(_), _) => ConnectBy::Command,
        (_, Opens::Json(_)) => ConnectBy::Script,
        (_, Opens::Redirect | Opens::Stdout | Opens::Browser) => ConnectBy::Link,
    }
}

fn kind(kind: manifest::WorkKind) -> WorkKind {
    match kind {
        manifest::WorkKind::Export => WorkKind::Export,
        manifest::WorkKind::Read => WorkKind::Read,
        manifest::WorkKind::Push => WorkKind::Push,
    }
}

/// A pattern as one regular expression; a JSON pattern's members are looked for in the order written, or the reverse.
fn pattern(pattern: &LogPattern) -> String {
    match pattern {
        LogPattern::Text(regex) => regex.as_str().to_owned(),
        LogPattern::Json(value) => {
            let member = |(key, value): (&String, &serde_json::Value)| {
                format!(r#""{}"\s*:\s*{}"#, regex::escape(key), regex::escape(&value.to_string()))
            };
            let mut members: Vec<String> = value.as_object().map(|o| o.iter().map(member).collect()).unwrap_or_default();
            let forward = members.join(".*");
            members.reverse();
            format!("({forward})|({})", members.join(".*"))
        }
    }
}
