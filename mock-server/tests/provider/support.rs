//! A provider to test, and a client whose every byte is ours.

use std::time::Duration;

use regrant_mock_server::{
    Control, Provider, ProviderConfig,
    fault::{Fate, Match, Point, Rule},
    journal::{Decision, Endpoint, Entry, Exchange, TokenOutcome, What},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Nothing here takes longer unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn provider() -> Provider {
    provider_with(|_| {}).await
}

pub(crate) async fn provider_with(change: impl FnOnce(&mut ProviderConfig)) -> Provider {
    let mut config = ProviderConfig::local(4711);
    change(&mut config);
    Provider::start(config).await.expect("it starts")
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let wanted = format!("{}:", name.to_ascii_lowercase());
        self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&wanted)).map(|line| line[wanted.len()..].trim().to_owned())
    }
}

/// A connection over which requests are written by hand.
pub(crate) struct Raw {
    pub(crate) tcp: TcpStream,
}

impl Raw {
    pub(crate) async fn open(provider: &Provider) -> Self {
        let url = &provider.urls().api;
        let address = url.split_once("//").expect("a URL").1;
        Self { tcp: TcpStream::connect(address).await.expect("connected") }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.tcp.write_all(text.as_bytes()).await.expect("sent");
    }

    pub(crate) async fn receive(&mut self) -> Answer {
        self.try_receive().await.expect("an answer")
    }

    /// `None` if the connection ended before a whole answer was there.
    pub(crate) async fn try_receive(&mut self) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.answer()).await.expect("in time")
    }

    async fn answer(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            bytes.push(self.tcp.read_u8().await.ok()?);
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.tcp.read_exact(&mut body).await.ok()?;
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Some(answer)
    }

    pub(crate) async fn try_ask(&mut self, text: &str) -> Option<Answer> {
        self.send(text).await;
        self.try_receive().await
    }

    pub(crate) async fn ask(&mut self, text: &str) -> Answer {
        self.send(text).await;
        self.receive().await
    }
}

/// One request on a connection of its own.
pub(crate) async fn once(provider: &Provider, text: &str) -> Answer {
    Raw::open(provider).await.ask(text).await
}

pub(crate) fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
}

pub(crate) fn with_body(method: &str, path: &str, token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> String {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let body = body.finish();
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub(crate) fn refresh(provider: &Provider, refresh_token: &str) -> String {
    let (id, secret) = provider.client();
    let secret = secret.unwrap_or_default();
    form(
        "/oauth/token",
        &[("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", &id), ("client_secret", &secret)],
    )
}

/// The verifier and challenge of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) fn authorize(provider: &Provider, scope: &str) -> String {
    let (id, _) = provider.client();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", &id),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        ("state", "a state & more"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    if !scope.is_empty() {
        query.append_pair("scope", scope);
    }
    format!("GET /oauth/authorize?{} HTTP/1.1\r\nHost: x\r\n\r\n", query.finish())
}

/// A parameter of the redirect's location.
pub(crate) fn redirected(answer: &Answer, name: &str) -> Option<String> {
    let location = url::Url::parse(&answer.header("location").expect("a location")).expect("a URL");
    location.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// A pair of tokens.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

pub(crate) fn tokens(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token") }
}

pub(crate) fn exchange(provider: &Provider, code: &str) -> String {
    let (id, secret) = provider.client();
    form(
        "/oauth/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "http://127.0.0.1:9/callback"),
            ("code_verifier", VERIFIER),
            ("client_id", &id),
            ("client_secret", secret.as_deref().unwrap_or_default()),
        ],
    )
}

/// Goes through consent and exchange.
pub(crate) async fn connect_for(provider: &Provider, scope: &str) -> Tokens {
    let sent_back = once(provider, &authorize(provider, scope)).await;
    assert_eq!(sent_back.status, 302, "{sent_back:?}");
    let code = redirected(&sent_back, "code").expect("a code");
    tokens(&once(provider, &exchange(provider, &code)).await)
}

pub(crate) async fn connect(provider: &Provider) -> Tokens {
    connect_for(provider, "").await
}

/// Waits for a line of the journal, from its beginning.
pub(crate) async fn until(control: &Control, what: impl Fn(&Entry) -> bool) -> Entry {
    let mut lines = control.follow();
    let found = async {
        loop {
            let entry = lines.recv().await.expect("the journal goes on");
            if what(&entry) {
                return entry;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("it never came; so far: {:#?}", control.journal()))
}

pub(crate) fn read_of(exchange: Exchange) -> impl Fn(&Entry) -> bool {
    move |entry| matches!(entry.what, What::Read { exchange: read } if read == exchange)
}

pub(crate) fn replied_to(exchange: Exchange) -> impl Fn(&Entry) -> bool {
    move |entry| matches!(&entry.what, What::Replied(reply) if reply.exchange == exchange)
}

/// The number of the last request that arrived.
pub(crate) fn last_exchange(control: &Control) -> Exchange {
    let arrived = |entry: &Entry| if let What::Arrived(arrived) = &entry.what { Some(arrived.exchange) } else { None };
    control.journal().iter().rev().find_map(arrived).expect("a request")
}

pub(crate) fn decision(control: &Control, exchange: Exchange) -> Option<Decision> {
    control.journal().into_iter().find_map(|entry| match entry.what {
        What::Decided { exchange: decided, decision } if decided == exchange => Some(decision),
        _ => None,
    })
}

/// How many token requests were granted.
pub(crate) fn issued(control: &Control) -> usize {
    let granted =
        |entry: &Entry| matches!(&entry.what, What::Decided { decision: Decision::Token { outcome: TokenOutcome::Issued { .. }, .. }, .. });
    control.journal().iter().filter(|entry| granted(entry)).count()
}

/// A rule for the first refresh from now on.
pub(crate) fn first_refresh(at: Point, fate: Fate) -> Rule {
    let on = Match { endpoint: Some(Endpoint::Token), grant: Some("refresh_token".into()), nth: Some(1), ..Match::default() };
    Rule { on, at, fate, until: None }
}
