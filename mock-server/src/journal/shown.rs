//! The journal as JSON, for readers outside. Secrets are shown by name, in whatever form they stand in a message.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Arrived, AuthorizeOutcome, Decision, Entry, Presented, TokenOutcome, What};
use crate::{vault::Vault, webhook::SECRET_PREFIX};

/// What happened, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Opened,
    Closed,
    Proxied,
    Arrived,
    Decided,
    Held,
    Released,
    GateTimedOut,
    Faulted,
    Replied,
    Read,
    ReadUnknown,
    Aborted,
    WebhookSent,
    WebhookEnded,
    Minted,
    Controlled,
    /// Lines were forgotten before they could be read.
    Lagged,
}

/// Forms are looked up by their first bytes; all that is ever minted is longer.
const START: usize = 8;

/// Shows entries. Knows the secrets that were minted up to its last [`Shower::learn`].
#[derive(Debug, Default)]
pub(crate) struct Shower {
    known: usize,
    /// Shows secrets as they are.
    open: bool,
    /// Forms of secrets and their names, by how they start.
    forms: HashMap<[u8; START], Vec<(String, String)>>,
    /// Those that are shorter than a start.
    short: Vec<(String, String)>,
}

impl Shower {
    /// One that shows secrets as they are.
    pub(crate) fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// Takes in what was minted since the last time.
    pub(crate) fn learn(&mut self, vault: &Vault) {
        if self.open {
            return;
        }
        for canary in vault.since(self.known) {
            let encoded: String = url::form_urlencoded::byte_serialize(canary.value.as_bytes()).collect();
            let strict: String = canary.value.bytes().map(percent).collect();
            let quoted = json!(canary.value).to_string();
            let mut forms = vec![canary.value.clone(), encoded.replace('+', "%20"), encoded, strict, quoted.trim_matches('"').to_owned()];
            forms.sort();
            forms.dedup();
            for form in forms {
                match form.as_bytes().first_chunk() {
                    Some(start) => self.forms.entry(*start).or_default().push((form, canary.name.clone())),
                    None => self.short.push((form, canary.name.clone())),
                }
            }
        }
        self.known = vault.count();
    }

    /// One entry.
    pub(crate) fn show(&self, entry: &Entry) -> Value {
        let mut shown = json!({"n": entry.n, "at_us": micros(entry.at), "event": event(&entry.what)});
        if let (Some(fields), Value::Object(more)) = (shown.as_object_mut(), self.details(&entry.what)) {
            fields.extend(more);
        }
        shown
    }

    fn details(&self, what: &What) -> Value {
        match what {
            What::Opened { conn, peer, local } => json!({"conn": conn, "peer": peer, "local": local}),
            What::Closed { conn, by } => json!({"conn": conn, "by": by}),
            What::Proxied { authority, outcome } => json!({"authority": authority, "outcome": outcome}),
            What::Arrived(arrived) => self.arrived(arrived),
            What::Decided { exchange, decision } => json!({"exchange": exchange, "decision": decided(decision)}),
            What::Held { exchange, gate, at } => json!({"exchange": exchange, "gate": gate, "point": at}),
            What::Released { exchange, gate, dropped } => json!({"exchange": exchange, "gate": gate, "dropped": dropped}),
            What::GateTimedOut { gate, came, wanted, dropped, story } => {
                json!({"gate": gate, "came": came, "wanted": wanted, "dropped": dropped, "story": story})
            }
            What::Faulted { exchange, rule, fate } => json!({"exchange": exchange, "rule": rule, "fate": fate}),
            What::Replied(replied) => json!({
                "exchange": replied.exchange,
                "status": replied.status,
                "headers": self.headers(&replied.headers),
                "body": self.text(&replied.body),
            }),
            What::Read { exchange } | What::ReadUnknown { exchange } => json!({"exchange": exchange}),
            What::Aborted { exchange, by, written } => json!({"exchange": exchange, "by": by, "written": written}),
            What::WebhookSent(sent) => json!({
                "delivery": sent.delivery,
                "subscription": sent.subscription,
                "event_type": sent.event_type,
                "event_id": sent.event_id,
                "units": sent.units,
                "url": self.named(&sent.url),
                "headers": self.headers(&sent.headers),
                "body": self.text(&sent.body),
            }),
            What::WebhookEnded { delivery, end } => json!({"delivery": delivery, "end": end}),
            What::Minted { name } => json!({"name": name}),
            What::Controlled(action) => json!({"did": action}),
        }
    }

    fn arrived(&self, arrived: &Arrived) -> Value {
        json!({
            "exchange": arrived.exchange,
            "conn": arrived.conn,
            "began_us": micros(arrived.began),
            "endpoint": arrived.endpoint,
            "method": arrived.method,
            "host": arrived.host,
            "path": self.named(&arrived.path),
            "query": arrived.query.as_deref().map(|query| self.named(query)),
            "headers": self.headers(&arrived.headers),
            "body": self.text(&arrived.body),
            "presented": arrived.presented.as_ref().map(presented),
        })
    }

    fn headers(&self, headers: &[(String, String)]) -> Vec<Value> {
        headers.iter().map(|(name, value)| json!([name, self.header(name, value)])).collect()
    }

    /// Basic credentials are taken apart: they hide their secret from a search, and one that was configured has no name.
    pub(crate) fn header(&self, name: &str, value: &str) -> String {
        if self.open {
            return value.to_owned();
        }
        use base64::Engine as _;
        let decoded = || {
            let (scheme, credentials) = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))?;
            let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(credentials.trim()).ok()?).ok()?;
            let (id, secret) = text.split_once(':')?;
            let named = self.named(secret);
            let secret = if named == secret && !secret.is_empty() { "(a secret)".to_owned() } else { named };
            Some(format!("{scheme} {id}:{secret}"))
        };
        match name {
            "authorization" => decoded().unwrap_or_else(|| self.named(value)),
            _ => self.named(value),
        }
    }

    /// A body.
    pub(crate) fn text(&self, body: &[u8]) -> String {
        if self.open {
            return String::from_utf8_lossy(body).into_owned();
        }
        let named = unsigned(self.named(&String::from_utf8_lossy(body)));
        let hidden = |pair: &str| match pair.split_once('=') {
            Some(("client_secret", value)) if !value.is_empty() && !value.contains('#') => "client_secret=(a secret)".to_owned(),
            _ => pair.to_owned(),
        };
        if named.contains("client_secret=") { named.split('&').map(hidden).collect::<Vec<_>>().join("&") } else { named }
    }

    /// Text with the names of secrets in place of them.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut done, mut at) = (0, 0);
        while let Some(start) = text.as_bytes().get(at..).and_then(<[u8]>::first_chunk) {
            match self.found(start, &text.as_bytes()[at..]) {
                Some((form, name)) => {
                    // Forms are ASCII, so that both ends are where characters end.
                    out.push_str(text.get(done..at).unwrap_or_default());
                    out.push_str(name);
                    at += form.len();
                    done = at;
                }
                None => at += 1,
            }
        }
        out.push_str(text.get(done..).unwrap_or_default());
        self.short.iter().fold(out, |out, (form, name)| if out.contains(form.as_str()) { out.replace(form.as_str(), name) } else { out })
    }

    /// The longest form of a secret that stands at the beginning.
    fn found(&self, start: &[u8; START], text: &[u8]) -> Option<&(String, String)> {
        let there = self.forms.get(start)?.iter().filter(|(form, _)| text.starts_with(form.as_bytes()));
        there.max_by_key(|(form, _)| form.len())
    }
}

/// Text without the secrets that webhooks are signed with, which are no canaries.
fn unsigned(text: String) -> String {
    let mut pieces = text.split(SECRET_PREFIX);
    let Some(first) = pieces.next().filter(|first| first.len() < text.len()) else { return text };
    let rest = pieces.map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+/=".contains(c)));
    rest.fold(first.to_owned(), |shown, piece| format!("{shown}{SECRET_PREFIX}(a secret){piece}"))
}

fn event(what: &What) -> Event {
    match what {
        What::Opened { .. } => Event::Opened,
        What::Closed { .. } => Event::Closed,
        What::Proxied { .. } => Event::Proxied,
        What::Arrived(_) => Event::Arrived,
        What::Decided { .. } => Event::Decided,
        What::Held { .. } => Event::Held,
        What::Released { .. } => Event::Released,
        What::GateTimedOut { .. } => Event::GateTimedOut,
        What::Faulted { .. } => Event::Faulted,
        What::Replied(_) => Event::Replied,
        What::Read { .. } => Event::Read,
        What::ReadUnknown { .. } => Event::ReadUnknown,
        What::Aborted { .. } => Event::Aborted,
        What::WebhookSent(_) => Event::WebhookSent,
        What::WebhookEnded { .. } => Event::WebhookEnded,
        What::Minted { .. } => Event::Minted,
        What::Controlled(_) => Event::Controlled,
    }
}

fn decided(decision: &Decision) -> Value {
    match decision {
        Decision::Token { grant_type, auth, presented: shown, outcome } => json!({
            "kind": "token",
            "grant_type": grant_type,
            "auth": auth,
            "presented": shown.as_ref().map(presented),
            "outcome": match outcome {
                TokenOutcome::Issued { grant, access, refresh } => json!({"issued": {"grant": grant, "access": access, "refresh": refresh}}),
                TokenOutcome::Refused { error, status } => json!({"refused": {"error": error, "status": status}}),
            },
        }),
        Decision::Authorize { outcome } => json!({
            "kind": "authorize",
            "outcome": match outcome {
                AuthorizeOutcome::Page => json!("page"),
                AuthorizeOutcome::Code { name, grant } => json!({"code": name, "grant": grant}),
                AuthorizeOutcome::Sent(error) => json!({"sent": error}),
                AuthorizeOutcome::Shown(reason) => json!({"shown": reason}),
            },
        }),
        Decision::Introspect { presented: shown, active } => {
            json!({"kind": "introspect", "presented": shown.as_ref().map(presented), "active": active})
        }
        Decision::Api { presented: shown, carried, status, handed_out, delivered, documented } => json!({
            "kind": "api",
            "presented": shown.as_ref().map(presented),
            "carried": carried,
            "status": status,
            "handed_out": handed_out,
            "delivered": delivered,
            "documented": documented,
        }),
        Decision::Unknown => json!({"kind": "unknown"}),
    }
}

fn presented(presented: &Presented) -> Value {
    json!({"name": presented.name, "grant": presented.grant, "state": presented.state})
}

fn micros(at: super::At) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}

/// Percent-encoded unless unreserved (RFC 3986 section 2.3).
fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

#[cfg(test)]
mod tests {
    use regrant_authority::{GrantId, Kind};

    use super::*;

    fn shower() -> Shower {
        let mut vault = Vault::default();
        vault.enter(Kind::Refresh, Some(GrantId(1)), "abc+/ \"def=".into());
        vault.enter(Kind::Secret, None, "s3cret".into());
        let mut shower = Shower::default();
        shower.learn(&vault);
        shower
    }

    #[test]
    fn a_secret_is_shown_by_name_in_every_form() {
        let shower = shower();
        for form in ["abc+/ \"def=", "abc%2B%2F+%22def%3D", "abc%2B%2F%20%22def%3D", "abc+/ \\\"def="] {
            assert_eq!(shower.named(&format!("<{form}>")), "<refresh#1>", "{form}");
        }
    }

    #[test]
    fn what_webhooks_are_signed_with_is_not_shown() {
        let shown = shower().text(br#"{"secretKey":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS+/w==","b":1}"#);
        assert_eq!(shown, r#"{"secretKey":"whsec_(a secret)","b":1}"#);
        assert_eq!(shower().text(b"no secret, not even whse_"), "no secret, not even whse_");
    }

    #[test]
    fn basic_credentials_never_show_their_secret() {
        let basic = |text: &str| {
            use base64::Engine as _;
            shower().header("authorization", &format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text)))
        };
        assert_eq!(basic("id:s3cret"), "Basic id:secret#1");
        assert_eq!(basic("id:configured"), "Basic id:(a secret)");
        assert_eq!(shower().text(b"client_secret=configured&x=1"), "client_secret=(a secret)&x=1");
        assert_eq!(shower().text(b"x=1&client_secret=s3cret"), "x=1&client_secret=secret#1");
    }
}
