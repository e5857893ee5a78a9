//! A small integration as its author would write it, on the `oauth2` crate: the thing that the examples and tests here put to the
//! test. It refreshes at most once at a time, and lets go of a connection that was refused.

use std::error::Error;

use oauth2::{
    ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RefreshToken, RequestTokenError, TokenResponse,
    TokenUrl,
    basic::{BasicClient, BasicErrorResponseType},
};
use regrant_mock_server::{Connected, Pleo};
use tokio::sync::Mutex;

/// The integration, connected to one company.
pub(crate) struct Integration {
    http: reqwest::Client,
    oauth: BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>,
    api: String,
    connection: Mutex<Option<Tokens>>,
}

#[derive(Clone, PartialEq)]
struct Tokens {
    access: String,
    refresh: String,
}

/// What came of some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// So many employees were read.
    Read(usize),
    /// The user has to connect again.
    Disconnected,
    /// Something failed that may pass.
    Later,
}

impl Integration {
    /// An integration with the tokens of a connection that was made before.
    pub(crate) fn new(pleo: &Pleo, connected: Connected) -> Result<Self, Box<dyn Error>> {
        // Some builds of reqwest leave the choice of cryptography to the program; the second choice is refused, which is as well.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let mut oauth = BasicClient::new(ClientId::new(pleo.client_id())).set_token_uri(TokenUrl::new(pleo.token_url().to_owned())?);
        if let Some(secret) = pleo.client_secret() {
            oauth = oauth.set_client_secret(ClientSecret::new(secret));
        }
        let tokens = Tokens { access: connected.access_token, refresh: connected.refresh_token };
        Ok(Self { http: reqwest::Client::new(), oauth, api: pleo.api_url().to_owned(), connection: Mutex::new(Some(tokens)) })
    }

    /// Reads the employees, with a fresh token if the API wants one.
    pub(crate) async fn work(&self) -> Result<Outcome, Box<dyn Error>> {
        let Some(mut tokens) = self.connection.lock().await.clone() else { return Ok(Outcome::Disconnected) };
        for attempt in 0..2 {
            let url = format!("{}/v2/employees", self.api);
            let reply = self.http.get(url).bearer_auth(&tokens.access).send().await?;
            if reply.status() == 401 && attempt == 0 {
                match self.refreshed(&tokens).await {
                    Ok(fresh) => tokens = fresh,
                    Err(outcome) => return Ok(outcome),
                }
            } else if reply.status().is_success() {
                let page: serde_json::Value = reply.json().await?;
                return Ok(Outcome::Read(page["data"].as_array().map_or(0, Vec::len)));
            }
        }
        Ok(Outcome::Later)
    }

    /// Newer tokens than these: those that another task has got meanwhile, or our own.
    async fn refreshed(&self, spent: &Tokens) -> Result<Tokens, Outcome> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            None => return Err(Outcome::Disconnected),
            Some(newer) if newer != spent => return Ok(newer.clone()),
            Some(_) => {}
        }
        let token = RefreshToken::new(spent.refresh.clone());
        let http = self.http.clone();
        let send = move |request| send(http.clone(), request);
        match self.oauth.exchange_refresh_token(&token).request_async(&send).await {
            Ok(answer) => {
                let refresh = answer.refresh_token().map_or(spent.refresh.clone(), |token| token.secret().clone());
                let fresh = Tokens { access: answer.access_token().secret().clone(), refresh };
                *connection = Some(fresh.clone());
                Ok(fresh)
            }
            Err(RequestTokenError::ServerResponse(refusal)) if *refusal.error() == BasicErrorResponseType::InvalidGrant => {
                *connection = None;
                Err(Outcome::Disconnected)
            }
            Err(_) => Err(Outcome::Later),
        }
    }
}

/// The `oauth2` crate brings no HTTP client of its own here.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let reply = http.execute(request.try_into()?).await?;
    let mut answer = HttpResponse::new(Vec::new());
    (*answer.status_mut(), *answer.headers_mut()) = (reply.status(), reply.headers().clone());
    *answer.body_mut() = reply.bytes().await?.to_vec();
    Ok(answer)
}
