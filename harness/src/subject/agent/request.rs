//! A request before it is sent: from the manifest, a link, or a form.

use std::collections::BTreeMap;

use http::Method;
use url::{Url, form_urlencoded::Serializer};

use super::{
    AgentError,
    page::{Button, Form},
};
use crate::subject::{Bindings, manifest::HttpCall};

/// What browsers say they like.
const PAGES: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
/// What scripts on pages say they like.
const DATA: &str = "application/json, text/plain, */*";
/// Between the parts of a form with `multipart/form-data`; long enough not to stand in a field.
const BOUNDARY: &str = "----form-boundary-7MA4YWxkTrZu0gW";

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    /// A visit to an address, from a page if there is one.
    pub(super) fn get(url: Url, from: Option<&Url>) -> Self {
        let mut headers = vec![("accept".to_owned(), PAGES.to_owned())];
        headers.extend(from.and_then(|from| Some(("referer".to_owned(), referer(from, &url)?))));
        Self { method: Method::GET, url, headers, body: None }
    }

    /// What a manifest asks for.
    pub(super) fn from_call(call: &HttpCall, bindings: &Bindings) -> Result<Self, AgentError> {
        let url = parse(&bindings.fill(&call.url)?)?;
        let method = Method::from_bytes(call.method.as_bytes())
            .map_err(|error| AgentError::BadUrl { url: call.method.clone(), reason: error.to_string() })?;
        let mut own = bindings.fill_map(&call.headers)?;
        let body = match (&call.form, &call.json) {
            (Some(form), _) => {
                own.entry("content-type".into()).or_insert_with(|| "application/x-www-form-urlencoded".into());
                Some(encode(bindings.fill_map(form)?.iter().map(|(key, value)| (key.as_str(), value.as_str()))).into_bytes())
            }
            (None, Some(json)) => {
                own.entry("content-type".into()).or_insert_with(|| "application/json".into());
                Some(bindings.fill_json(json)?.to_string().into_bytes())
            }
            (None, None) => None,
        };
        let likes = if call.json.is_some() { DATA } else { PAGES };
        if !own.keys().any(|name| name.eq_ignore_ascii_case("accept")) {
            own.insert("accept".into(), likes.into());
        }
        Ok(Self { method, url, headers: own.into_iter().collect(), body })
    }

    /// A form sent with a button, its fields overridden by what was typed.
    pub(super) fn submit(form: &Form, button: Option<&Button>, typed: &BTreeMap<String, String>, from: &Url) -> Self {
        let fields = fields(form, button, typed);
        let action = button.and_then(|button| button.action.clone()).unwrap_or_else(|| form.action.clone());
        let pairs = || fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        if !button.and_then(|button| button.post).unwrap_or(form.post) {
            let mut url = action;
            url.set_query(Some(&encode(pairs())));
            return Self::get(url, Some(from));
        }
        let mut request = Self::get(action, Some(from));
        let (kind, body) = if form.multipart {
            (format!("multipart/form-data; boundary={BOUNDARY}"), multipart(pairs()))
        } else {
            ("application/x-www-form-urlencoded".to_owned(), encode(pairs()))
        };
        request.method = Method::POST;
        // Checks against forged requests compare it with the host.
        request.headers.push(("origin".into(), from.origin().ascii_serialization()));
        request.headers.push(("content-type".into(), kind));
        request.body = Some(body.into_bytes());
        request
    }

    /// The request that a redirect leads to (RFC 9110, section 15.4, as browsers do it).
    pub(super) fn redirected(&self, status: u16, url: Url) -> Self {
        let keeps = matches!(status, 307 | 308) || matches!(self.method, Method::GET | Method::HEAD);
        let same_origin = self.url.origin() == url.origin();
        let kept = |name: &str| match name {
            "content-type" | "content-length" => keeps,
            "authorization" | "cookie" => same_origin,
            _ => true,
        };
        Self {
            method: if keeps { self.method.clone() } else { Method::GET },
            url,
            headers: self.headers.iter().filter(|(name, _)| kept(&name.to_ascii_lowercase())).cloned().collect(),
            body: self.body.clone().filter(|_| keeps),
        }
    }
}

/// Reads an absolute http URL.
pub(super) fn parse(text: &str) -> Result<Url, AgentError> {
    let wrong = |reason: String| AgentError::BadUrl { url: text.to_owned(), reason };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(format!("its scheme is {other}"))),
    }
}

fn fields(form: &Form, button: Option<&Button>, typed: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut fields: Vec<_> = form
        .fields
        .iter()
        .filter_map(|field| match typed.get(&field.name).or_else(|| typed.get(&field.id)) {
            Some(text) => Some((field.name.clone(), text.clone())),
            None => field.sent.then(|| (field.name.clone(), field.value.clone())),
        })
        .collect();
    fields.extend(button.and_then(|button| Some((button.name.clone()?, button.value.clone()))));
    fields
}

fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn multipart<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let parts = pairs.map(|(name, value)| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    parts.chain([format!("--{BOUNDARY}--\r\n")]).collect()
}

/// `strict-origin-when-cross-origin`, the default of browsers.
fn referer(from: &Url, to: &Url) -> Option<String> {
    if from.origin() != to.origin() {
        return (from.scheme() == to.scheme()).then(|| format!("{}/", from.origin().ascii_serialization()));
    }
    let mut whole = from.clone();
    whole.set_fragment(None);
    Some(whole.to_string())
}
