//! Redirect URIs: which ones may be registered, which ones count as loopback (RFC 6749 section 3.1.2, RFC 8252 section 7.3).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `uri` can be a redirection endpoint at all: absolute, without fragment, free of characters that two parsers read in two ways.
pub(crate) fn is_well_formed(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#\"<>".contains(&byte))
}

/// Whether `uri` leads to this very machine over HTTP or HTTPS, whatever its port and path.
pub(crate) fn is_loopback(uri: &str) -> bool {
    let Some(rest) = strip_scheme(uri, "http://").or_else(|| strip_scheme(uri, "https://")) else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    is_well_formed(uri) && split_port(authority).is_some_and(is_loopback_host)
}

fn strip_scheme<'a>(uri: &'a str, scheme: &str) -> Option<&'a str> {
    uri.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).and_then(|_| uri.get(scheme.len()..))
}

/// The host of `host[:port]`; `None` if what follows the host is no port. User information makes it no host either.
fn split_port(authority: &str) -> Option<&str> {
    let after_bracket = authority.rfind(']').unwrap_or(0);
    match authority.get(after_bracket..)?.find(':').map(|at| at + after_bracket) {
        None => Some(authority),
        Some(colon) => {
            let port = authority.get(colon + 1..)?;
            port.bytes().all(|byte| byte.is_ascii_digit()).then(|| authority.get(..colon)).flatten()
        }
    }
}

fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_absolute_and_has_no_fragment() {
        for uri in ["https://app.example.test/cb?x=1", "http://127.0.0.1:8080/", "com.example.app:/cb"] {
            assert!(is_well_formed(uri), "{uri}");
        }
        for uri in
            ["", "/cb", "app.example.test/cb", "https:", "https://a.test/#x", "https://a.test/ b", "https://a.test\\b", "1http://a.test"]
        {
            assert!(!is_well_formed(uri), "{uri}");
        }
    }

    #[test]
    fn loopback_is_localhost_or_a_loopback_address_on_any_port() {
        for uri in [
            "http://localhost/cb",
            "http://LOCALHOST:1/",
            "https://127.0.0.1:65000/cb?x",
            "http://127.9.9.9",
            "http://[::1]:80/",
            "HTTP://[::1]",
        ] {
            assert!(is_loopback(uri), "{uri}");
        }
    }

    #[test]
    fn what_only_looks_like_loopback_is_none() {
        for uri in [
            "http://localhost@evil.test/",
            "http://127.0.0.1@evil.test/",
            "http://localhost:80@evil.test/",
            "http://localhost.evil.test/",
            "http://127.0.0.1.evil.test/",
            "http://evil.test/localhost",
            "http://localhost\\.evil.test/",
            "http://[::2]/",
            "http://[::1]x/",
            "ftp://localhost/",
            "localhost:80",
        ] {
            assert!(!is_loopback(uri), "{uri}");
        }
    }
}
