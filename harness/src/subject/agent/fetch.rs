//! One request and its answer: loopback only, bounded in time and size.

use std::{sync::Once, time::Duration};

use reqwest::{Certificate, Client, Proxy, redirect::Policy};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{AgentError, AgentSetup, Answer, Intercepted, request::Request};
use crate::subject::manifest::is_loopback;

/// How much of a body is kept.
const BODY: usize = 1024 * 1024;
/// The private header, for the provider's eyes only.
const HEADER: &str = "x-regrant-agent";
/// Says nothing of tests: the subject shall see a browser.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Until when an answer is awaited, and how long that was at first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }
}

/// The network as the agent may use it.
#[derive(Debug)]
pub(super) struct Network {
    /// With the cookie jar.
    browser: Client,
    /// Without.
    plain: Client,
    provider: Vec<Url>,
    token: String,
}

impl Network {
    pub(super) fn new(setup: &AgentSetup) -> Result<Self, AgentError> {
        install_crypto();
        let hosts = setup.intercepted.iter().flat_map(|intercepted| &intercepted.hosts);
        let intercepted = hosts.filter_map(|host| Url::parse(&format!("https://{host}")).ok());
        let provider = std::iter::once(&setup.authorize_endpoint).chain(&setup.provider).cloned().chain(intercepted).collect();
        Ok(Self { browser: client(setup, true)?, plain: client(setup, false)?, provider, token: setup.token.clone() })
    }

    /// Whether an address is one of the provider's.
    pub(super) fn is_provider(&self, url: &Url) -> bool {
        self.provider.iter().any(|own| same_origin(own, url))
    }

    /// Sends a request; redirects are not followed.
    pub(super) async fn fetch(&self, request: &Request, until: Deadline) -> Result<Answer, AgentError> {
        self.send(&self.browser, request, until).await
    }

    /// The same without cookies.
    pub(super) async fn message(&self, request: &Request, until: Deadline) -> Result<Answer, AgentError> {
        self.send(&self.plain, request, until).await
    }

    async fn send(&self, client: &Client, request: &Request, until: Deadline) -> Result<Answer, AgentError> {
        let url = &request.url;
        self.check(url)?;
        let mut builder = client.request(request.method.clone(), url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if self.is_provider(url) {
            builder = builder.header(HEADER, &self.token);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        bounded(url, until, read(url, builder)).await
    }

    /// A GET without cookies; the body is not read.
    pub(super) async fn probe(&self, url: &Url, until: Deadline) -> Result<u16, AgentError> {
        self.check(url)?;
        let asked = async {
            self.plain.get(url.clone()).send().await.map(|response| response.status().as_u16()).map_err(|error| no_answer(url, &error))
        };
        bounded(url, until, asked).await
    }

    fn check(&self, url: &Url) -> Result<(), AgentError> {
        let local = url.host_str().is_some_and(is_loopback) || self.is_provider(url);
        if local { Ok(()) } else { Err(AgentError::NotLoopback { url: url.to_string() }) }
    }
}

async fn bounded<T>(url: &Url, until: Deadline, work: impl Future<Output = Result<T, AgentError>>) -> Result<T, AgentError> {
    match timeout_at(until.at, work).await {
        Ok(done) => done,
        Err(_) => Err(AgentError::TimedOut { url: url.to_string(), after: until.limit }),
    }
}

async fn read(url: &Url, builder: reqwest::RequestBuilder) -> Result<Answer, AgentError> {
    let mut response = builder.send().await.map_err(|error| no_answer(url, &error))?;
    let headers =
        response.headers().iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < BODY {
        match response.chunk().await.map_err(|error| no_answer(url, &error))? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => break,
        }
    }
    body.truncate(BODY);
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned(), url: url.clone(), redirects: 0, authorize: None })
}

/// The innermost reason says most: `Connection refused`.
fn no_answer(url: &Url, error: &reqwest::Error) -> AgentError {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    AgentError::NoAnswer { url: url.to_string(), reason }
}

fn client(setup: &AgentSetup, cookies: bool) -> Result<Client, AgentError> {
    let failed = |error: reqwest::Error| AgentError::Setup { reason: format!("{error:?}") };
    let authorities = match &setup.ca_pem {
        Some(pem) => Certificate::from_pem_bundle(pem.as_bytes()).map_err(failed)?,
        None => Vec::new(),
    };
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .user_agent(BROWSER)
        .cookie_store(cookies)
        // A subject that was restarted must not meet a connection to its former life.
        .pool_max_idle_per_host(0)
        .tls_certs_only(authorities);
    if let (Some(address), Some(host)) = (setup.provider_address, setup.authorize_endpoint.host_str()) {
        builder = builder.resolve(host, address);
    }
    if let Some(Intercepted { proxy, hosts }) = setup.intercepted.clone() {
        let is_theirs = move |url: &Url| url.host_str().is_some_and(|host| hosts.iter().any(|own| own.eq_ignore_ascii_case(host)));
        builder = builder.proxy(Proxy::custom(move |url| is_theirs(url).then(|| proxy.clone())));
    }
    builder.build().map_err(failed)
}

fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody else may have installed one already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The same origin; the names of this machine count as one.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    let hosts = match (one.host_str(), other.host_str()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b) || (is_loopback(a) && is_loopback(b)),
        (None, _) | (_, None) => false,
    };
    hosts && one.scheme() == other.scheme() && one.port_or_known_default() == other.port_or_known_default()
}
