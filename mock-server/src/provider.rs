//! Starting and stopping the mock provider.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use regrant_authority::Policy;

use crate::{
    Control,
    front::{self, Authority, Listener},
    intercept::{self, Hosts, Interception, Proxy},
    management,
    state::Shared,
};

/// How the provider is set up.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Where the subject's listener binds; port 0 for any. Beyond loopback only together with `reachable_as`.
    pub listen: SocketAddr,
    /// Where the management listener binds, on loopback; `None`: there is none.
    pub management: Option<SocketAddr>,
    /// The host written into the URLs handed over, when it differs from the address bound.
    pub reachable_as: Option<String>,
    /// Serve TLS under a CA made for this run.
    pub tls: bool,
    /// Also answer for Pleo's host names, as a forward proxy, under a CA made for this run; `None`: there is no proxy.
    pub intercept: Option<Interception>,
    /// Speak HTTP/2 too, with whoever asks for it: by ALPN under TLS, by its preface without. Replies are then dated by when they were
    /// handed over to the protocol, and nothing is known of when they were read.
    pub http2: bool,
    /// Seed of all secrets and ids.
    pub seed: u64,
    /// The journal's time zero.
    pub epoch: Instant,
    /// Clients. Empty: one with random id and secret, open as to redirect URI (any loopback address) and scopes.
    pub clients: Vec<ClientConfig>,
    /// Lifetimes, rotation and refusals.
    pub policy: Policy,
    /// How the consent page answers at first.
    pub consent: ConsentMode,
    /// Overrides and additions to the resource API.
    pub replies: Vec<ApiReply>,
}

impl ProviderConfig {
    /// Loopback, any port, no management, plain http, automatic consent.
    #[must_use]
    pub fn local(seed: u64) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            management: None,
            reachable_as: None,
            tls: false,
            intercept: None,
            http2: false,
            seed,
            epoch: Instant::now(),
            clients: Vec::new(),
            policy: Policy::default(),
            consent: ConsentMode::Auto,
            replies: Vec::new(),
        }
    }
}

/// A client to register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientConfig {
    /// Its id; `None`: random.
    pub id: Option<String>,
    /// Its secret; `None`: random, which makes it a canary.
    pub secret: Option<String>,
    /// No secret at all.
    pub public: bool,
    /// Registered redirect URIs; empty: the first authorise request registers its own loopback URI.
    pub redirect_uris: Vec<String>,
    /// Registered scopes; empty: what the first authorise request asks for.
    pub scopes: Vec<String>,
    /// PKCE is optional for it.
    pub pkce_exempt: bool,
}

/// How the consent page answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentMode {
    /// A page with an Allow and a Deny button, for people.
    Page,
    /// Redirects back with a code at once.
    Auto,
    /// Redirects back with `access_denied` at once.
    Deny,
}

/// An answer of the resource API that a user supplied.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiReply {
    /// Method.
    pub method: String,
    /// Path; `{name}` matches one segment.
    pub path: String,
    /// Status.
    pub status: u16,
    /// Body.
    pub json: serde_json::Value,
}

/// Where the provider is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// Authorise endpoint.
    pub authorize: String,
    /// Token endpoint.
    pub token: String,
    /// Introspection endpoint.
    pub introspect: String,
    /// Base of the resource API, no slash at the end.
    pub api: String,
    /// Base of the management listener.
    pub management: Option<String>,
    /// The forward proxy that answers for Pleo's hosts.
    pub proxy: Option<String>,
}

/// Why the provider did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A non-loopback address without leave.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// A host to intercept that is none of Pleo's.
    #[error("{0}")]
    UnknownHost(String),
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

/// A running provider. Dropping it stops all listeners and ends every connection.
pub struct Provider {
    control: Control,
    urls: Urls,
    client: (String, Option<String>),
    authority: Option<Arc<Authority>>,
    front: Listener,
    proxy: Option<Listener>,
    management: Option<Listener>,
}

impl Provider {
    /// Binds and serves. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start(config: ProviderConfig) -> Result<Self, StartError> {
        check_loopback(&config)?;
        let authority = if config.tls || config.intercept.is_some() { Some(Arc::new(Authority::new()?)) } else { None };
        let tls = match authority.as_ref().filter(|_| config.tls) {
            Some(authority) => Some(authority.certify(front::own_names(config.listen, config.reachable_as.as_deref()), config.http2)?),
            None => None,
        };
        let (listener, bound) = front::bind(config.listen).await?;
        let shared = Arc::new(Shared::new(&config));
        let control = Control { shared: shared.clone() };
        let managed = match config.management {
            None => None,
            Some(address) => Some(front::bind(address).await?),
        };
        let proxied = match (&config.intercept, &authority) {
            (Some(intercept), Some(authority)) => {
                let hosts = Hosts::new(&intercept.hosts).map_err(|unknown| StartError::UnknownHost(unknown.to_string()))?;
                let proxy = Proxy::new(shared.clone(), authority, hosts)?;
                Some((proxy, front::bind(intercept.listen).await?))
            }
            (None, _) | (Some(_), None) => None,
        };
        let mut urls = urls(&config, bound, managed.as_ref().map(|(_, bound)| format!("http://{bound}")));
        urls.proxy = proxied.as_ref().map(|(_, (_, bound))| format!("http://{bound}"));
        let management = managed.map(|(listener, _)| management::serve(control.clone(), &urls, listener));
        let front = Listener::serve(shared.clone(), listener, tls);
        let proxy = proxied.map(|(proxy, (listener, _))| proxy.serve(listener));
        Ok(Self { client: shared.first_client(), control, urls, authority, front, proxy, management })
    }

    /// What the user and the owner can do.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Where it is reached.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Id and secret of the first client (secret `None` if public).
    #[must_use]
    pub fn client(&self) -> (String, Option<String>) {
        self.client.clone()
    }

    /// The run's CA as PEM, when serving TLS or intercepting.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| authority.pem())
    }

    /// The run's CA as a trust store for Java (PKCS#12, no password), when serving TLS or intercepting.
    #[must_use]
    pub fn trust_store(&self) -> Option<Vec<u8>> {
        self.authority.as_ref().map(|authority| intercept::trust_store(authority.der()))
    }

    /// Stops all listeners, ends every connection, and waits until that is done.
    pub async fn stop(self) {
        self.front.stop().await;
        if let Some(proxy) = self.proxy {
            proxy.stop().await;
        }
        if let Some(management) = self.management {
            management.stop().await;
        }
    }
}

/// A host name for others is the leave to listen to others. Nobody else manages, ever.
fn check_loopback(config: &ProviderConfig) -> Result<(), StartError> {
    let open = (!config.listen.ip().is_loopback() && config.reachable_as.is_none()).then_some(config.listen);
    let inner = [config.management, config.intercept.as_ref().map(|intercept| intercept.listen)];
    match open.or(inner.into_iter().flatten().find(|address| !address.ip().is_loopback())) {
        Some(address) => Err(StartError::NotLoopback(address)),
        None => Ok(()),
    }
}

impl From<front::TlsError> for StartError {
    fn from(error: front::TlsError) -> Self {
        Self::Certificate(error.to_string())
    }
}

fn urls(config: &ProviderConfig, bound: SocketAddr, management: Option<String>) -> Urls {
    let scheme = if config.tls { "https" } else { "http" };
    let host = match &config.reachable_as {
        Some(host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        Some(host) => host.clone(),
        None if bound.is_ipv6() => format!("[{}]", bound.ip()),
        None => bound.ip().to_string(),
    };
    let api = format!("{scheme}://{host}:{}", bound.port());
    Urls {
        authorize: format!("{api}/oauth/authorize"),
        token: format!("{api}/oauth/token"),
        introspect: format!("{api}/oauth/token/introspect"),
        api,
        management,
        proxy: None,
    }
}
