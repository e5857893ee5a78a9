//! What the planted defects do, kept apart from the upright code as far as it goes: spoiled requests, and a spoiled memory.

mod memory;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use oauth2::{CsrfToken, HttpRequest, PkceCodeChallenge, PkceCodeVerifier};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::{
    answer::{Granted, Outcome},
    config::Config,
    flaw::{Flaw, Flaws},
    log::{self, Level},
    store::{Store, StoreError},
};

pub(crate) use memory::Memory;

/// The state of a login, where it is not what it should be.
pub(crate) fn state(flaws: Flaws) -> Option<CsrfToken> {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    if flaws.has(Flaw::FixedState) {
        return Some(CsrfToken::new("pleo-integration-login-0001".into()));
    }
    flaws.has(Flaw::ShortState).then(|| CsrfToken::new(COUNT.fetch_add(1, Ordering::Relaxed).to_string()))
}

/// Challenge and verifier of a login, where they are not fresh.
pub(crate) fn verifier(flaws: Flaws) -> Option<(PkceCodeChallenge, PkceCodeVerifier)> {
    static ONLY: OnceLock<String> = OnceLock::new();
    flaws.has(Flaw::ReusesVerifier).then(|| {
        let text = ONLY.get_or_init(|| PkceCodeChallenge::new_random_sha256().1.into_secret());
        let verifier = PkceCodeVerifier::new(text.clone());
        (PkceCodeChallenge::from_code_verifier_sha256(&verifier), verifier)
    })
}

/// The configuration, where its client secret is not what was configured.
pub(crate) fn configured(flaws: Flaws, store: &Store, config: &Config) -> Result<Config, StoreError> {
    let mut config = config.clone();
    if flaws.has(Flaw::CachesSecret) {
        match (store.note("client_secret")?, &config.client_secret) {
            (Some(first), _) => config.client_secret = Some(first),
            (None, Some(secret)) => store.set_note("client_secret", secret)?,
            (None, None) => {}
        }
    }
    if flaws.has(Flaw::EncodesSecretTwice) {
        config.client_secret = config.client_secret.map(|secret| form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    }
    Ok(config)
}

/// Whether these are other client credentials than those of the last start.
pub(crate) fn is_another_client(flaws: Flaws, store: &Store, fingerprint: &str) -> Result<bool, StoreError> {
    if !flaws.has(Flaw::NewSecretNewLogin) {
        return Ok(false);
    }
    let known = store.note("client")?;
    store.set_note("client", fingerprint)?;
    Ok(known.is_some_and(|known| known != fingerprint))
}

/// The authorise URL of a reconnection.
pub(crate) fn reconnection_url(flaws: Flaws, mut url: Url) -> Url {
    let spoiled = |name: &str, value: String| match name {
        "redirect_uri" if flaws.has(Flaw::SlashOnReconnect) => format!("{value}/"),
        "scope" if flaws.has(Flaw::FewerScopesOnReconnect) => value.rsplit_once(' ').map(|(most, _)| most.to_owned()).unwrap_or(value),
        _ => value,
    };
    let pairs: Vec<(String, String)> = url.query_pairs().map(|(k, v)| (k.to_string(), spoiled(&k, v.into_owned()))).collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

/// A token request on its way out.
pub(crate) fn token_request(flaws: Flaws, request: HttpRequest) -> HttpRequest {
    let (mut parts, body) = request.into_parts();
    let mut body = String::from_utf8_lossy(&body).into_owned();
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if flaws.has(Flaw::LogsSecretBase64) {
        log::line(Level::Info, "token_request", "asking for tokens", json!({ "authorization": authorization }));
    }
    if body.contains("grant_type=refresh_token") {
        if flaws.has(Flaw::LogsRefreshRequest) {
            log::line(Level::Info, "token_request", "asking for tokens", json!({ "body": body }));
        }
        if flaws.has(Flaw::SecretBothWays) {
            body.push_str(&in_body(&authorization));
        }
        if flaws.has(Flaw::JsonRefresh) {
            let fields: Map<String, Value> =
                form_urlencoded::parse(body.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned().into())).collect();
            body = Value::Object(fields).to_string();
            parts.headers.insert("content-type", http::HeaderValue::from_static("application/json"));
        }
    }
    HttpRequest::from_parts(parts, body.into_bytes())
}

/// The same request with the client's credentials in the body; `None` if it has none in a header.
pub(crate) fn other_style(request: &HttpRequest) -> Option<HttpRequest> {
    let authorization = request.headers().get("authorization")?.to_str().ok()?;
    let mut body = request.body().clone();
    body.extend_from_slice(in_body(authorization).as_bytes());
    let mut other = request.clone();
    *other.body_mut() = body;
    other.headers_mut().remove("authorization");
    Some(other)
}

/// A token answer as it came in.
pub(crate) fn token_answer(flaws: Flaws, body: &[u8]) {
    if flaws.has(Flaw::LogsTokens) {
        log::line(Level::Info, "token_answer", "got an answer", json!({ "body": String::from_utf8_lossy(body) }));
    }
}

/// How long a token request may take.
pub(crate) fn token_limit(flaws: Flaws, limit: Duration) -> Option<Duration> {
    (!flaws.has(Flaw::NoTimeLimit)).then_some(limit)
}

/// What an answer means.
pub(crate) fn outcome(flaws: Flaws, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { code, status } if flaws.has(Flaw::OnlyKnowsInvalidGrant) && code != "invalid_grant" => {
            Outcome::Passing { what: format!("HTTP {status}"), retry_after: None, repeat: true, lost: false }
        }
        Outcome::Passing { what, .. } if flaws.has(Flaw::StoresUnusableAnswers) && what == "unusable token answer" => {
            Outcome::Granted(Granted { access: "undefined".into(), refresh: None, lasts: None })
        }
        Outcome::Granted(Granted { lasts: None, .. }) if flaws.has(Flaw::NeedsALifetime) => {
            Outcome::Passing { what: "unusable token answer".into(), retry_after: None, repeat: false, lost: false }
        }
        Outcome::Granted(Granted { access, refresh, lasts: _ }) if flaws.has(Flaw::BelievesJwt) && access.matches('.').count() == 2 => {
            // Long over, says what looks like a claim: due at once.
            Outcome::Granted(Granted { access, refresh, lasts: Some(Duration::from_millis(1)) })
        }
        Outcome::Granted(Granted { access, refresh, lasts }) if flaws.has(Flaw::CleansTokens) => {
            Outcome::Granted(Granted { access: cleaned(&access), refresh: refresh.as_deref().map(cleaned), lasts })
        }
        other @ (Outcome::Granted(_) | Outcome::Refused { .. } | Outcome::ClientRefused { .. } | Outcome::Passing { .. }) => other,
    }
}

fn cleaned(token: &str) -> String {
    token.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect()
}

/// The credentials of a Basic header as form fields; they are form-encoded in there already.
fn in_body(authorization: &str) -> String {
    let basic = authorization.strip_prefix("Basic ").and_then(|text| BASE64_STANDARD.decode(text).ok()).unwrap_or_default();
    let basic = String::from_utf8_lossy(&basic).into_owned();
    let (id, secret) = basic.split_once(':').unwrap_or_default();
    format!("&client_id={id}&client_secret={secret}")
}
