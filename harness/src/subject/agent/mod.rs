//! The user's browser: one per sandbox, one cookie jar, loopback only.
//!
//! It tells the provider that it is not the subject (`x-regrant-agent`) and tells the subject nothing.

mod error;
mod page;

use std::{net::SocketAddr, time::Duration};

use url::Url;

pub use error::AgentError;
pub use page::visible_text;

use super::{
    Bindings,
    manifest::{Connect, HttpCall, Step},
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
    /// Value of `x-regrant-agent`.
    pub token: String,
    /// The run's CA, PEM.
    pub ca_pem: Option<String>,
    /// `[[login]]`.
    pub logins: Vec<Vec<Step>>,
    /// The address of the manifest's `connect` (placeholders filled), to recognise links to it.
    pub connect_url: Option<String>,
}

/// The user's browser.
#[derive(Debug)]
pub struct Agent {}

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
    /// Visible text and targets of links and forms.
    pub text: String,
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
}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Agent {
    /// A fresh browser.
    ///
    /// # Errors
    /// The CA cannot be read.
    pub fn new(setup: AgentSetup) -> Result<Self, AgentError> {
        todo!()
    }

    /// Makes a request (or takes the steps) and returns the answer.
    ///
    /// # Errors
    /// No answer, redirects for ever, an address beyond loopback.
    pub async fn send(&self, call: &HttpCall, bindings: &Bindings, follow: Follow, limit: Duration) -> Result<Answer, AgentError> {
        todo!()
    }

    /// Performs an http `connect` up to the authorise URL, which is not requested.
    ///
    /// # Errors
    /// No authorise URL came out.
    pub async fn begin(&self, connect: &Connect, bindings: &Bindings, limit: Duration) -> Result<AuthorizeUrl, AgentError> {
        todo!()
    }

    /// Goes to the provider and answers there.
    ///
    /// # Errors
    /// No answer, or nothing to answer with.
    pub async fn authorize(&self, url: &AuthorizeUrl, consent: Consent, limit: Duration) -> Result<Consented, AgentError> {
        todo!()
    }

    /// Goes back to the subject and on to the final page.
    ///
    /// # Errors
    /// No answer.
    pub async fn deliver(&self, callback: &CallbackUrl, limit: Duration) -> Result<Answer, AgentError> {
        todo!()
    }

    /// Looks at a page, and tries whether the authorise endpoint is reached from it, without requesting that.
    ///
    /// # Errors
    /// No answer.
    pub async fn look(&self, call: &HttpCall, bindings: &Bindings, limit: Duration) -> Result<Look, AgentError> {
        todo!()
    }

    /// The first URL of the authorise endpoint in a text (a program's output, a JSON answer, a script).
    #[must_use]
    pub fn find_authorize_url(&self, text: &str) -> Option<AuthorizeUrl> {
        todo!()
    }

    /// One GET without cookies, redirects, login: the status. For readiness.
    ///
    /// # Errors
    /// No answer.
    pub async fn probe(&self, url: &str, limit: Duration) -> Result<u16, AgentError> {
        todo!()
    }
}
