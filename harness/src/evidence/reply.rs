//! What a reply of the token endpoint means: final, transient, open, or tokens.

use serde::{Deserialize, Serialize};

/// What a written reply meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// A usable token answer.
    Tokens {
        /// Name of the access token.
        access: String,
        /// Name of the refresh token, if one came.
        refresh: Option<String>,
        /// `expires_in`, seconds.
        expires_in: Option<u64>,
    },
    /// An OAuth error that ends the grant or bars the client.
    Final {
        /// `error`.
        error: String,
        /// `error_description`: the provider's words, not the subject's.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        description: Option<String>,
    },
    /// A fault that says nothing of the grant.
    Transient,
    /// An answer that the sources leave open.
    Open {
        /// `error`, if there is one.
        error: Option<String>,
    },
    /// A reply of the API or the authorise endpoint.
    Plain,
}

/// How a request ended that got no whole reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severance {
    /// Before the provider committed anything.
    BeforeCommit,
    /// After: a lost reply.
    AfterCommit,
}

const FINAL: [&str; 5] = ["invalid_grant", "invalid_token", "invalid_refresh_token", "unauthorized_client", "invalid_client"];

/// Reads a reply of the token endpoint. `name` tells the name of a token by its value.
pub fn classify(status: u16, body: &[u8], name: impl Fn(&str) -> Option<String>) -> Reply {
    let json: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(body).ok();
    let text = |key: &str| json.as_ref().and_then(|map| map.get(key)).and_then(|v| v.as_str()).map(str::to_owned);
    let error = text("error");
    let known = error.as_deref().is_some_and(|e| FINAL.contains(&e));
    match (status, error) {
        (408 | 429 | 500..=599, Some(error)) if known => Reply::Open { error: Some(error) },
        (408 | 429 | 500..=599, _) => Reply::Transient,
        (_, Some(error)) if known => Reply::Final { error, description: text("error_description") },
        (200..=299, None) => tokens(json.as_ref(), name).unwrap_or(Reply::Transient),
        (200..=299, Some(_)) => Reply::Transient,
        (_, error) => Reply::Open { error },
    }
}

fn tokens(json: Option<&serde_json::Map<String, serde_json::Value>>, name: impl Fn(&str) -> Option<String>) -> Option<Reply> {
    let json = json?;
    let named = |key: &str| json.get(key).and_then(|v| v.as_str()).filter(|v| !v.is_empty());
    let access = named("access_token")?;
    Some(Reply::Tokens {
        access: name(access).unwrap_or_else(|| "foreign".into()),
        refresh: named("refresh_token").map(|r| name(r).unwrap_or_else(|| "foreign".into())),
        expires_in: json.get("expires_in").and_then(serde_json::Value::as_u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Reply {
        classify(200, body.as_bytes(), |value| Some(format!("name of {value}")))
    }

    #[test]
    fn odd_token_responses_say_no_more_than_they_say() {
        for (members, refresh, expires_in) in [
            (r#""expires_in":"900","refresh_token":"b""#, Some("name of b"), None),
            (r#""expires_in":900.5,"refresh_token":null"#, None, None),
            (r#""expires_in":-1,"refresh_token":"""#, None, None),
            (r#""expires_in":9999999999"#, None, Some(9_999_999_999)),
            (r#""expires_in":0,"id_token":"x","token_type":"BEARER""#, None, Some(0)),
        ] {
            let wanted = Reply::Tokens { access: "name of a".into(), refresh: refresh.map(Into::into), expires_in };
            assert_eq!(read(&format!(r#"{{"access_token":"a",{members}}}"#)), wanted, "{members}");
        }
    }

    #[test]
    fn a_garbled_response_gives_no_tokens() {
        for body in ["", "{\"access_token\":\"a\",}\nError: stream reset\n", "<html></html>"] {
            assert_eq!(read(body), Reply::Transient, "{body}");
        }
    }
}
