//! Starting and stopping the mock provider.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use regrant_authority::Policy;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    Control, Remember, Tenant, TenantError,
    fault::everything,
    front::{self, Authority, Listener},
    intercept::{self, Hosts, Interception, Proxy, Relay},
    journal::{JournalFile, Keep},
    management,
    state::Shared,
    tenants::Origin,
};

/// How the provider is set up.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Where the subject's listener binds; port 0 for any. Beyond loopback only together with `reachable_as`.
    pub listen: SocketAddr,
    /// Where the management listener binds; `None`: there is none. Beyond loopback only together with `management_token`.
    pub management: Option<SocketAddr>,
    /// What whoever manages must send as a Bearer token; `None`: nothing.
    pub management_token: Option<String>,
    /// The host written into the URLs handed over, when it differs from the address bound.
    pub reachable_as: Option<String>,
    /// Serve TLS under a CA made for this run.
    pub tls: bool,
    /// Also answer for Pleo's host names, as a forward proxy, under a CA made for this run; `None`: there is no proxy.
    pub intercept: Option<Interception>,
    /// Make an authority though neither TLS nor interception needs one: for [`Provider::relay`].
    pub certify: bool,
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
    /// How much of the past is kept at hand.
    pub remember: Remember,
    /// How many tenants there may be besides the default one; 0: paths below `/t` are like any other.
    pub tenants: usize,
    /// Watch when the subject has read each reply, which takes some system calls for each; else only what follows tells.
    pub receipts: bool,
    /// How much of each journal is kept in memory.
    pub journal: Keep,
    /// Where all journals are written to as well, a line of JSON per event.
    pub journal_file: Option<PathBuf>,
    /// What clients may take up.
    pub limits: Limits,
}

/// What clients may take up, so that none can take up all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of the subject at a time; one more is told 503, or closed under TLS.
    pub connections: usize,
    /// How long a request may take from its first byte to its last; then it is answered with 408.
    pub request: Duration,
}

impl Default for Limits {
    /// 16,384 connections and 30 seconds.
    fn default() -> Self {
        Self { connections: 16_384, request: Duration::from_secs(30) }
    }
}

impl ProviderConfig {
    /// Loopback, any port, no management, plain http, automatic consent.
    #[must_use]
    pub fn local(seed: u64) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            management: None,
            management_token: None,
            reachable_as: None,
            tls: false,
            intercept: None,
            certify: false,
            http2: false,
            seed,
            epoch: Instant::now(),
            clients: Vec::new(),
            policy: Policy::default(),
            consent: ConsentMode::Auto,
            replies: Vec::new(),
            remember: Remember::All,
            tenants: 64,
            receipts: true,
            journal: Keep::All,
            journal_file: None,
            limits: Limits::default(),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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

impl Urls {
    /// All of them, below the base of the API.
    pub(crate) fn at(api: String, management: Option<String>) -> Self {
        Self {
            authorize: format!("{api}/oauth/authorize"),
            token: format!("{api}/oauth/token"),
            introspect: format!("{api}/oauth/token/introspect"),
            api,
            management,
            proxy: None,
        }
    }
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
    /// A management listener beyond loopback that anybody could use.
    #[error("{0} is not a loopback address, and without a token anybody could manage there")]
    Unguarded(SocketAddr),
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    /// The journal cannot be written.
    #[error("cannot write the journal to {}: {source}", path.display())]
    JournalFile {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A running provider. Dropping it stops all listeners and ends every connection.
pub struct Provider {
    control: Control,
    client: (String, Option<String>),
    authority: Option<Arc<Authority>>,
    front: Listener,
    /// Further addresses of the same provider.
    doors: Vec<Listener>,
    proxy: Option<Listener>,
    management: Option<Listener>,
    recorder: Option<JoinHandle<()>>,
    _tenants: Closing,
}

/// Closes the tenants' ports when the provider is dropped, though a [`Control`] may live on.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(tenants) = &self.0.tenants {
            drop(tenants.close());
        }
        self.0.deliveries.end();
        self.0.journal.close();
    }
}

impl Provider {
    /// Binds and serves. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start(config: ProviderConfig) -> Result<Self, StartError> {
        check_address(config.listen, &config)?;
        check_management(&config)?;
        check_proxy(&config)?;
        let authority = if config.tls || config.certify || config.intercept.is_some() { Some(Arc::new(Authority::new()?)) } else { None };
        let tls = match authority.as_ref().filter(|_| config.tls) {
            Some(authority) => Some(authority.certify(front::own_names(config.listen, config.reachable_as.as_deref()), config.http2)?),
            None => None,
        };
        let file = config.journal_file.as_ref().map(|path| {
            let failed = |source| StartError::JournalFile { path: path.clone(), source };
            JournalFile::open(path).map(Arc::new).map_err(failed)
        });
        let file = file.transpose()?;
        let (listener, bound) = front::bind(config.listen).await?;
        let managed = match config.management {
            None => None,
            Some(address) => Some(front::bind(address).await?),
        };
        let proxy = match (&config.intercept, &authority) {
            (Some(intercept), Some(authority)) => {
                let hosts = Hosts::new(&intercept.hosts).map_err(|unknown| StartError::UnknownHost(unknown.to_string()))?;
                Some((Proxy::new(authority, hosts, config.http2)?, front::bind(intercept.listen).await?))
            }
            (None, _) | (Some(_), None) => None,
        };
        let management = managed.as_ref().map(|(_, bound)| format!("http://{}", reached(*bound, config.reachable_as.as_deref())));
        let mut urls = urls(&config, bound, management);
        urls.proxy = proxy.as_ref().map(|(_, (_, bound))| format!("http://{bound}"));
        let runtime = Some(Handle::current());
        let origin = Origin { config, urls, tls: tls.clone(), file, founders: Vec::new(), runtime, reach: everything };
        let shared = Arc::new(Shared::first(origin));
        let recorder = shared.tenants.as_ref().and_then(|tenants| tenants.origin().record(&shared));
        let control = Control { shared: shared.clone() };
        let management = managed.map(|(listener, _)| management::serve(control.clone(), listener));
        let front = Listener::serve(shared.clone(), listener, tls);
        let proxy = proxy.map(|(proxy, (listener, _))| proxy.serve(shared.clone(), listener));
        Ok(Self {
            client: shared.first_client(),
            control,
            authority,
            front,
            doors: Vec::new(),
            proxy,
            management,
            recorder,
            _tenants: Closing(shared),
        })
    }

    /// What the user and the owner can do.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Where it is reached.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.control.shared.urls
    }

    /// Id and secret of the first client (secret `None` if public).
    #[must_use]
    pub fn client(&self) -> (String, Option<String>) {
        self.client.clone()
    }

    /// What the first client may ask for; empty: anything, until its first authorise request has asked.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        self.control.shared.state().authority.client(&self.client.0).map(|client| client.scopes.clone()).unwrap_or_default()
    }

    /// The run's CA as PEM, when serving TLS, intercepting, or told to certify.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| authority.pem())
    }

    /// The run's CA as a trust store for Java (PKCS#12, no password), when serving TLS or intercepting.
    #[must_use]
    pub fn trust_store(&self) -> Option<Vec<u8>> {
        self.authority.as_ref().map(|authority| intercept::trust_store(authority.der()))
    }

    /// Opens one more port beside the first (and beside the proxy, if there is one), where the same provider is reached: the same grants, the
    /// same journal. Whoever hands out
    /// each address to one client only can tell by [`journal::What::Opened`](crate::journal::What::Opened) who called.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn open_door(&mut self) -> Result<Urls, StartError> {
        let shared = &self.control.shared;
        let (listener, bound) = front::bind(SocketAddr::new(shared.config.listen.ip(), 0)).await?;
        let mut urls = urls(&shared.config, bound, None);
        if let (Some(intercept), Some(authority)) = (&shared.config.intercept, &self.authority) {
            let hosts = Hosts::new(&intercept.hosts).map_err(|unknown| StartError::UnknownHost(unknown.to_string()))?;
            let (proxy, at) = front::bind(SocketAddr::new(intercept.listen.ip(), 0)).await?;
            urls.proxy = Some(format!("http://{at}"));
            self.doors.push(Proxy::new(authority, hosts, shared.config.http2)?.serve(shared.clone(), proxy));
        }
        let tls = shared.tenants.as_ref().and_then(|tenants| tenants.origin().tls.clone());
        self.doors.push(Listener::serve(shared.clone(), listener, tls));
        Ok(urls)
    }

    /// TLS under the run's CA before a program that serves plain HTTP on this machine. `None`: there is no authority.
    ///
    /// # Errors
    /// The address cannot be had, or either is beyond loopback.
    pub async fn relay(&self, listen: SocketAddr, to: SocketAddr) -> Result<Option<Relay>, StartError> {
        let Some(authority) = &self.authority else { return Ok(None) };
        if let Some(beyond) = [listen, to].into_iter().find(|address| !address.ip().is_loopback()) {
            return Err(StartError::NotLoopback(beyond));
        }
        let tls = authority.certify(front::own_names(listen, None), false)?;
        let (listener, _) = front::bind(listen).await?;
        Ok(Some(Relay::open(listener, tls, to)))
    }

    /// The tenant of that name, made if it is not there yet.
    ///
    /// # Errors
    /// As [`TenantError`] says.
    pub fn tenant(&self, name: &str) -> Result<Tenant, TenantError> {
        match &self.control.shared.tenants {
            Some(tenants) => tenants.enter(name).map(|(shared, _)| shared.into()),
            None => Err(TenantError::Full(0)),
        }
    }

    /// Stops all listeners, ends every connection, and waits until that is done and written down.
    pub async fn stop(self) {
        self.front.stop().await;
        for door in self.doors {
            door.stop().await;
        }
        if let Some(proxy) = self.proxy {
            proxy.stop().await;
        }
        if let Some(tenants) = &self.control.shared.tenants {
            tenants.close().end().await;
        }
        if let Some(management) = self.management {
            management.stop().await;
        }
        self.control.shared.deliveries.end();
        self.control.shared.journal.close();
        if let Some(recorder) = self.recorder {
            // Only a panic could be in it, and that was told where it happened.
            let _ended = recorder.await;
        }
    }
}

/// A host name for others is the leave to listen to others.
pub(crate) fn check_address(listen: SocketAddr, config: &ProviderConfig) -> Result<(), StartError> {
    if listen.ip().is_loopback() || config.reachable_as.is_some() { Ok(()) } else { Err(StartError::NotLoopback(listen)) }
}

/// Nobody manages from elsewhere without a token.
fn check_management(config: &ProviderConfig) -> Result<(), StartError> {
    let open = config.management.filter(|address| !address.ip().is_loopback() && config.management_token.is_none());
    open.map_or(Ok(()), |address| Err(StartError::Unguarded(address)))
}

/// Nobody intercepts from elsewhere, ever.
fn check_proxy(config: &ProviderConfig) -> Result<(), StartError> {
    let open = config.intercept.as_ref().map(|intercept| intercept.listen).filter(|address| !address.ip().is_loopback());
    open.map_or(Ok(()), |address| Err(StartError::NotLoopback(address)))
}

impl From<front::TlsError> for StartError {
    fn from(error: front::TlsError) -> Self {
        Self::Certificate(error.to_string())
    }
}

pub(crate) fn urls(config: &ProviderConfig, bound: SocketAddr, management: Option<String>) -> Urls {
    let scheme = if config.tls { "https" } else { "http" };
    let host = host(bound, config.reachable_as.as_deref());
    Urls::at(format!("{scheme}://{host}:{}", bound.port()), management)
}

fn host(bound: SocketAddr, reachable_as: Option<&str>) -> String {
    match reachable_as {
        Some(host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        Some(host) => host.to_owned(),
        None if bound.is_ipv6() => format!("[{}]", bound.ip()),
        None => bound.ip().to_string(),
    }
}

/// Where the management listener is reached: on this host by its own address, from elsewhere by name.
fn reached(bound: SocketAddr, reachable_as: Option<&str>) -> String {
    let name = reachable_as.filter(|_| !bound.ip().is_loopback());
    format!("{}:{}", host(bound, name), bound.port())
}
