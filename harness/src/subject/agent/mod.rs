//! The user's browser: one per sandbox, one cookie jar, loopback only.
//!
//! It tells the provider that it is not the subject (`x-regrant-agent`) and tells the subject nothing.

mod consent;
mod error;
mod fetch;
mod find;
mod page;
mod request;
mod walk;

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use url::Url;

pub use error::AgentError;
use fetch::{Deadline, Network};
use page::words_of_page;
use request::Request;

use super::{
    Bindings,
    manifest::{Connect, HttpCall, Opens, Step, Verb},
};

/// What an agent must know.
#[derive(Debug, Clone)]
pub struct AgentSetup {
    /// The authorise endpoint, as handed to the subject.
    pub authorize_endpoint: Url,
    /// Further addresses of the provider (one per process of the subject); the private header goes to their origins only.
    pub provider: Vec<Url>,
    /// Where the provider really listens, if its host is not a loopback name.
    pub provider_address: Option<SocketAddr>,
    /// Pleo's own hosts, if the subject has them hard-coded.
    pub intercepted: Option<Intercepted>,
    /// Value of `x-regrant-agent`.
    pub token: String,
    /// The run's CA, PEM.
    pub ca_pem: Option<String>,
    /// `[[login]]`.
    pub logins: Vec<Vec<Step>>,
    /// The address of the manifest's `connect` (placeholders filled), to recognise links to it.
    pub connect_url: Option<String>,
    /// What the manifest's `connect` clicks, in the subject's own language.
    pub connect_words: Vec<String>,
}

/// Hosts that are reached through the provider's proxy, and never directly.
#[derive(Debug, Clone)]
pub struct Intercepted {
    /// The proxy.
    pub proxy: Url,
    /// The hosts; all of them are the provider's.
    pub hosts: Vec<String>,
}

/// The user's browser.
#[derive(Debug)]
pub struct Agent {
    network: Network,
    authorize_endpoint: Url,
    connect_url: Option<Url>,
    connect_words: Vec<String>,
    logins: Vec<Vec<Step>>,
    /// Signing in is done by one at a time.
    signed_in: tokio::sync::Mutex<bool>,
    /// The latest, for signing in where none are given.
    bindings: Mutex<Bindings>,
}

/// Signs a message: the headers for what goes to an address with this body.
pub type Signer<'s> = dyn Fn(&str, &[u8]) -> Vec<(String, String)> + Send + Sync + 's;

/// What is done with redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Nothing: the redirect is the answer.
    Never,
    /// They are followed (10 at most), but never to the authorise endpoint.
    Pages,
}

/// An answer of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status of the last answer.
    pub status: u16,
    /// Headers of the last answer, names lower case.
    pub headers: Vec<(String, String)>,
    /// Body of the last answer, lossily UTF-8, at most 1 MiB.
    pub body: String,
    /// Where it came from.
    pub url: Url,
    /// Redirects followed on the way.
    pub redirects: u32,
    /// The way led to the authorise endpoint, which was not requested.
    pub authorize: Option<AuthorizeUrl>,
}

/// A URL of the authorise endpoint that the subject made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeUrl(pub Url);

/// The redirect back to the subject, not yet requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl(pub Url);

/// What the user answers at the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Allow.
    Allow,
    /// Deny.
    Deny,
    /// Look at the page and walk away.
    WalkAway,
}

/// What became of an authorise request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consented {
    /// The provider sends the user back.
    Callback(CallbackUrl),
    /// The provider shows a page: an error, or the consent page that was walked away from.
    Page(Answer),
}

/// What a person sees at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// HTTP status, or exit code.
    pub status: i32,
    /// The body as it came, at most 1 MiB.
    pub body: String,
    /// Where the page came from; none for a program's output.
    pub url: Option<Url>,
    /// From here a redirect, a link, a form or a button leads to the authorise endpoint.
    pub leads_to_authorize: bool,
    /// Where it leads, unrequested.
    pub authorize: Option<AuthorizeUrl>,
    /// Clicks from here to the consent page.
    pub actions: u32,
    /// Empty fields on the way that the user must fill in.
    pub fields: u32,
    /// How long the page itself took; none: not measured apart.
    pub took: Option<Duration>,
}

impl Agent {
    /// A fresh browser.
    ///
    /// # Errors
    /// The CA cannot be read.
    pub fn new(setup: AgentSetup) -> Result<Self, AgentError> {
        Ok(Self {
            network: Network::new(&setup)?,
            connect_url: setup.connect_url.as_deref().map(request::parse).transpose()?,
            connect_words: setup.connect_words.iter().map(|text| text.to_lowercase()).collect(),
            authorize_endpoint: setup.authorize_endpoint,
            logins: setup.logins,
            signed_in: tokio::sync::Mutex::new(false),
            bindings: Mutex::default(),
        })
    }

    /// Makes a request (or takes the steps) and returns the answer. Steps follow redirects always.
    ///
    /// # Errors
    /// No answer, redirects for ever, an address beyond loopback.
    pub async fn send(&self, call: &HttpCall, bindings: &Bindings, follow: Follow, limit: Duration) -> Result<Answer, AgentError> {
        bindings.clone_into(&mut self.bindings.lock().unwrap_or_else(PoisonError::into_inner));
        self.perform(call, bindings, follow, Deadline::after(limit)).await
    }

    /// Delivers a signed message, as a program on another host would: without cookies, without signing in; redirects are not followed.
    ///
    /// # Errors
    /// No answer, an address beyond loopback.
    pub async fn message(&self, call: &HttpCall, bindings: &Bindings, sign: &Signer<'_>, limit: Duration) -> Result<Answer, AgentError> {
        let mut request = Request::from_call(call, bindings)?;
        let signed = sign(request.url.as_str(), request.body.as_deref().unwrap_or_default());
        request.headers.retain(|(name, _)| !signed.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        request.headers.extend(signed);
        self.network.message(&request, Deadline::after(limit)).await
    }

    /// Performs an http `connect` up to the authorise URL, which is not requested.
    ///
    /// # Errors
    /// No authorise URL came out.
    pub async fn begin(&self, connect: &Connect, bindings: &Bindings, limit: Duration) -> Result<AuthorizeUrl, AgentError> {
        let Verb::Http(call) = &connect.verb else {
            return Err(AgentError::BadUrl { url: "connect".into(), reason: "it is not done by requests".into() });
        };
        let until = Deadline::after(limit);
        let answer = self.send(call, bindings, Follow::Pages, limit).await?;
        let answer = match (&connect.opens, &answer.authorize) {
            (Opens::Json(pointer), None) => match opened(&answer, pointer) {
                Some(url) => self.walk(Request::get(url, Some(&answer.url)), Follow::Pages, until).await?,
                None => return Err(no_way(&answer, &format!("there is no address at {pointer:?} in its JSON"))),
            },
            (Opens::Json(_) | Opens::Redirect | Opens::Stdout | Opens::Browser, _) => answer,
        };
        if let Some(found) = answer.authorize.clone().or_else(|| self.find_authorize_url(&answer.body)) {
            return Ok(found);
        }
        match self.find_way(&answer, until).await {
            Some(way) => Ok(way.authorize),
            None => Err(no_way(&answer, "are {authorize_url} and `connect.opens` right? Where clicks are needed, write `steps`")),
        }
    }

    /// Goes to the provider and answers there.
    ///
    /// # Errors
    /// No answer, or nothing to answer with.
    pub async fn authorize(&self, url: &AuthorizeUrl, consent: Consent, limit: Duration) -> Result<Consented, AgentError> {
        self.consent(url, consent, Deadline::after(limit)).await
    }

    /// Goes back to the subject and on to the final page. Never repeats the callback.
    ///
    /// # Errors
    /// No answer.
    pub async fn deliver(&self, callback: &CallbackUrl, limit: Duration) -> Result<Answer, AgentError> {
        let until = Deadline::after(limit);
        if !self.logins.is_empty() {
            let bindings = self.bindings.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.sign_in(&bindings, false, until).await?;
        }
        self.walk(Request::get(callback.0.clone(), None), Follow::Pages, until).await
    }

    /// Looks at a page, and tries whether the authorise endpoint is reached from it, without requesting that.
    ///
    /// # Errors
    /// No answer.
    pub async fn look(&self, call: &HttpCall, bindings: &Bindings, limit: Duration) -> Result<Look, AgentError> {
        let asked = tokio::time::Instant::now();
        let answer = self.send(call, bindings, Follow::Pages, limit).await?;
        let took = Some(asked.elapsed());
        let way = self.find_way(&answer, Deadline::after(limit)).await;
        Ok(Look {
            status: i32::from(answer.status),
            url: Some(answer.url),
            body: answer.body,
            leads_to_authorize: way.is_some(),
            actions: way.as_ref().map_or(0, |way| way.actions),
            fields: way.as_ref().map_or(0, |way| way.fields),
            authorize: way.map(|way| way.authorize),
            took,
        })
    }

    /// Whether the authorise endpoint is reached from a message with links (as a page), without requesting it: clicks, and fields to fill in.
    /// `base` is the subject's address; a message has none of its own.
    pub async fn leads(&self, page: &str, base: &str, limit: Duration) -> Option<(u32, u32)> {
        let until = Deadline::after(limit);
        let base = Url::parse(base).ok()?;
        let mut named = base.clone();
        let renamed = named.set_host(Some("localhost")).is_ok();
        // A subject may call this machine by either name.
        for url in [Some(base), Some(named).filter(|_| renamed && page.contains("//localhost"))].into_iter().flatten() {
            let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
            let answer = Answer { status: 200, headers, body: page.to_owned(), url, redirects: 0, authorize: None };
            if let Some(way) = self.find_way(&answer, until).await {
                return Some((way.actions, way.fields));
            }
        }
        None
    }

    /// The first URL of the authorise endpoint in a text (a program's output, a JSON answer, a script).
    #[must_use]
    pub fn find_authorize_url(&self, text: &str) -> Option<AuthorizeUrl> {
        self.authorize_url_in(text)
    }

    /// One GET without cookies, redirects, login: the status. For readiness.
    ///
    /// # Errors
    /// No answer.
    pub async fn probe(&self, url: &str, limit: Duration) -> Result<u16, AgentError> {
        self.network.probe(&request::parse(url)?, Deadline::after(limit)).await
    }
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the body is a page for people.
    #[must_use]
    pub fn is_html(&self) -> bool {
        match self.header("content-type") {
            Some(kind) => kind.contains("html"),
            None => self.body.trim_start().starts_with('<'),
        }
    }
}

fn opened(answer: &Answer, pointer: &str) -> Option<Url> {
    let json: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    answer.url.join(json.pointer(pointer)?.as_str()?).ok()
}

fn no_way(answer: &Answer, hint: &str) -> AgentError {
    let hint = if answer.status >= 400 { format!("it refused: {}", beginning(answer)) } else { hint.to_owned() };
    AgentError::NoWayToAuthorize { url: answer.url.to_string(), status: answer.status, hint }
}

fn beginning(answer: &Answer) -> String {
    let text = if answer.is_html() { words_of_page(&answer.body) } else { answer.body.clone() };
    text.chars().take(200).collect()
}
