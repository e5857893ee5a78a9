//! `POST /oauth/token/introspect` (RFC 7662, with Pleo's members).

use std::hash::{DefaultHasher, Hash, Hasher};

use regrant_authority::Introspection;
use serde_json::json;

use super::{desk::Desk, presented, reply::Reply, request::Request, token};
use crate::journal::Decision;

/// Says what a token is good for.
pub(super) fn handle(desk: &mut Desk<'_>, request: &Request) -> (Reply, Decision) {
    let value = request.form.get("token");
    let presented = value.map(|value| presented::describe(&desk.state, desk.now, value));
    let (reply, active) = match (token::check_form(request), request.form.repeated(), value) {
        (Err(reply), _, _) => (reply, None),
        (Ok(()), Some(_), _) => (Reply::oauth_error(400, "invalid_request", Some("A parameter stands more than once")), None),
        (Ok(()), None, value) => match desk.state.authority.introspect(desk.now, &request.client_auth(), value.unwrap_or_default()) {
            Err(refusal) => (token::error(&refusal), None),
            Ok(_) if value.is_none() => (Reply::oauth_error(400, "invalid_request", Some("The parameter token is missing")), None),
            Ok(None) => (Reply::json(200, &json!({"active": false})).unstored(), Some(false)),
            Ok(Some(found)) => (describe(&found, value.unwrap_or_default(), request.audience), Some(true)),
        },
    };
    (reply, Decision::Introspect { presented, active })
}

fn describe(found: &Introspection, token: &str, audience: &str) -> Reply {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    let mut body = json!({
        "active": true,
        "sub": found.user,
        "client_id": found.client_id,
        "aud": audience,
        "iss": "pleo.mock",
        "iat": found.iat.0 / 1000,
        "exp": found.exp.0 / 1000,
        "jti": format!("{:016x}", hasher.finish()),
        "urn:pleo:params:oauth:subject_urn": format!("urn:pleo:company:{}", found.company),
    });
    if let (false, Some(fields)) = (found.scopes.is_empty(), body.as_object_mut()) {
        fields.insert("scope".into(), json!(found.scopes.join(" ")));
    }
    Reply::json(200, &body).unstored()
}
