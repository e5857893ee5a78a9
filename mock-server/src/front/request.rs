//! Requests as the handlers see them.

use std::{collections::HashSet, sync::Arc};

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use regrant_authority::ClientAuth;

use crate::{fault::Facets, journal::Endpoint};

/// A request that was read whole.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The host asked for, as sent; empty if none was.
    pub(crate) host: String,
    /// The resource API of the environment asked for.
    pub(crate) audience: &'static str,
    pub(crate) query: Option<String>,
    /// Shared with the journal.
    pub(crate) headers: Arc<[(String, String)]>,
    pub(crate) body: Bytes,
    pub(crate) parameters: Parameters,
    pub(crate) form: Parameters,
    grant: Option<String>,
}

impl Request {
    pub(crate) fn new(method: String, target: &str, headers: Vec<(String, String)>, body: Bytes) -> Self {
        let (path, query) = split(target);
        let parameters = Parameters::parse(query.as_deref().unwrap_or_default().as_bytes());
        let is_form = headers.iter().any(|(name, value)| name == "content-type" && is_form(value));
        let form = if is_form { Parameters::parse(&body) } else { Parameters::default() };
        let grant = form.get("grant_type").map(str::to_owned);
        let host = headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone()).unwrap_or_default();
        let (endpoint, headers) = (endpoint(&path), headers.into());
        Self { endpoint, method, path, host, audience: AUDIENCE, query, headers, body, parameters, form, grant }
    }

    /// Takes the request as one for another path, below which a tenant stands.
    pub(crate) fn move_to(&mut self, path: String) {
        self.endpoint = endpoint(&path);
        self.path = path;
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_form(&self) -> bool {
        self.header("content-type").is_some_and(is_form)
    }

    /// A read by its method, or a search, which Pleo spells as a `POST`.
    pub(crate) fn only_looks(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD") || self.method == "POST" && self.path.ends_with(":search")
    }

    /// What rules can match.
    pub(crate) fn facets(&self) -> Facets<'_> {
        Facets { endpoint: self.endpoint, grant: self.grant.as_deref(), path: &self.path, method: &self.method }
    }

    /// How the client says who it is (RFC 6749 section 2.3.1).
    pub(crate) fn client_auth(&self) -> ClientAuth {
        let (id, secret) = (self.form.get("client_id"), self.form.get("client_secret"));
        let Some(header) = self.header("authorization") else {
            return match (id, secret) {
                (id, Some(secret)) => ClientAuth::Body { id: id.unwrap_or_default().to_owned(), secret: secret.to_owned() },
                (id, None) => ClientAuth::None { id: id.map(str::to_owned) },
            };
        };
        let Some((raw_id, raw_secret)) = basic(header) else { return ClientAuth::Malformed };
        let decoded = (form_decoded(&raw_id), form_decoded(&raw_secret));
        if secret.is_some() || id.is_some_and(|id| id != decoded.0 && id != raw_id) {
            return ClientAuth::Both;
        }
        ClientAuth::Basic { decoded, raw: (raw_id, raw_secret) }
    }
}

/// The resource API of Pleo, as its introspection names it.
const AUDIENCE: &str = "https://external.pleo.io";
const FORM: &str = "application/x-www-form-urlencoded";

fn is_form(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
}

/// Path and query; a whole URL, as sent to a proxy, is shortened first.
fn split(target: &str) -> (String, Option<String>) {
    let target = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => target,
    };
    match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    }
}

/// The part of the provider that a path leads to.
pub(super) fn endpoint(path: &str) -> Endpoint {
    match path {
        "/oauth/authorize" => Endpoint::Authorize,
        "/oauth/token" => Endpoint::Token,
        "/oauth/token/introspect" => Endpoint::Introspect,
        other if other.strip_prefix("/v").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) => Endpoint::Api,
        _ => Endpoint::Unknown,
    }
}

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Id and secret as they stand in a Basic header, not form-decoded.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// One value, decoded as in a form.
fn form_decoded(value: &str) -> String {
    if !value.contains(['%', '+']) {
        return value.to_owned();
    }
    // An `&` or `=` that was not encoded belongs to the value here: there is only one.
    let whole = value.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(format!("v={whole}").as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The parameters of a query or a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    malformed: bool,
}

impl Parameters {
    fn parse(bytes: &[u8]) -> Self {
        Self { pairs: url::form_urlencoded::parse(bytes).into_owned().collect(), malformed: !is_well_formed(bytes) }
    }

    /// An escape that is none, or what is no UTF-8 (RFC 6749 appendix B); read leniently all the same.
    pub(crate) fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// The first value of that name; an empty one counts as absent (RFC 6749 section 3.1 and 3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// `get`, owned.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// All values of that name, those separated by commas too.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let values = self.pairs.iter().filter(|(n, _)| n == name).flat_map(|(_, value)| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    /// The first name that stands twice.
    pub(crate) fn repeated(&self) -> Option<String> {
        let mut seen = HashSet::with_capacity(self.pairs.len());
        self.pairs.iter().find(|(name, _)| !seen.insert(name)).map(|(name, _)| name.clone())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Whether every `%` begins an escape and all of it is UTF-8 once decoded.
fn is_well_formed(bytes: &[u8]) -> bool {
    let hex = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            (b'%', ..) => return false,
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(authorization: &str, form: &str) -> ClientAuth {
        let headers = vec![("authorization".into(), authorization.into()), ("content-type".into(), format!("{FORM}; charset=utf-8"))];
        Request::new("POST".into(), "/oauth/token", headers, Bytes::copy_from_slice(form.as_bytes())).client_auth()
    }

    fn pair(id: &str, secret: &str) -> (String, String) {
        (id.to_owned(), secret.to_owned())
    }

    #[test]
    fn a_basic_header_is_read_in_both_ways() {
        let header = format!("basic {}", base64::engine::general_purpose::STANDARD.encode("my%20id:a+b%3A%2fc:&="));
        assert_eq!(with(&header, ""), ClientAuth::Basic { decoded: pair("my id", "a b:/c:&="), raw: pair("my%20id", "a+b%3A%2fc:&=") });
    }

    #[test]
    fn two_methods_at_once_are_seen() {
        let header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("id:secret"));
        assert_eq!(with(&header, "client_secret=secret"), ClientAuth::Both);
        assert_eq!(with(&header, "client_id=other"), ClientAuth::Both);
        assert_eq!(with(&header, "client_id=id"), ClientAuth::Basic { decoded: pair("id", "secret"), raw: pair("id", "secret") });
    }

    #[test]
    fn what_is_no_basic_header_is_malformed() {
        for header in ["Bearer x", "Basic", "Basic !!!", "Basic aWQ="] {
            assert_eq!(with(header, "client_id=id"), ClientAuth::Malformed, "{header}");
        }
    }

    #[test]
    fn what_is_no_form_is_told_from_what_is() {
        for good in ["", "a=b&c", "a=%C3%A5&b=%2b+", "å=1"] {
            assert!(!Parameters::parse(good.as_bytes()).is_malformed(), "{good}");
        }
        for bad in [&b"a=%"[..], b"a=%f", b"a=%zz", b"a=\xff", b"a=%ff", b"%C3=%A5", b"a=%+1"] {
            assert!(Parameters::parse(bad).is_malformed(), "{bad:?}");
        }
    }

    #[test]
    fn half_a_million_parameters_are_looked_through_at_once() {
        let body: String = (0..500_000).map(|n| format!("{n:x}&")).collect();
        assert_eq!(Parameters::parse(body.as_bytes()).repeated(), None);
        assert_eq!(Parameters::parse(format!("{body}7=").as_bytes()).repeated(), Some("7".into()));
    }

    #[test]
    fn targets_are_told_apart() {
        let at = |target: &str| Request::new("GET".into(), target, Vec::new(), Bytes::new()).endpoint;
        assert_eq!(at("/oauth/authorize?x=1"), Endpoint::Authorize);
        assert_eq!(at("http://127.0.0.1:1/oauth/token"), Endpoint::Token);
        assert_eq!(at("/v2/employees"), Endpoint::Api);
        assert_eq!(at("/vendor"), Endpoint::Unknown);
        assert_eq!(at("/"), Endpoint::Unknown);
    }
}
