//! The journal as an HTTP archive (HAR 1.2), which browsers' tools and many others read.

use std::collections::HashMap;

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    clock::{Clock, iso_millis},
    journal::{Arrived, At, Entry, Exchange, Replied, Shower, Side, What},
};

/// An HTTP archive.
#[derive(ToSchema)]
#[schema(as = HttpArchive)]
#[allow(dead_code, reason = "it only describes what is built below")]
pub(super) struct Archive {
    log: Log,
}

/// What an archive holds.
#[derive(ToSchema)]
#[schema(as = HttpArchiveLog)]
#[allow(dead_code, reason = "it only describes what is built below")]
pub(super) struct Log {
    #[schema(examples("1.2"))]
    version: String,
    #[schema(value_type = Object)]
    creator: Value,
    /// One per request that arrived, in that order. A request without a reply has status 0, and a comment that says why.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
}

/// How an exchange ended, if it did.
enum Ending<'e> {
    Replied(At, &'e Replied),
    Aborted(At, Side),
    Open,
}

/// All exchanges whose request is among the entries.
pub(super) fn archive(entries: &[Entry], shower: &Shower, clock: &Clock, base: &str) -> Value {
    let mut endings: HashMap<Exchange, Ending<'_>> = HashMap::new();
    for entry in entries {
        match &entry.what {
            What::Replied(replied) => drop(endings.insert(replied.exchange, Ending::Replied(entry.at, replied))),
            What::Aborted { exchange, by, .. } => drop(endings.insert(*exchange, Ending::Aborted(entry.at, *by))),
            _ => {}
        }
    }
    let writer = Writer { shower, clock, base };
    let arrived =
        entries.iter().filter_map(|entry| if let What::Arrived(arrived) = &entry.what { Some((entry.at, arrived)) } else { None });
    let shown: Vec<Value> =
        arrived.map(|(at, arrived)| writer.entry(at, arrived, endings.get(&arrived.exchange).unwrap_or(&Ending::Open))).collect();
    json!({"log": {
        "version": "1.2",
        "creator": {"name": "regrant", "version": env!("CARGO_PKG_VERSION")},
        "entries": shown,
    }})
}

struct Writer<'a> {
    shower: &'a Shower,
    clock: &'a Clock,
    base: &'a str,
}

impl Writer<'_> {
    fn entry(&self, at: At, arrived: &Arrived, ending: &Ending<'_>) -> Value {
        let receive = millis(at, arrived.began);
        let (response, wait) = match ending {
            Ending::Replied(replied_at, replied) => (self.response(replied), millis(*replied_at, at)),
            Ending::Aborted(aborted_at, by) => {
                let by = match by {
                    Side::Peer => "the client",
                    Side::Provider => "the provider",
                };
                (none(&format!("ended by {by} before a reply was written")), millis(*aborted_at, at))
            }
            Ending::Open => (none("not answered yet"), 0.0),
        };
        json!({
            "startedDateTime": iso_millis(self.clock.wall(arrived.began)),
            "time": receive + wait,
            "request": self.request(arrived),
            "response": response,
            "cache": {},
            "timings": {"send": receive, "wait": wait, "receive": 0},
            "connection": arrived.conn.to_string(),
            "comment": format!("exchange {}", arrived.exchange),
        })
    }

    fn request(&self, arrived: &Arrived) -> Value {
        let query = arrived.query.as_deref().map(|query| self.shower.named(query));
        let url = match &query {
            Some(query) => format!("{}{}?{query}", self.base, self.shower.named(&arrived.path)),
            None => format!("{}{}", self.base, self.shower.named(&arrived.path)),
        };
        let mut shown = json!({
            "method": arrived.method,
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": self.headers(&arrived.headers),
            "queryString": query.as_deref().map(pairs).unwrap_or_default(),
            "headersSize": -1,
            "bodySize": arrived.body.len(),
        });
        if let (false, Some(fields)) = (arrived.body.is_empty(), shown.as_object_mut()) {
            let text = self.shower.text(&arrived.body);
            let kind = first(&arrived.headers, "content-type");
            let params = if kind.starts_with("application/x-www-form-urlencoded") { pairs(&text) } else { Vec::new() };
            fields.insert("postData".into(), json!({"mimeType": kind, "params": params, "text": text}));
        }
        shown
    }

    fn response(&self, replied: &Replied) -> Value {
        let reason = axum::http::StatusCode::from_u16(replied.status).ok().and_then(|status| status.canonical_reason());
        json!({
            "status": replied.status,
            "statusText": reason.unwrap_or_default(),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": self.headers(&replied.headers),
            "content": {
                "size": replied.body.len(),
                "mimeType": first(&replied.headers, "content-type"),
                "text": self.shower.text(&replied.body),
            },
            "redirectURL": self.shower.named(first(&replied.headers, "location")),
            "headersSize": -1,
            "bodySize": replied.body.len(),
        })
    }

    fn headers(&self, headers: &[(String, String)]) -> Vec<Value> {
        headers.iter().map(|(name, value)| json!({"name": name, "value": self.shower.header(name, value)})).collect()
    }
}

fn none(why: &str) -> Value {
    json!({
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": ""},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "comment": why,
    })
}

fn first<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// Names and values of a form or a query.
fn pairs(text: &str) -> Vec<Value> {
    url::form_urlencoded::parse(text.as_bytes()).map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn millis(later: At, earlier: At) -> f64 {
    later.saturating_sub(earlier).as_secs_f64() * 1000.0
}
