//! Calls of Pleo's API: with a good token each, repeated once where a refresh may help.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::{
    config::Config,
    flaw::{Flaw, Flaws},
    log::{self, Level},
    tokens::{Access, Need, Tokens, Unavailable},
};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// Pages of one list: more are a loop.
const MOST_PAGES: usize = 1_000;
/// How long the farewell may take before the user is told that they are disconnected.
const FAREWELL_LIMIT: Duration = Duration::from_secs(3);

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("Pleo answered {0} even to a fresh token")]
    Denied(u16),
    #[error("Pleo refused the request with {status} {kind}")]
    Refused { status: u16, kind: String },
    #[error("Pleo answered {0}")]
    Trouble(u16),
    #[error("Pleo could not be reached, or its answer was lost")]
    Lost,
    #[error("the last login was for another company")]
    OtherCompany,
}

/// Pleo's API.
pub(crate) struct Api {
    tokens: Arc<Tokens>,
    http: reqwest::Client,
    base: String,
    introspect: (String, String, Option<String>),
    /// The token that a refresh after a 403 gave: another refresh would not make it mightier.
    forbidden: AtomicU64,
    flaws: Flaws,
}

/// A request to the API.
struct Call<'a> {
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, String)],
    body: Option<&'a Value>,
}

impl Api {
    pub(crate) fn new(config: &Config, tokens: Arc<Tokens>, http: reqwest::Client, flaws: Flaws) -> Self {
        let introspect = (format!("{}/introspect", config.token_url), config.client_id.clone(), config.client_secret.clone());
        Self { tokens, http, base: config.api_url.clone(), introspect, forbidden: AtomicU64::new(0), flaws }
    }

    /// Reads a list, page by page, and hands each page on as it comes.
    pub(crate) async fn list(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        stimulus: u64,
        mut page: impl FnMut(Vec<Value>) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query: Vec<_> = filter.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            query.extend(after.take().map(|cursor| ("after", cursor)));
            let mut answer = self.call(Call { method: Method::GET, path, query: &query, body: None }, stimulus).await?;
            if let Some(Value::Array(things)) = answer.get_mut("data").map(Value::take) {
                page(things)?;
            }
            let pagination = answer.get("pagination");
            let more = pagination.and_then(|p| p.get("hasNextPage")).and_then(Value::as_bool).unwrap_or(false);
            after = pagination.and_then(|p| p.get("endCursor")).and_then(Value::as_str).filter(|_| more).map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Sends something.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value, stimulus: u64) -> Result<Value, CallError> {
        self.call(Call { method, path, query: &[], body: Some(body) }, stimulus).await
    }

    /// Tells Pleo that this installation is over, with a token that was just discarded here. What comes of it does not matter.
    pub(crate) async fn farewell(&self, token: &str) -> bool {
        let access = Access { token: token.to_owned(), generation: 0 };
        let call = Call { method: Method::DELETE, path: "/v1/installations/me", query: &[], body: None };
        let answer = tokio::time::timeout(FAREWELL_LIMIT, self.once(&call, Some(&access))).await;
        matches!(answer, Ok(Ok((status, _))) if status.is_success())
    }

    /// One call without a token: what a planted defect does.
    pub(crate) async fn bare(&self) {
        let call = Call { method: Method::GET, path: "/v3/export-jobs", query: &[], body: None };
        drop(self.once(&call, None).await);
    }

    /// One call with the token in its query as well: what a planted defect does. Pleo refuses it, and the answer is not looked at.
    pub(crate) async fn revealing(&self, stimulus: u64) -> Result<(), CallError> {
        let access = self.tokens.access(Need::Call, stimulus).await?;
        let query = [("access_token", access.token.clone())];
        drop(self.once(&Call { method: Method::GET, path: "/v1/introspect", query: &query, body: None }, Some(&access)).await);
        Ok(())
    }

    async fn call(&self, call: Call<'_>, stimulus: u64) -> Result<Value, CallError> {
        let mut need = Need::Call;
        let mut turns = if self.flaws.has(Flaw::LoopsOn401) { 10 } else { 1 };
        loop {
            let access = self.tokens.access(need, stimulus).await?;
            if let Need::Forbidden(_) = need {
                self.forbidden.store(access.generation, Ordering::SeqCst);
            }
            if self.flaws.has(Flaw::Introspects) {
                self.introspect(&access).await;
            }
            let (status, body) = self.once(&call, Some(&access)).await?;
            // A token may die early; a right that is missing is news.
            let (refused, level) = match status {
                StatusCode::UNAUTHORIZED => (Need::Rejected(access.generation), Level::Info),
                StatusCode::FORBIDDEN => (Need::Forbidden(access.generation), Level::Warn),
                _ => return result(status, &body),
            };
            let line = json!({ "status": status.as_u16(), "path": call.path });
            log::line(level, "api_call_denied", "Pleo's API did not accept the access token for a call", line);
            let helpless = matches!(refused, Need::Forbidden(generation) if self.forbidden.load(Ordering::SeqCst) == generation);
            if self.flaws.has(Flaw::HammersOn403) && status == StatusCode::FORBIDDEN {
                for _ in 0..20 {
                    drop(self.once(&call, Some(&access)).await);
                }
            }
            if turns == 0 || helpless {
                return Err(CallError::Denied(status.as_u16()));
            }
            turns -= 1;
            need = refused;
            if self.flaws.has(Flaw::ReportIsNotRepeated) && call.method == Method::PUT {
                return self.tokens.access(need, stimulus).await.map(|_| Value::Null).map_err(Into::into);
            }
        }
    }

    async fn once(&self, call: &Call<'_>, access: Option<&Access>) -> Result<(StatusCode, Vec<u8>), CallError> {
        let mut request =
            self.http.request(call.method.clone(), format!("{}{}", self.base, call.path)).timeout(CALL_LIMIT).query(call.query);
        if let Some(access) = access {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", access.token)).map_err(|_| CallError::Lost)?;
            bearer.set_sensitive(true);
            request = request.header(http::header::AUTHORIZATION, bearer);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|_| CallError::Lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(|_| CallError::Lost)?;
        Ok((status, body.to_vec()))
    }

    async fn introspect(&self, access: &Access) {
        let (url, id, secret) = &self.introspect;
        drop(self.http.post(url).basic_auth(id, secret.as_ref()).form(&[("token", &access.token)]).timeout(CALL_LIMIT).send().await);
    }
}

fn result(status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
    if status.is_success() {
        return if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body).map_err(|_| CallError::Lost) };
    }
    let passing = status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if passing || !status.is_client_error() {
        return Err(CallError::Trouble(status.as_u16()));
    }
    let kind = serde_json::from_slice(body).ok().and_then(|body: Value| body.get("type")?.as_str().map(str::to_lowercase));
    Err(CallError::Refused { status: status.as_u16(), kind: log::code(kind.as_deref().unwrap_or_default()).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_type_and_a_servers_fault_is_passing() {
        let refused = result(StatusCode::UNPROCESSABLE_ENTITY, br#"{"type":"EXPORT_NOT_FOUND"}"#);
        assert!(matches!(refused, Err(CallError::Refused { status: 422, kind }) if kind == "export_not_found"));
        for status in [StatusCode::BAD_GATEWAY, StatusCode::TOO_MANY_REQUESTS, StatusCode::FOUND] {
            assert!(matches!(result(status, b""), Err(CallError::Trouble(_))));
        }
        assert!(matches!(result(StatusCode::OK, b"{\"data\":["), Err(CallError::Lost)));
        assert!(matches!(result(StatusCode::ACCEPTED, b""), Ok(Value::Null)));
    }
}
