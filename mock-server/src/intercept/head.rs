//! What a client asks of a forward proxy (RFC 9110 section 9.3.6, RFC 9112 section 3.2). Bytes in, meaning out; no I/O.

/// Longest head that is read.
pub const LIMIT: usize = 64 * 1024;
const MOST_HEADERS: usize = 256;

/// The beginning of a request, as far as a proxy must understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes, the empty line included.
    pub length: usize,
    /// Method.
    pub method: String,
    /// What is asked.
    pub asked: Asked,
}

/// The three forms of a request target that reach a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `CONNECT host:port`: a tunnel.
    Tunnel(Authority),
    /// `GET https://host/path`: a request to be forwarded.
    Absolute {
        /// The scheme, in lower case.
        scheme: String,
        /// To whom.
        authority: Authority,
    },
    /// `GET /path`: the client takes the proxy for the server itself.
    Origin,
}

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// In lower case, without the dot of the root; an IPv6 address without brackets.
    pub host: String,
    /// Port; 443 or 80 by the scheme where none is written.
    pub port: u16,
}

/// Why a head cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`LIMIT`], or more header fields than anybody needs.
    #[error("the request's head is longer than 64 KiB or has more than 256 fields")]
    TooLong,
    /// Another version of HTTP, or a TLS handshake: the proxy speaks plain HTTP/1.1.
    #[error("this is no HTTP/1.1 request; the proxy's own address begins with http://, also for https requests through it")]
    NoRequest,
    /// The target names no host, or one with user name, blanks or a wrong port.
    #[error("the request's target names no host and port")]
    NoAuthority,
}

impl Malformed {
    /// The status that says so.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::TooLong => 431,
            Self::NoRequest | Self::NoAuthority => 400,
        }
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// Reads the beginning of a request; `None`: more bytes are needed.
///
/// # Errors
/// It never will be one that a proxy can answer.
pub fn parse(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= LIMIT => length,
        Ok(httparse::Status::Partial) if bytes.len() <= LIMIT => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooLong),
        Err(_) => return Err(Malformed::NoRequest),
    };
    let method = request.method.unwrap_or_default().to_owned();
    let target = request.path.unwrap_or_default();
    let asked =
        if method == "CONNECT" { Asked::Tunnel(authority(target, None).ok_or(Malformed::NoAuthority)?) } else { target_of(target)? };
    Ok(Some(Head { length, method, asked }))
}

/// What the target of any other method than `CONNECT` asks.
pub(crate) fn target_of(target: &str) -> Result<Asked, Malformed> {
    if target.starts_with('/') || target == "*" {
        return Ok(Asked::Origin);
    }
    let (scheme, rest) = target.split_once("://").ok_or(Malformed::NoAuthority)?;
    let scheme = scheme.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = authority(&rest[..end], default).ok_or(Malformed::NoAuthority)?;
    Ok(Asked::Absolute { scheme, authority })
}

fn authority(text: &str, default: Option<u16>) -> Option<Authority> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => default?,
        // `parse` alone would take a sign.
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().filter(|port| *port > 0)?,
        Some(_) => return None,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_name = |host: &str| {
        host.split('.').all(|label| !label.is_empty()) && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
    };
    is_name(&host).then_some(Authority { host, port })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    fn asked(line: &str) -> Result<Asked, Malformed> {
        parse(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).map(|head| head.expect("complete").asked)
    }

    fn at(host: &str, port: u16) -> Authority {
        Authority { host: host.into(), port }
    }

    #[test]
    fn a_tunnel_is_asked_for_by_host_and_port() {
        assert_eq!(asked("CONNECT Auth.Pleo.io.:443"), Ok(Asked::Tunnel(at("auth.pleo.io", 443))));
        assert_eq!(asked("CONNECT [::1]:443"), Ok(Asked::Tunnel(at("::1", 443))));
        for wrong in [
            "auth.pleo.io",
            ":443",
            "user@auth.pleo.io:443",
            "a:0",
            "a:99999",
            "a:+1",
            "a:",
            "[::1",
            "[zz]:1",
            "/x",
            "a:1:2",
            "a..:1",
            ".a:1",
            "a..b:1",
        ] {
            assert_eq!(asked(&format!("CONNECT {wrong}")), Err(Malformed::NoAuthority), "{wrong}");
        }
    }

    #[test]
    fn a_whole_url_names_its_host() {
        let absolute = |scheme: &str, authority| Ok(Asked::Absolute { scheme: scheme.into(), authority });
        assert_eq!(asked("GET https://auth.pleo.io/oauth/token?x=1"), absolute("https", at("auth.pleo.io", 443)));
        assert_eq!(asked("GET HTTP://example.com:8080"), absolute("http", at("example.com", 8080)));
        assert_eq!(asked("GET http://[::1]?x"), absolute("http", at("::1", 80)));
        assert_eq!(asked("GET /oauth/token"), Ok(Asked::Origin));
        assert_eq!(asked("OPTIONS *"), Ok(Asked::Origin));
        for wrong in ["https://", "https:///x", "auth.pleo.io", "https://a@b/", "gopher://x/"] {
            assert_eq!(asked(&format!("GET {wrong}")), Err(Malformed::NoAuthority), "{wrong}");
        }
    }

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let bytes = b"CONNECT auth.pleo.io:443 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n\x16\x03\x01";
        for length in 0..bytes.len() - 3 {
            assert_eq!(parse(&bytes[..length]), Ok(None), "{length} bytes");
        }
        assert_eq!(parse(bytes).expect("readable").expect("complete").length, bytes.len() - 3);
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_too_long() {
        assert_eq!(parse(b"\x16\x03\x01\x02\x00\x01"), Err(Malformed::NoRequest));
        assert_eq!(parse(b"GET / HTTP/2.0\r\n\r\n"), Err(Malformed::NoRequest));
        assert_eq!(parse(&[b'a'; LIMIT + 2]), Err(Malformed::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_fail(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _read = parse(&bytes);
        }

        #[test]
        fn no_target_makes_the_reader_fail(line in "(CONNECT|GET) [!-~]{1,60}") {
            let read = parse(format!("{line} HTTP/1.1\r\n\r\n").as_bytes());
            if let Ok(Some(Head { asked: Asked::Tunnel(authority) | Asked::Absolute { authority, .. }, .. })) = read {
                proptest::prop_assert!(!authority.host.is_empty() && authority.port > 0);
            }
        }
    }
}
