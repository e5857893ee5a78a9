//! Where webhooks may go: to this machine, over plain HTTP, and nowhere else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

/// An address that webhooks are delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// As it was given.
    pub(crate) url: String,
    /// For the `Host` header.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: String,
    /// Tried in this order.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Why nothing is delivered there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDelivered {
    #[error("endpointUrl {0:?} is no http address")]
    NoAddress(String),
    #[error("this mock delivers webhooks over plain HTTP only: write http:// in endpointUrl (Pleo wants https:// in production)")]
    Tls,
    #[error("this mock delivers webhooks to this machine only, and {0} is not: write 127.0.0.1, [::1] or localhost in endpointUrl")]
    Elsewhere(String),
}

impl Endpoint {
    /// Reads an address. No name is looked up: what is called `localhost` is on loopback.
    pub(crate) fn read(url: &str) -> Result<Self, NotDelivered> {
        let none = || NotDelivered::NoAddress(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| none())?;
        let host = parsed.host().ok_or_else(none)?;
        let loopback: Vec<IpAddr> = match host {
            Host::Ipv4(address) if address.is_loopback() => vec![address.into()],
            Host::Ipv6(address) if address.is_loopback() => vec![address.into()],
            Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Host::Ipv4(_) | Host::Ipv6(_) | Host::Domain(_) => return Err(NotDelivered::Elsewhere(host.to_string())),
        };
        match parsed.scheme() {
            "http" => {}
            "https" => return Err(NotDelivered::Tls),
            _ => return Err(none()),
        }
        let port = parsed.port_or_known_default().ok_or_else(none)?;
        let target = parsed.query().map_or_else(|| parsed.path().to_owned(), |query| format!("{}?{query}", parsed.path()));
        let addresses = loopback.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Ok(Self { url: url.to_owned(), host: format!("{host}:{port}"), target, addresses })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    #[test]
    fn loopback_addresses_are_delivered_to() {
        for (url, host, target, addresses) in [
            ("http://127.0.0.1:8080/webhooks/pleo?c=1#x", "127.0.0.1:8080", "/webhooks/pleo?c=1", 1),
            ("http://[::1]:8080", "[::1]:8080", "/", 1),
            ("http://LOCALHOST/hook", "localhost:80", "/hook", 2),
        ] {
            let endpoint = Endpoint::read(url).expect("loopback");
            assert_eq!((endpoint.host.as_str(), endpoint.target.as_str(), endpoint.addresses.len()), (host, target, addresses));
        }
    }

    #[test]
    fn all_others_are_refused() {
        for url in
            ["http://example.com/hook", "http://10.0.0.1/", "https://example.com/", "http://127.0.0.1.example.com/", "http://0.0.0.0:1/"]
        {
            assert!(matches!(Endpoint::read(url), Err(NotDelivered::Elsewhere(_))), "{url}");
        }
        assert_eq!(Endpoint::read("https://127.0.0.1/"), Err(NotDelivered::Tls));
        for url in ["", "/hook", "ftp://127.0.0.1/", "http://", "127.0.0.1:8080/hook", "mailto:a@localhost"] {
            assert!(matches!(Endpoint::read(url), Err(NotDelivered::NoAddress(_))), "{url}");
        }
    }
}
