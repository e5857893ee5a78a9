//! Keeps strangers and web pages out: a name that is not loopback's (DNS rebinding), a foreign origin (CSRF), a missing token.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::answer::Refusal;

/// Who may ask.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// What must be sent as a Bearer token; `None`: nothing, but then only this host may ask, by a name of loopback.
    token: Option<Arc<str>>,
}

impl Guard {
    pub(super) fn new(token: Option<&str>) -> Self {
        Self { token: token.map(Arc::from) }
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Refusal::new(400, "there are several Host headers", "send one"));
        }
        let host = text(headers, header::HOST.as_str()).unwrap_or_default();
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Refusal::new(400, "there are several Host headers", "send one"));
        }
        // With a token a page that was rebound to this address has nothing to show.
        if self.token.is_none() && !is_loopback(host) {
            return Err(Refusal::new(
                403,
                &format!("the Host header {host:?} is no loopback name"),
                "address this port as 127.0.0.1, [::1] or localhost",
            ));
        }
        same_origin(host, headers)?;
        match &self.token {
            // The page holds no secrets, and is where a person enters the token.
            Some(_) if method == Method::GET && uri.path() == "/" => Ok(()),
            Some(token) => bears(token, headers),
            None => Ok(()),
        }
    }
}

/// Lets only requests pass that come from where they may.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// No page but our own may ask. Old browsers send `Origin` with what changes something, newer ones `Sec-Fetch-Site` with everything.
fn same_origin(host: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |who: &str| Refusal::new(403, &format!("requests from {who} are refused"), "ask from a program, without an Origin header");
    match text(headers, "sec-fetch-site") {
        // `none`: a person typed the address.
        None | Some("same-origin" | "none") => {}
        Some(_) => return Err(refuse("another web page")),
    }
    match headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        None => Ok(()),
        Some(origin) if origin.strip_prefix("http://") == Some(host) => Ok(()),
        Some(origin) => Err(refuse(&format!("the web page {origin:?}"))),
    }
}

fn bears(token: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = text(headers, header::AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '));
    let sent = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, sent)| sent.trim());
    match sent {
        Some(sent) if same(sent.as_bytes(), token.as_bytes()) => Ok(()),
        Some(_) => Err(Refusal::new(401, "this is not the management token", "send the one that the provider was started with")),
        None => {
            Err(Refusal::new(401, "the management token is missing", "send Authorization: Bearer TOKEN (regrant serve --management-token)"))
        }
    }
}

/// Compares in a time that does not tell how much was right.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: Option<&str>, path: &'static str, headers: &[(&'static str, &str)]) -> Option<u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header"));
        }
        let refused = Guard::new(token).check(&Method::GET, &Uri::from_static(path), &map).err();
        refused.map(|refusal| refusal.into_response().status().as_u16())
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["127.0.0.1:4011", "localhost", "LOCALHOST:1", "[::1]:4011", "127.8.9.1"] {
            assert_eq!(check(None, "/v1/ready", &[("host", host)]), None, "{host}");
        }
        for host in ["evil.test", "127.0.0.1.evil.test:4011", "localhost.evil.test", "10.0.0.1", "", "[::2]:1"] {
            assert_eq!(check(None, "/v1/ready", &[("host", host)]), Some(403), "{host}");
        }
    }

    #[test]
    fn only_our_own_pages_may_ask() {
        let host = ("host", "127.0.0.1:4011");
        assert_eq!(check(None, "/v1/ready", &[host, ("origin", "http://127.0.0.1:4011")]), None);
        for origin in ["http://evil.test", "null", "http://127.0.0.1:9999", "https://127.0.0.1:4011"] {
            assert_eq!(check(None, "/v1/ready", &[host, ("origin", origin)]), Some(403), "{origin}");
        }
        for (site, refused) in [("same-origin", None), ("none", None), ("cross-site", Some(403)), ("same-site", Some(403))] {
            assert_eq!(check(None, "/v1/ready", &[host, ("sec-fetch-site", site)]), refused, "{site}");
        }
    }

    #[test]
    fn a_token_takes_the_place_of_the_name_and_of_nothing_else() {
        let host = ("host", "mock.test:4011");
        let right = ("authorization", "bearer s3cret");
        assert_eq!(check(Some("s3cret"), "/v1/ready", &[host, right]), None);
        assert_eq!(check(Some("s3cret"), "/v1/ready", &[host, right, ("origin", "http://evil.test")]), Some(403));
        for wrong in ["Bearer s3cre", "Bearer s3cretx", "Basic s3cret", "s3cret"] {
            assert_eq!(check(Some("s3cret"), "/v1/ready", &[host, ("authorization", wrong)]), Some(401), "{wrong}");
        }
        assert_eq!(check(Some("s3cret"), "/v1/ready", &[host]), Some(401));
        assert_eq!(check(Some("s3cret"), "/", &[host]), None, "the page is where it is entered");
    }
}
