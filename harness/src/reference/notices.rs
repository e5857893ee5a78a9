//! What is logged of tokens: each refresh and its outcome, the end of a grant, the call for reauthentication.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    flaw::{Flaw, Flaws},
    log::{self, Level},
};

/// Planted: how many ends there were.
static ENDS: AtomicU32 = AtomicU32::new(0);

/// Speaks of tokens without naming one.
#[derive(Clone, Copy)]
pub(crate) struct Notices {
    flaws: Flaws,
}

impl Notices {
    pub(crate) fn new(flaws: Flaws) -> Self {
        Self { flaws }
    }

    pub(crate) fn refreshing(self, attempt: u32) {
        if !self.flaws.has(Flaw::Silent) && !self.flaws.has(Flaw::LogsNoAttempts) {
            log::line(Level::Info, "token_refresh_attempt", "refreshing the access token", json!({ "attempt": attempt }));
        }
    }

    pub(crate) fn refreshed(self, lasts: Option<Duration>) {
        if self.flaws.has(Flaw::LogsNoAttempts) {
            return;
        }
        let more = json!({ "expires_in": lasts.map(|lasts| lasts.as_secs()) });
        log::line(Level::Info, "token_refresh_succeeded", "the access token was refreshed", more);
    }

    pub(crate) fn refused(self, code: &str, status: u16) {
        if self.flaws.has(Flaw::LogsOnce) && ENDS.load(Ordering::Relaxed) > 0 {
            return;
        }
        let code = log::code(code);
        if self.flaws.has(Flaw::Whispers) {
            self.failure(Level::Info, "token_refresh_unavailable", code, json!({ "status": status }));
        } else {
            self.failure(Level::Error, "token_refresh_refused", code, json!({ "status": status }));
        }
    }

    pub(crate) fn unavailable(self, what: &str, attempt: u32) {
        self.failure(Level::Warn, "token_refresh_unavailable", what, json!({ "attempt": attempt }));
    }

    /// Pleo refused our own credentials, on a refresh or (`exchange`) on a login.
    pub(crate) fn client_refused(self, status: u16) {
        if self.flaws.has(Flaw::Silent) || self.flaws.has(Flaw::MumblesOfCredentials) {
            return;
        }
        let message = "token request failed: invalid_client: Pleo refused the client credentials of this application; an operator must configure the right client secret";
        log::line(Level::Error, "client_credentials_refused", message, json!({ "reason": "invalid_client", "status": status }));
    }

    /// A refusal came for a token that is no longer the stored one.
    pub(crate) fn outdated(self) {
        log::line(
            Level::Info,
            "token_answer_outdated",
            "the answer concerns a token that was replaced meanwhile; it changes nothing",
            Value::Null,
        );
    }

    /// The grant was found to be over, and the user has to restore it.
    pub(crate) fn ended(self, cause: &str) {
        if self.flaws.has(Flaw::LogsOnce) && ENDS.fetch_add(1, Ordering::Relaxed) > 0 {
            return;
        }
        let cause = log::code(cause);
        let more = if self.flaws.has(Flaw::LogsNoReason) { Value::Null } else { json!({ "cause": cause }) };
        let (grave, remarkable) = if self.flaws.has(Flaw::Whispers) { (Level::Info, Level::Info) } else { (Level::Error, Level::Warn) };
        if !self.flaws.has(Flaw::Silent) && !self.flaws.has(Flaw::NoDetectionLine) {
            let message = if self.flaws.has(Flaw::LogsNoReason) {
                "the connection is unauthenticated, its tokens were discarded"
            } else {
                "detected that the refresh token is expired or revoked: the connection is unauthenticated, its tokens were discarded"
            };
            log::line(grave, "authorization_lost", message, more.clone());
        }
        if self.speaks_of_reauthentication() {
            log::line(remarkable, "reauthentication_required", "reauthentication required: the user is asked to reconnect", more);
        }
    }

    /// Planted: says again what was said.
    pub(crate) fn held(self, wants_user: bool) {
        if wants_user && self.flaws.has(Flaw::Nags) {
            log::line(Level::Warn, "reauthentication_required", "reauthentication required: the user is asked to reconnect", Value::Null);
        }
    }

    pub(crate) fn login_begun(self, again: bool) {
        if !again {
            log::line(Level::Info, "authorization_started", "the user was sent to the consent page", Value::Null);
        } else if self.speaks_of_reauthentication() {
            log::line(
                Level::Info,
                "reauthentication_started",
                "reauthentication started: the user was sent to the consent page",
                Value::Null,
            );
        }
    }

    pub(crate) fn connected(self) {
        log::line(Level::Info, "connection_established", "the connection works", Value::Null);
    }

    pub(crate) fn login_failed(self, what: &str) {
        log::line(Level::Warn, "authorization_failed", "the login did not succeed; everything stays as it was", json!({ "reason": what }));
    }

    fn speaks_of_reauthentication(self) -> bool {
        ![Flaw::Silent, Flaw::NoDetectionLine, Flaw::NoReauthLine].into_iter().any(|flaw| self.flaws.has(flaw))
    }

    fn failure(self, level: Level, event: &str, reason: &str, mut more: Value) {
        if self.flaws.has(Flaw::Silent) {
            return;
        }
        if self.flaws.has(Flaw::LogsNoReason) {
            log::line(level, event, "token refresh failed", Value::Null);
            return;
        }
        if let Value::Object(fields) = &mut more {
            fields.insert("reason".into(), reason.into());
        }
        log::line(level, event, &format!("token refresh failed: {reason}"), more);
    }
}
