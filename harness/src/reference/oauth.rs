//! Pleo's authorisation server as this program speaks to it, through the `oauth2` crate over our own HTTP client.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicTokenResponse},
};
use sha2::{Digest, Sha256};

use super::{
    answer::{self, Outcome, Reply},
    config::Config,
    flaw::{Flaw, Flaws},
    spoil,
};

/// A token answer takes well under a second; after this long the work goes back to the queue. Below the `token_timeout` that the manifest declares.
const TOKEN_LIMIT: Duration = Duration::from_secs(8);

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The authorisation server.
pub(crate) struct Pleo {
    client: Client,
    scopes: Vec<String>,
    fingerprint: String,
    http: reqwest::Client,
    flaws: Flaws,
}

/// An attempt to log in that was begun.
pub(crate) struct Login {
    /// Where to send the user.
    pub(crate) url: String,
    /// Unguessable, for this attempt only.
    pub(crate) state: String,
    /// To be sent with the code.
    pub(crate) verifier: Option<PkceCodeVerifier>,
}

/// Why a token request got no whole reply.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("no connection")]
    Unreachable,
    #[error("no answer in time")]
    TimedOut,
    #[error("the answer was lost")]
    Lost,
    #[error("the request could not be built")]
    Unsent,
}

impl Pleo {
    /// # Errors
    /// A URL in the configuration is none.
    pub(crate) fn new(config: &Config, http: reqwest::Client, flaws: Flaws) -> Result<Self, url::ParseError> {
        let mut client = BasicClient::new(ClientId::new(config.client_id.clone()));
        if let Some(secret) = &config.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.clone()));
        }
        let client = client
            .set_auth_uri(AuthUrl::new(config.authorize_url.clone())?)
            .set_token_uri(TokenUrl::new(config.token_url.clone())?)
            .set_redirect_uri(RedirectUrl::new(config.redirect_uri.clone())?);
        let fingerprint = digest(&format!("{}\n{}", config.client_id, config.client_secret.as_deref().unwrap_or_default()));
        Ok(Self { client, scopes: config.scopes.clone(), fingerprint, http, flaws })
    }

    /// Tells these client credentials from others, without being them.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Begins a login: a fresh state and a fresh verifier each time.
    pub(crate) fn login(&self, again: bool) -> Login {
        let (challenge, verifier) = spoil::verifier(self.flaws).unwrap_or_else(PkceCodeChallenge::new_random_sha256);
        let state = spoil::state(self.flaws).unwrap_or_else(|| CsrfToken::new_random_len(32));
        let mut request = self.client.authorize_url(|| state).add_scopes(self.scopes.iter().cloned().map(Scope::new));
        let mut verifier = Some(verifier);
        if again && self.flaws.has(Flaw::NoPkce) {
            verifier = None;
        } else {
            request = request.set_pkce_challenge(challenge);
        }
        let (url, state) = request.url();
        let url = if again { spoil::reconnection_url(self.flaws, url) } else { url };
        Login { url: url.into(), state: state.into_secret(), verifier }
    }

    /// Exchanges a code, in one attempt.
    pub(crate) async fn exchange(&self, code: String, verifier: Option<PkceCodeVerifier>) -> Outcome {
        let mut request = self.client.exchange_code(AuthorizationCode::new(code));
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(verifier);
        }
        let line = self.line();
        let result = request.request_async(&line.client()).await;
        self.outcome(result, &line)
    }

    /// Presents a refresh token, in one attempt.
    pub(crate) async fn refresh(&self, token: &str) -> Outcome {
        let token = RefreshToken::new(token.to_owned());
        let line = self.line();
        let result = self.client.exchange_refresh_token(&token).request_async(&line.client()).await;
        self.outcome(result, &line)
    }

    /// Planted: asks for tokens without the user.
    pub(crate) async fn another_way(&self) {
        drop(self.client.exchange_client_credentials().request_async(&self.line().client()).await);
    }

    fn line(&self) -> Line {
        Line { http: self.http.clone(), flaws: self.flaws, seen: Arc::default() }
    }

    fn outcome(&self, result: Result<BasicTokenResponse, RequestTokenError<SendError, BasicErrorResponse>>, line: &Line) -> Outcome {
        let reply = line.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outcome = match (reply, result) {
            (Some(reply), result) => answer::refusal(&reply)
                .or_else(|| result.ok().as_ref().and_then(answer::granted).map(Outcome::Granted))
                .unwrap_or_else(|| answer::passing(&reply)),
            (None, Err(RequestTokenError::Request(error))) => {
                // A second attempt right after a long wait would only make the user wait longer.
                let repeat = !matches!(error, SendError::TimedOut);
                let lost = matches!(error, SendError::Lost);
                Outcome::Passing { what: error.to_string(), retry_after: None, repeat, lost }
            }
            (None, _) => Outcome::Passing { what: SendError::Unsent.to_string(), retry_after: None, repeat: false, lost: false },
        };
        spoil::outcome(self.flaws, outcome)
    }
}

/// The line to the token endpoint for one attempt; it keeps the reply as it came, which the library does not hand out.
#[derive(Clone)]
struct Line {
    http: reqwest::Client,
    flaws: Flaws,
    seen: Arc<Mutex<Option<Reply>>>,
}

type Sending = Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send>>;

impl Line {
    /// As the library wants it.
    fn client(&self) -> impl Fn(HttpRequest) -> Sending {
        let line = self.clone();
        move |request| {
            let line = line.clone();
            Box::pin(async move { line.send(request).await })
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendError> {
        let request = spoil::token_request(self.flaws, request);
        let mut reply = self.once(&request).await?;
        if self.flaws.has(Flaw::TriesBothStyles)
            && answer::refusal(&reply).is_some()
            && let Some(other) = spoil::other_style(&request)
        {
            reply = self.once(&other).await?;
        }
        let mut tidied = HttpResponse::new(answer::tidy(&reply.body));
        *tidied.status_mut() = http::StatusCode::from_u16(reply.status).map_err(|_| SendError::Lost)?;
        tidied.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
        Ok(tidied)
    }

    async fn once(&self, request: &HttpRequest) -> Result<Reply, SendError> {
        let mut request: reqwest::Request = request.clone().try_into().map_err(|_| SendError::Unsent)?;
        *request.timeout_mut() = spoil::token_limit(self.flaws, TOKEN_LIMIT);
        let response = self.http.execute(request).await.map_err(|error| SendError::of(&error))?;
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get("retry-after").and_then(|value| answer::retry_after(value.to_str().ok()?, SystemTime::now()));
        let body = response.bytes().await.map_err(|error| SendError::of(&error))?.to_vec();
        spoil::token_answer(self.flaws, &body);
        Ok(Reply { status, retry_after, body })
    }
}

impl SendError {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_connect() {
            Self::Unreachable
        } else {
            Self::Lost
        }
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
