//! What a request holds, read as leniently as a subject may write it.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose};
use regrant_mock_server::journal::{Arrived, AuthStyle, Carried, Endpoint};

/// Longer names of query parameters are somebody's value.
const LONGEST_NAME: usize = 40;

/// The parameters of a request, from body and query; where one stands twice, the first counts. Empty values count as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn add(&mut self, name: String, value: String) {
        self.0.entry(name).or_insert(value);
    }
}

pub(super) fn parameters(arrived: &Arrived) -> Parameters {
    let mut all = Parameters::default();
    // The authorise endpoint is asked by query, the token endpoint by body.
    let sources = match arrived.endpoint {
        Endpoint::Authorize => [Source::Query, Source::Body],
        Endpoint::Token | Endpoint::Introspect => [Source::Body, Source::Query],
        Endpoint::Api | Endpoint::Unknown => return all,
    };
    for source in sources {
        match source {
            Source::Query => form(arrived.query.as_deref().unwrap_or_default().as_bytes(), &mut all),
            Source::Body if content_type(arrived).is_some_and(|t| t.ends_with("json")) => json(&arrived.body, &mut all),
            Source::Body => form(&arrived.body, &mut all),
        }
    }
    all
}

enum Source {
    Query,
    Body,
}

fn form(text: &[u8], all: &mut Parameters) {
    for (name, value) in url::form_urlencoded::parse(text) {
        all.add(name.into_owned(), value.into_owned());
    }
}

fn json(body: &[u8], all: &mut Parameters) {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_slice(body) else { return };
    for (name, value) in map {
        if let serde_json::Value::String(value) = value {
            all.add(name, value);
        }
    }
}

pub(super) fn header<'a>(arrived: &'a Arrived, name: &str) -> Option<&'a str> {
    arrived.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// `Content-Type` without parameters.
pub(super) fn content_type(arrived: &Arrived) -> Option<String> {
    let value = header(arrived, "content-type")?;
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!kind.is_empty()).then_some(kind)
}

/// The path, and the names of the query's parameters.
pub(super) fn path_and_names(arrived: &Arrived) -> String {
    let Some(query) = arrived.query.as_deref().filter(|q| !q.is_empty()) else { return arrived.path.clone() };
    let names: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.len() <= LONGEST_NAME => format!("{name}="),
            None if pair.len() <= LONGEST_NAME => pair.to_owned(),
            Some(_) | None => "…".to_owned(),
        })
        .collect();
    format!("{}?{}", arrived.path, names.join("&"))
}

/// Path and query as sent, but for what belongs into an authorise request: with the method `plain` the challenge is the verifier.
pub(super) fn searched_url(arrived: &Arrived) -> Vec<u8> {
    let query = arrived.query.as_deref().unwrap_or_default();
    let belongs =
        |pair: &&str| arrived.endpoint == Endpoint::Authorize && (pair.starts_with("state=") || pair.starts_with("code_challenge="));
    let rest: Vec<&str> = query.split('&').filter(|pair| !belongs(pair)).collect();
    format!("{}?{}", arrived.path, rest.join("&")).into_bytes()
}

/// Values that may be the client secret, most likely first: from `Basic` (form-decoded, raw), from the body.
pub(super) fn secrets(arrived: &Arrived, parameters: &Parameters) -> Vec<String> {
    let basic = header(arrived, "authorization").and_then(basic_password);
    let decoded = basic.as_deref().map(form_decode);
    [decoded, basic, parameters.get("client_secret").map(str::to_owned)].into_iter().flatten().collect()
}

/// How the client authenticates itself, as far as it can be told without knowing its secret.
pub(super) fn auth_style(arrived: &Arrived, parameters: &Parameters) -> AuthStyle {
    let body = parameters.get("client_secret").is_some();
    match (header(arrived, "authorization"), body) {
        (Some(_), true) => AuthStyle::Both,
        (Some(value), false) if basic_password(value).is_some() => AuthStyle::Basic,
        (Some(_), false) => AuthStyle::Malformed,
        (None, true) => AuthStyle::Body,
        (None, false) => AuthStyle::None,
    }
}

/// How a token is carried to the API, as far as it can be told without knowing the token.
pub(super) fn carried(arrived: &Arrived) -> Carried {
    let scheme = header(arrived, "authorization").map(|value| value.trim().split_once(' ').unwrap_or((value.trim(), "")));
    match scheme {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => match token.trim() {
            "" | "undefined" | "null" | "None" => Carried::EmptyBearer,
            _ => Carried::Bearer,
        },
        Some(_) => Carried::OtherScheme,
        None if arrived.presented.is_some() => Carried::Elsewhere,
        None => Carried::Nothing,
    }
}

fn basic_password(header: &str) -> Option<String> {
    let (scheme, credential) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credential = credential.trim().trim_end_matches('=');
    let bytes =
        general_purpose::STANDARD_NO_PAD.decode(credential).or_else(|_| general_purpose::URL_SAFE_NO_PAD.decode(credential)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

fn form_decode(value: &str) -> String {
    // An equals sign in front keeps the whole value one value, whatever stands in it.
    let pair = format!("={}", value.replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}

/// The export job whose progress a request reports, and the word for it.
pub(super) fn job_report(arrived: &Arrived) -> Option<(String, String)> {
    if arrived.method != "POST" || arrived.path != "/v3/export-job-events" {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(&arrived.body).ok()?;
    Some((body.get("jobId")?.as_str()?.to_owned(), body.get("event")?.as_str()?.to_owned()))
}
