//! Keeps web pages out: a name that is not loopback's (DNS rebinding), and any foreign origin.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::answer::Refusal;

/// Lets only requests pass that were meant for this address, by somebody on this host.
pub(super) async fn only_local(request: Request, next: Next) -> Response {
    match check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_loopback(host) {
        return Err(Refusal::new(
            403,
            &format!("the Host header {host:?} is no loopback name"),
            "address this port as 127.0.0.1, [::1] or localhost",
        ));
    }
    match headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        None => Ok(()),
        Some(origin) if origin.strip_prefix("http://") == Some(host) => Ok(()),
        Some(origin) => Err(Refusal::new(
            403,
            &format!("requests from the web page {origin:?} are refused"),
            "ask from a program, without an Origin header",
        )),
    }
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

    fn passes(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        host.parse().map(|value| headers.insert(header::HOST, value)).ok();
        origin.and_then(|origin| origin.parse().ok()).map(|value| headers.insert(header::ORIGIN, value));
        check(&headers).is_ok()
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["127.0.0.1:4011", "localhost", "LOCALHOST:1", "[::1]:4011", "127.8.9.1"] {
            assert!(passes(host, None), "{host}");
        }
        for host in ["evil.test", "127.0.0.1.evil.test:4011", "localhost.evil.test", "10.0.0.1", "", "[::2]:1"] {
            assert!(!passes(host, None), "{host}");
        }
    }

    #[test]
    fn only_our_own_pages_may_ask() {
        assert!(passes("127.0.0.1:4011", Some("http://127.0.0.1:4011")));
        for origin in ["http://evil.test", "null", "http://127.0.0.1:9999", "https://127.0.0.1:4011"] {
            assert!(!passes("127.0.0.1:4011", Some(origin)), "{origin}");
        }
    }
}
