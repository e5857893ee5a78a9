//! The plain words behind each name in the evidence.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    fault::scenario::Status,
    journal::Carried,
};

use crate::evidence::{
    CanaryForm, Channel, Found, Grant, LogStream, Outcome, PageSeen, Place, Presentation, Refreshing, Reply, Says, Verb, Wanted,
};

pub(super) fn refreshing(how: Refreshing) -> &'static str {
    match how {
        Refreshing::OnRejection => "by a 401 of the API",
        Refreshing::OnExpiry => "by short lifetimes",
    }
}

pub(super) fn verb(verb: Verb, source: Option<&str>) -> String {
    match (verb, source) {
        (Verb::Trigger, Some(source)) if source != "trigger" => format!("trigger {source}"),
        (Verb::Start, _) => "start".into(),
        (Verb::Connect, _) => "connect".into(),
        (Verb::Trigger, _) => "trigger".into(),
        (Verb::Status, _) => "status".into(),
        (Verb::Disconnect, _) => "disconnect".into(),
        (Verb::Stop, _) => "stop".into(),
    }
}

pub(super) fn call(what: Verb, source: Option<&str>, wanted: Option<Wanted>, item: Option<&str>) -> String {
    let item = item.map_or(String::new(), |item| format!(" with {item}"));
    match what {
        Verb::Start => "the harness starts the subject".into(),
        Verb::Connect => match wanted {
            None | Some(Wanted::Consent) => "the user connects".into(),
            Some(Wanted::Deny) => "the user begins to connect, and denies".into(),
            Some(Wanted::Abandon) => "the user begins to connect, and walks away".into(),
        },
        Verb::Trigger => format!("the subject is asked to work ({}){item}", verb(what, source)),
        Verb::Status => "the subject is asked how it stands".into(),
        Verb::Disconnect => "the user disconnects".into(),
        Verb::Stop => "the harness stops the subject".into(),
    }
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Refused => "refused",
        Outcome::NoAnswer => "not answered",
        Outcome::HungUp => "left by its caller, who hung up",
    }
}

pub(super) fn status(state: Option<Status>) -> &'static str {
    match state {
        Some(Status::Connected) => "connected",
        Some(Status::Disconnected) => "disconnected",
        Some(Status::Broken) => "broken",
        None => "as nothing that the manifest knows",
    }
}

pub(super) fn page(page: &PageSeen) -> String {
    let says = match page.says {
        Says::Yes => "tells the user that access must be restored",
        Says::No => "does not tell the user that access must be restored",
    };
    let leads = if page.leads_to_authorize { "leads" } else { "does not lead" };
    format!("the prompt page ({}) {says} and {leads} to the authorise endpoint", page.status)
}

pub(super) fn stream(stream: &LogStream) -> String {
    match stream {
        LogStream::Stdout => "stdout".into(),
        LogStream::Stderr => "stderr".into(),
        LogStream::File(path) => format!("log {path}"),
    }
}

pub(super) fn found(found: &Found) -> String {
    let where_ = if found.form == CanaryForm::Compressed { "inside" } else { "in" };
    format!("{} ({}) {where_} {}", found.canary, form(found.form), place(&found.place))
}

fn form(form: CanaryForm) -> &'static str {
    match form {
        CanaryForm::Raw => "as it is",
        CanaryForm::Percent => "percent-encoded",
        CanaryForm::Json => "with JSON escapes",
        CanaryForm::Base64 => "in base64",
        CanaryForm::Hex => "in hexadecimal",
        CanaryForm::Utf16 => "in UTF-16",
        CanaryForm::Basic => "in a Basic credential",
        CanaryForm::Prefix => "its first half or more",
        CanaryForm::Compressed => "compressed",
    }
}

fn place(place: &Place) -> String {
    match place {
        Place::Log(LogStream::File(path)) => format!("the log {path}"),
        Place::Log(other) => format!("a line of {}", stream(other)),
        Place::File(path) => format!("the file {path}"),
        Place::Row(row) => format!("the row {row}"),
        Place::Residue(path) => format!("dead bytes of {path}"),
        Place::Dump(command) => format!("the output of {command}"),
        Place::Page(page) => format!("the page {page}"),
        Place::Notice(Channel::Webhook) => "a call of the webhook".into(),
        Place::Notice(Channel::Mail) => "a mail".into(),
        Place::Url => "a URL".into(),
        Place::Referer => "a Referer".into(),
    }
}

pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::User => "the user",
        Cause::Security => "a security event",
        Cause::Policy => "a policy",
        Cause::CredentialRotation => "credential rotation",
        Cause::Installation => "the subject's own disconnection",
    }
}

pub(super) fn grants(grants: &[Grant]) -> String {
    match grants {
        [] => "no grant (none was live)".into(),
        [one] => format!("grant {one}"),
        many => format!("grants {}", many.iter().map(Grant::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// `access#2 (revoked)`.
pub(super) fn presented(presented: &Presentation) -> String {
    let name = presented.token.as_deref().unwrap_or("a token");
    format!("{name} ({})", token_state(presented.state))
}

fn token_state(state: TokenState) -> &'static str {
    match state {
        TokenState::Active => "good",
        TokenState::Expired => "expired",
        TokenState::Superseded => "superseded",
        TokenState::Revoked(Cause::User) => "revoked by the user",
        TokenState::Revoked(Cause::Security | Cause::Policy) => "revoked",
        TokenState::Revoked(Cause::CredentialRotation) => "ended with the old secret",
        TokenState::Revoked(Cause::Installation) => "ended by disconnection",
        TokenState::FamilyEnded => "dead, its family was ended by a replay",
        TokenState::Rejected => "rejected",
        TokenState::Used => "used before",
        TokenState::Unknown => "never issued",
    }
}

/// How a call of the API carried what token.
pub(super) fn carried(carried: Carried, token: Option<&Presentation>) -> String {
    let token = token.map_or("a token".into(), presented);
    match carried {
        Carried::Bearer => format!("with {token}"),
        Carried::EmptyBearer => "with an empty token".into(),
        Carried::Elsewhere => format!("with {token} in the query or body"),
        Carried::OtherScheme => format!("with {token} under another scheme than Bearer"),
        Carried::Nothing => "without a token".into(),
    }
}

pub(super) fn units(handed_out: &[String], delivered: &[String]) -> String {
    let counted = |units: &[String], word: &str| match units.len() {
        0 => None,
        1 => Some(format!("1 unit {word}")),
        many => Some(format!("{many} units {word}")),
    };
    match (counted(handed_out, "handed out"), counted(delivered, "delivered")) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => format!(" ({one})"),
        (Some(out), Some(done)) => format!(" ({out}, {done})"),
    }
}

pub(super) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Tokens { access, refresh, expires_in } => {
            let refresh = refresh.as_ref().map_or(", no refresh token".into(), |refresh| format!(" and {refresh}"));
            let life = expires_in.map_or(String::new(), |seconds| format!(", good for {seconds} s"));
            format!(", {access}{refresh}{life}")
        }
        Reply::Final { error, description: Some(words) } => format!(" {error} ({words}), which is final"),
        Reply::Final { error, description: None } => format!(" {error}, which is final"),
        Reply::Transient => ", a fault that says nothing of the grant".into(),
        Reply::Open { error: Some(error) } => format!(" {error}"),
        Reply::Open { error: None } | Reply::Plain => String::new(),
    }
}
