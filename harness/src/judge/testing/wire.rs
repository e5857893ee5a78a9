//! What crosses the wire in a hand-written history.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    journal::{AuthStyle, Carried, Endpoint},
};

use super::{MS, Story};
use crate::evidence::*;

/// What a token request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A pair, by name.
    Tokens(String, Option<String>),
    /// An OAuth error.
    Refused(String),
    /// 200 and no tokens.
    Unusable,
    /// 503.
    Unavailable,
    /// The connection is closed.
    Dropped,
}

impl Story {
    pub(super) fn requested(self, endpoint: Endpoint, method: &str, path: &str, by_agent: bool) -> Self {
        self.names(endpoint, method, path, by_agent, Vec::new())
    }

    fn names(self, endpoint: Endpoint, method: &str, path: &str, by_agent: bool, units: Vec<String>) -> Self {
        let (exchange, began) = (self.exchange, self.now + MS / 2);
        let instance = self.instance.filter(|_| !by_agent);
        let content_type = (endpoint == Endpoint::Token).then(|| "application/x-www-form-urlencoded".to_owned());
        self.event(What::Requested {
            exchange,
            conn: exchange,
            began,
            endpoint,
            method: method.into(),
            path: path.into(),
            content_type,
            units,
            by_agent,
            instance,
        })
    }

    /// An API call with the newest access token, answered with a status.
    pub(crate) fn api(self, status: u16) -> Self {
        let (access, _) = self.newest();
        let state = if status == 401 { TokenState::Rejected } else { TokenState::Active };
        self.calls_api(Some(&access), state, status)
    }

    /// An API call with this token.
    pub(crate) fn calls_api(mut self, token: Option<&str>, state: TokenState, status: u16) -> Self {
        self.exchange += 1;
        self.requested(Endpoint::Api, "GET", "/v3/export-jobs", false).api_end(token, state, status, Vec::new())
    }

    /// The arrival of an API call.
    pub(crate) fn api_asked(mut self) -> Self {
        self.exchange += 1;
        self.requested(Endpoint::Api, "GET", "/v3/export-jobs", false)
    }

    /// A report of these units as done.
    pub(crate) fn reports(mut self, units: &[String]) -> Self {
        self.exchange += 1;
        let (access, _) = self.newest();
        self.names(Endpoint::Api, "PUT", "/v3/export-jobs/1/items", false, units.to_vec()).api_end(
            Some(&access),
            TokenState::Active,
            200,
            units.to_vec(),
        )
    }

    /// A report of all that waits, with a token that is no longer accepted, and the refresh after it; the units are given.
    pub(crate) fn reports_in_vain(mut self) -> (Self, Vec<String>) {
        self.exchange += 1;
        let (access, _) = self.newest();
        let units = std::mem::take(&mut self.waiting);
        let story = self.names(Endpoint::Api, "PUT", "/v3/export-jobs/1/items", false, units.clone());
        (story.api_end(Some(&access), TokenState::Rejected, 401, Vec::new()).refreshes(), units)
    }

    /// The progress of an export job is reported.
    pub(crate) fn tells_of(mut self, job: &str, report: &str, accepted: bool) -> Self {
        self.exchange += 1;
        let (exchange, (access, _)) = (self.exchange, self.newest());
        let reported = What::JobReported { exchange, job: job.into(), report: report.into(), accepted };
        let status = if accepted { 202 } else { 422 };
        let story = self.requested(Endpoint::Api, "POST", "/v3/export-job-events", false).event(reported);
        story.api_end(Some(&access), TokenState::Active, status, Vec::new())
    }

    /// Pleo is told that the user has disconnected, and answers with this status.
    pub(crate) fn bids_farewell(mut self, status: u16) -> Self {
        self.exchange += 1;
        let (access, _) = self.newest();
        let story = self.requested(Endpoint::Api, "DELETE", "/v1/installations/me", false);
        story.api_end(Some(&access), TokenState::Active, status, Vec::new())
    }

    pub(crate) fn api_end(self, token: Option<&str>, state: TokenState, status: u16, delivered: Vec<String>) -> Self {
        let (exchange, presented) = (self.exchange, token.map(|token| self.presented(token, state)));
        let carried = if token.is_some() { Carried::Bearer } else { Carried::Nothing };
        self.event(What::Api { exchange, presented, carried, status, handed_out: Vec::new(), delivered }).replies(status, Reply::Plain)
    }

    fn replies(self, status: u16, reply: Reply) -> Self {
        let exchange = self.exchange;
        self.event(What::Replied { exchange, status, reply }).event(What::Read { exchange })
    }

    /// A question to the introspection endpoint.
    pub(crate) fn introspects(mut self) -> Self {
        self.exchange += 1;
        let exchange = self.exchange;
        self.requested(Endpoint::Introspect, "POST", "/oauth/token/introspect", false)
            .event(What::Introspected { exchange })
            .replies(200, Reply::Plain)
    }

    /// Looks for work, and delivers all that waits.
    pub(crate) fn delivers(mut self) -> Self {
        let waiting = std::mem::take(&mut self.waiting);
        let story = self.api(200);
        if waiting.is_empty() { story } else { story.reports(&waiting) }
    }

    fn presented(&self, token: &str, state: TokenState) -> Presentation {
        // Families are told by the pair: the first one is that of the first consent.
        Presentation { token: Some(token.into()), grant: Some(self.grant), state }
    }

    /// A refresh with the newest refresh token that is refused.
    pub(crate) fn refused(self, error: &str) -> Self {
        let (_, refresh) = self.newest();
        self.refuses(&refresh, error)
    }

    /// A refresh with this token that is refused.
    pub(crate) fn refuses(self, token: &str, error: &str) -> Self {
        self.token_request("refresh_token", Some(token), AuthStyle::Basic, Answer::Refused(error.into()))
    }

    /// A refresh with the newest token that gives a new pair, which is stored.
    pub(crate) fn refreshes(mut self) -> Self {
        let (_, spent) = self.newest();
        self.pair += 1;
        let (access, refresh) = self.newest();
        self.stores_pair()
            .token_request("refresh_token", Some(&spent), AuthStyle::Basic, Answer::Tokens(access, Some(refresh)))
            .log("2026-01-01T10:00:00Z INFO the access token was refreshed")
    }

    /// A refresh that is met by a fault before anything is decided.
    pub(crate) fn faulted(self, fault: Answer) -> Self {
        let (_, refresh) = self.newest();
        self.token_request("refresh_token", Some(&refresh), AuthStyle::Basic, fault)
    }

    /// A token request with all that becomes of it.
    pub(crate) fn token_request(self, grant_type: &str, token: Option<&str>, auth: AuthStyle, answer: Answer) -> Self {
        self.token_asked().token_decided(grant_type, token, auth, &answer).token_answered(answer)
    }

    /// Its arrival.
    pub(crate) fn token_asked(mut self) -> Self {
        self.exchange += 1;
        self.requested(Endpoint::Token, "POST", "/oauth/token", false)
    }

    /// Its decision.
    pub(crate) fn token_decided(self, grant_type: &str, token: Option<&str>, auth: AuthStyle, answer: &Answer) -> Self {
        let (exchange, state) =
            (self.exchange, if matches!(answer, Answer::Refused(_)) { TokenState::Revoked(Cause::User) } else { TokenState::Active });
        let presented = token.map(|token| self.presented(token, state));
        let result = match answer {
            Answer::Tokens(access, refresh) => TokenResult::Issued { grant: self.grant, access: access.clone(), refresh: refresh.clone() },
            Answer::Refused(error) => TokenResult::Refused { error: error.clone(), status: 400 },
            Answer::Unusable | Answer::Unavailable | Answer::Dropped => TokenResult::Undecided,
        };
        let verifier = grant_type == "authorization_code";
        let secret = Some("secret#1".into());
        self.event(What::Token { exchange, grant_type: Some(grant_type.into()), auth, secret, presented, verifier, result })
    }

    /// Its answer.
    pub(crate) fn token_answered(self, answer: Answer) -> Self {
        let exchange = self.exchange;
        match answer {
            Answer::Tokens(access, refresh) => self.replies(200, Reply::Tokens { access, refresh, expires_in: Some(900) }),
            Answer::Refused(error) => {
                let description = Some("The refresh token is expired or revoked".into());
                self.replies(400, Reply::Final { error, description })
            }
            Answer::Unusable => self
                .event(What::Faulted { rule: Some(1), exchange, fate: "replace 200".into(), committed: false })
                .replies(200, Reply::Transient),
            Answer::Unavailable => self
                .event(What::Faulted { rule: Some(1), exchange, fate: "status 503".into(), committed: false })
                .replies(503, Reply::Transient),
            Answer::Dropped => self
                .event(What::Faulted { rule: Some(1), exchange, fate: "drop".into(), committed: false })
                .event(What::Aborted { exchange, by_subject: false }),
        }
    }

    /// The exchange in the making.
    pub(crate) fn exchange(&self) -> u64 {
        self.exchange
    }

    /// The call in the making.
    pub(crate) fn call(&self) -> u32 {
        self.call
    }
}
