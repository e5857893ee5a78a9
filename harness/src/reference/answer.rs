//! What an answer of the token endpoint means: tokens, the end of the grant, refused credentials, or a passing fault. Pure.

use std::time::{Duration, SystemTime};

use oauth2::{TokenResponse, basic::BasicTokenResponse};
use serde_json::Value;

/// A reply as it was read whole.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// What it means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Usable tokens.
    Granted(Granted),
    /// The token or code that was sent is refused for good.
    Refused { code: String, status: u16 },
    /// The client's own credentials are refused; nothing was said of the token.
    ClientRefused { status: u16 },
    /// Nothing was decided; a later attempt may succeed. `repeat`: even one right now. `lost`: Pleo may have decided, but we do not know what.
    Passing { what: String, retry_after: Option<Duration>, repeat: bool, lost: bool },
}

/// Usable tokens.
#[derive(PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    /// Absent or zero: unknown, so only the API can tell.
    pub(crate) lasts: Option<Duration>,
}

impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

/// Words with which Pleo (or the RFC) ends a grant, whatever the status of the answer.
const FINAL: [&str; 4] = ["invalid_grant", "invalid_token", "invalid_refresh_token", "unauthorized_client"];
/// Words that ask for patience even where the status does not.
const PATIENCE: [&str; 3] = ["temporarily_unavailable", "server_error", "slow_down"];

/// Reads a reply that carried no usable tokens.
pub(crate) fn refusal(reply: &Reply) -> Option<Outcome> {
    let status = reply.status;
    if status >= 500 || status == 408 || status == 429 {
        return None;
    }
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let code = body.get("error")?.as_str()?.to_owned();
    if code == "invalid_client" {
        return Some(Outcome::ClientRefused { status });
    }
    // An unfamiliar word in a 4xx is a rejection as well; in any other answer it decides nothing.
    let rejected = (400..500).contains(&status) && !PATIENCE.contains(&code.as_str());
    (FINAL.contains(&code.as_str()) || rejected).then_some(Outcome::Refused { code, status })
}

/// The fault in a reply that decides nothing.
pub(crate) fn passing(reply: &Reply) -> Outcome {
    let what = if (200..300).contains(&reply.status) { "unusable token answer".to_owned() } else { format!("HTTP {}", reply.status) };
    Outcome::Passing { what, retry_after: reply.retry_after, repeat: true, lost: false }
}

/// Takes the tokens out of an answer, if they can be used at all.
pub(crate) fn granted(answer: &BasicTokenResponse) -> Option<Granted> {
    let access = answer.access_token().secret();
    // It must fit into a header as it stands.
    let usable = !access.is_empty() && access.bytes().all(|b| b.is_ascii_graphic());
    usable.then(|| Granted {
        access: access.clone(),
        refresh: answer.refresh_token().map(|token| token.secret().clone()).filter(|token| !token.is_empty()),
        lasts: answer.expires_in().filter(|lasts| !lasts.is_zero()),
    })
}

/// Puts right what the library refuses but is understandable: a missing type, a lifetime as text or fraction.
pub(crate) fn tidy(body: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
    if !fields.contains_key("access_token") || fields.get("error").is_some_and(Value::is_string) {
        // What speaks of an error is no token answer, whatever else it holds.
        return b"{}".to_vec();
    }
    fields.entry("token_type").or_insert_with(|| "Bearer".into());
    if let Some(lasts) = fields.get("expires_in").cloned() {
        match seconds(&lasts) {
            Some(seconds) => fields.insert("expires_in".into(), seconds.into()),
            None => fields.remove("expires_in"),
        };
    }
    if fields.get("scope").is_some_and(|scope| !scope.is_string()) {
        fields.remove("scope");
    }
    Value::Object(fields).to_string().into_bytes()
}

/// `Retry-After`, in seconds or as a date.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let seconds = value.trim().parse().ok().map(Duration::from_secs);
    seconds.or_else(|| Some(httpdate::parse_http_date(value.trim()).ok()?.duration_since(now).unwrap_or_default()))
}

fn seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // The cast saturates; a century is as good as for ever.
    (number.is_finite() && number >= 0.0).then_some((number as u64).min(3_155_760_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    fn error(status: u16, code: &str) -> Option<Outcome> {
        refusal(&reply(status, &format!(r#"{{"error":"{code}"}}"#)))
    }

    fn tokens(body: &str) -> Option<Granted> {
        granted(&serde_json::from_slice(&tidy(body.as_bytes())).ok()?)
    }

    #[test]
    fn a_known_final_word_ends_the_grant_at_any_status_but_a_servers_fault() {
        for code in FINAL {
            for status in [200, 302, 400, 401, 403] {
                assert_eq!(error(status, code), Some(Outcome::Refused { code: code.into(), status }));
            }
            for status in [408, 429, 500, 503] {
                assert_eq!(error(status, code), None);
            }
        }
    }

    #[test]
    fn an_unfamiliar_word_ends_the_grant_only_in_a_4xx() {
        assert!(matches!(error(400, "token_too_old"), Some(Outcome::Refused { .. })));
        assert_eq!(error(200, "token_too_old"), None);
        assert_eq!(error(400, "temporarily_unavailable"), None);
    }

    #[test]
    fn refused_credentials_say_nothing_of_the_token() {
        assert_eq!(error(401, "invalid_client"), Some(Outcome::ClientRefused { status: 401 }));
    }

    #[test]
    fn a_refusal_without_words_decides_nothing() {
        for body in ["", "<html>403</html>", "{}", r#"{"error":7}"#, r#"{"error":null}"#] {
            assert_eq!(refusal(&reply(401, body)), None, "{body}");
        }
    }

    #[test]
    fn an_answer_is_usable_with_a_lifetime_in_any_form_and_without_a_type() {
        for (given, lasts) in [("900", Some(900)), ("\"900\"", Some(900)), ("1.5", Some(1)), ("null", None), ("0", None), ("-5", None)] {
            let body = format!(r#"{{"access_token":"a","refresh_token":"r","expires_in":{given}}}"#);
            let expected = Granted { access: "a".into(), refresh: Some("r".into()), lasts: lasts.map(Duration::from_secs) };
            assert_eq!(tokens(&body), Some(expected), "{given}");
        }
        assert_eq!(tokens(r#"{"access_token":"a","refresh_token":null}"#).and_then(|granted| granted.refresh), None);
        assert_eq!(tokens(r#"{"access_token":"a","refresh_token":""}"#).and_then(|granted| granted.refresh), None);
    }

    #[test]
    fn an_answer_without_a_usable_access_token_is_none() {
        let both = r#"{"error":"odd","access_token":"a","token_type":"Bearer"}"#;
        for body in
            ["", "{}", both, r#"{"access_token":null}"#, r#"{"access_token":""}"#, r#"{"access_token":"a b"}"#, r#"{"access_token":7}"#]
        {
            assert_eq!(tokens(body), None, "{body}");
        }
    }
}
