//! Pleo's hosts, what each of them serves, and why a proxy refuses all others.

use std::{net::IpAddr, sync::Arc};

use super::head::Authority;
use crate::journal::Endpoint;

/// One of Pleo's hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) site: Site,
    /// The resource API of the same environment.
    pub(crate) api: &'static str,
}

/// What is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// The authorisation server.
    Auth,
    /// The resource API.
    Api,
    /// The older API, for other tokens than OAuth's: nothing of it is modelled.
    Legacy,
}

const KNOWN: &[Host] = &[
    Host { name: "auth.pleo.io", site: Site::Auth, api: "https://external.pleo.io" },
    Host { name: "external.pleo.io", site: Site::Api, api: "https://external.pleo.io" },
    Host { name: "openapi.pleo.io", site: Site::Legacy, api: "https://external.pleo.io" },
    Host { name: "auth.staging.pleo.io", site: Site::Auth, api: "https://external.staging.pleo.io" },
    Host { name: "external.staging.pleo.io", site: Site::Api, api: "https://external.staging.pleo.io" },
    Host { name: "openapi.staging.pleo.io", site: Site::Legacy, api: "https://external.staging.pleo.io" },
];

/// The hosts that can be answered for: production, then staging.
pub fn known_hosts() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|host| host.name)
}

/// The hosts that are answered for in this run.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Arc<[Host]>);

/// A host that Pleo does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of Pleo's hosts; these are {list}", list = known_hosts().collect::<Vec<_>>().join(", "))]
pub(crate) struct UnknownHost(pub(crate) String);

/// Why the proxy does not serve a request. Each sentence is shown to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not one of Pleo's names.
    #[error("{0} is not Pleo's: this proxy answers for {hosts} and never connects anywhere", hosts = known_hosts().collect::<Vec<_>>().join(", "))]
    Foreign(Authority),
    /// An address instead of a name, or this machine.
    #[error("{0} is an address or this machine: put it into NO_PROXY; this proxy answers for Pleo's host names only")]
    Address(Authority),
    /// Pleo's, but not asked for in this run.
    #[error("{0} is Pleo's, but this run does not answer for it: add it to [intercept] hosts")]
    NotListed(Authority),
    /// Pleo's, but at a port where Pleo serves nothing.
    #[error("{0} has a port at which Pleo serves nothing: only 443 is answered for")]
    Port(Authority),
    /// Pleo's, but not under https.
    #[error("{authority} was asked for by {scheme}: Pleo speaks https only")]
    Scheme {
        /// Whom.
        authority: Authority,
        /// How.
        scheme: String,
    },
}

impl Hosts {
    /// Those named; all if none is.
    pub(crate) fn new(names: &[String]) -> Result<Self, UnknownHost> {
        if names.is_empty() {
            return Ok(Self(KNOWN.into()));
        }
        let find = |name: &String| {
            KNOWN.iter().find(|host| host.name.eq_ignore_ascii_case(name)).copied().ok_or_else(|| UnknownHost(name.clone()))
        };
        Ok(Self(names.iter().map(find).collect::<Result<_, _>>()?))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Host> {
        self.0.iter().copied()
    }

    /// The host that a tunnel leads to.
    pub(crate) fn tunnel(&self, authority: &Authority) -> Result<Host, Refusal> {
        let host = self.find(authority)?;
        if authority.port == 443 { Ok(host) } else { Err(Refusal::Port(authority.clone())) }
    }

    /// The host that a request with a whole URL is for.
    pub(crate) fn absolute(&self, scheme: &str, authority: &Authority) -> Result<Host, Refusal> {
        let host = self.find(authority)?;
        if scheme != "https" {
            return Err(Refusal::Scheme { authority: authority.clone(), scheme: scheme.to_owned() });
        }
        if authority.port == 443 { Ok(host) } else { Err(Refusal::Port(authority.clone())) }
    }

    fn find(&self, authority: &Authority) -> Result<Host, Refusal> {
        let name = authority.host.as_str();
        if let Some(host) = self.0.iter().find(|host| host.name == name) {
            return Ok(*host);
        }
        let refuse = match name {
            _ if name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost") => Refusal::Address,
            _ if known_hosts().any(|known| known == name) => Refusal::NotListed,
            _ => Refusal::Foreign,
        };
        Err(refuse(authority.clone()))
    }
}

impl Site {
    /// Whether an endpoint is served here.
    pub(crate) fn offers(self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Authorize | Endpoint::Token | Endpoint::Introspect => self == Self::Auth,
            Endpoint::Api => self == Self::Api,
            Endpoint::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    fn at(host: &str, port: u16) -> Authority {
        Authority { host: host.into(), port }
    }

    #[test]
    fn only_pleos_names_are_answered_for() {
        let all = Hosts::new(&[]).expect("known");
        assert_eq!(all.tunnel(&at("auth.pleo.io", 443)).map(|host| host.site), Ok(Site::Auth));
        assert_eq!(all.tunnel(&at("external.staging.pleo.io", 443)).map(|host| host.site), Ok(Site::Api));
        for foreign in ["example.com", "pleo.io", "evil-auth.pleo.io", "auth.pleo.io.evil.test"] {
            assert!(matches!(all.tunnel(&at(foreign, 443)), Err(Refusal::Foreign(_))), "{foreign}");
        }
        for address in ["127.0.0.1", "::1", "10.0.0.1", "localhost", "auth.localhost"] {
            assert!(matches!(all.tunnel(&at(address, 443)), Err(Refusal::Address(_))), "{address}");
        }
        assert!(matches!(all.tunnel(&at("auth.pleo.io", 22)), Err(Refusal::Port(_))));
        assert!(matches!(all.absolute("http", &at("auth.pleo.io", 80)), Err(Refusal::Scheme { .. })));
    }

    #[test]
    fn a_run_answers_for_what_it_lists() {
        let some = Hosts::new(&["Auth.Pleo.io".into()]).expect("known");
        assert!(some.tunnel(&at("auth.pleo.io", 443)).is_ok());
        assert!(matches!(some.tunnel(&at("external.pleo.io", 443)), Err(Refusal::NotListed(_))));
        assert_eq!(Hosts::new(&["example.com".into()]).map(drop), Err(UnknownHost("example.com".into())));
    }

    #[test]
    fn each_host_serves_its_own_endpoints() {
        assert!(Site::Auth.offers(Endpoint::Token) && !Site::Auth.offers(Endpoint::Api));
        assert!(Site::Api.offers(Endpoint::Api) && !Site::Api.offers(Endpoint::Introspect));
        assert!(!Site::Legacy.offers(Endpoint::Api));
    }
}
