//! `POST /oauth/token`.

use regrant_authority::{Authority, ClientAuth, Issued, Refusal, Time, TokenGrant, TokenRequest};
use serde_json::Value;

use super::{desk::Desk, presented, reply::Reply, request::Request};
use crate::{
    fault::{RefreshForm, Reshape},
    journal::{AuthStyle, Decision, TokenOutcome},
    state::State,
};

/// Exchanges a code or refreshes.
pub(super) fn handle(desk: &mut Desk<'_>, request: &Request, shape: Option<&Reshape>) -> (Reply, Decision) {
    let client = request.client_auth();
    let auth = auth_style(&desk.state.authority, desk.now, &client);
    let value = request.form.get("refresh_token").or_else(|| request.form.get("code"));
    let presented = value.map(|value| presented::describe(&desk.state, desk.now, value));
    let (reply, outcome) = match check(request, client) {
        Err(reply) => refused(reply, "invalid_request"),
        Ok(asked) => match grant(desk, &asked, shape) {
            Ok(issued) => issue(desk, &issued, shape),
            Err(refusal) => refused(error(&refusal), &refusal.error),
        },
    };
    (reply, Decision::Token { grant_type: request.form.owned("grant_type"), auth, presented, outcome })
}

/// Asks the authority, on the terms of the form that the answer is to have.
fn grant(desk: &mut Desk<'_>, asked: &TokenRequest, shape: Option<&Reshape>) -> Result<Issued, Refusal> {
    let usual = desk.state.source.shape();
    if let Some(tokens) = shape.and_then(|shape| shape.tokens) {
        desk.state.source.set_shape(tokens);
    }
    let (authority, mut mint) = desk.state.minting(&desk.shared.journal);
    let mut outcome = match shape {
        None => authority.token(desk.now, asked, &mut mint),
        Some(shape) => authority.token_on(shape.terms(), desk.now, asked, &mut mint),
    };
    desk.state.source.set_shape(usual);
    if let (Some(form), Ok(issued)) = (shape.and_then(|shape| shape.refresh_token), &mut outcome) {
        issued.refresh_token = match (form, &asked.grant) {
            // What is told to nobody is not issued to anybody.
            (RefreshForm::Absent | RefreshForm::Null | RefreshForm::Empty, _) => None,
            (RefreshForm::Same, TokenGrant::RefreshToken { refresh_token, .. }) => refresh_token.clone(),
            (RefreshForm::Same, TokenGrant::AuthorizationCode { .. } | TokenGrant::Other(_)) => issued.refresh_token.take(),
        };
    }
    outcome
}

/// Whether the client proves who it is; what else is wrong does not matter.
pub(super) fn is_authenticated(state: &State, now: Time, request: &Request) -> bool {
    let asked = check(request, request.client_auth());
    asked.is_ok_and(|asked| asked.repeated.is_none() && state.authority.authenticates(now, &asked.auth))
}

/// The reply to a refused request.
pub(super) fn error(refusal: &Refusal) -> Reply {
    let reply = Reply::oauth_error(refusal.status, &refusal.error, refusal.description.as_deref());
    if refusal.challenge_basic { reply.header("www-authenticate", "Basic realm=\"pleo\", charset=\"UTF-8\"") } else { reply }
}

/// How the client authenticated itself, and which reading of a Basic header is its secret.
pub(super) fn auth_style(authority: &Authority, now: Time, auth: &ClientAuth) -> AuthStyle {
    let matches = |(id, secret): &(String, String)| {
        authority.client(id).is_some_and(|client| client.secrets.iter().any(|s| s.is_valid(now) && s.value == *secret))
    };
    match auth {
        ClientAuth::None { .. } => AuthStyle::None,
        ClientAuth::Basic { decoded, raw } if !matches(decoded) && matches(raw) => AuthStyle::BasicRaw,
        ClientAuth::Basic { .. } => AuthStyle::Basic,
        ClientAuth::Body { .. } => AuthStyle::Body,
        ClientAuth::Both => AuthStyle::Both,
        ClientAuth::Malformed => AuthStyle::Malformed,
    }
}

/// What must be right before the authority is asked (RFC 6749 section 3.2).
pub(super) fn check_form(request: &Request) -> Result<(), Reply> {
    if request.method != "POST" {
        return Err(Reply::oauth_error(405, "invalid_request", Some("Only POST is allowed here")).header("allow", "POST"));
    }
    if !request.is_form() {
        return Err(Reply::oauth_error(400, "invalid_request", Some("The body must be application/x-www-form-urlencoded")));
    }
    if request.form.is_malformed() {
        return Err(Reply::oauth_error(400, "invalid_request", Some("The body is not encoded as a form")));
    }
    Ok(())
}

fn check(request: &Request, auth: ClientAuth) -> Result<TokenRequest, Reply> {
    check_form(request)?;
    let form = &request.form;
    let grant = match form.get("grant_type") {
        Some("authorization_code") => TokenGrant::AuthorizationCode {
            code: form.owned("code"),
            redirect_uri: form.owned("redirect_uri"),
            code_verifier: form.owned("code_verifier"),
        },
        Some("refresh_token") => TokenGrant::RefreshToken { refresh_token: form.owned("refresh_token"), scope: form.owned("scope") },
        other => TokenGrant::Other(other.map(str::to_owned)),
    };
    Ok(TokenRequest { auth, grant, repeated: form.repeated() })
}

fn issue(desk: &Desk<'_>, issued: &Issued, shape: Option<&Reshape>) -> (Reply, TokenOutcome) {
    let usual = Body {
        access_token: &issued.access_token,
        token_type: "Bearer",
        expires_in: issued.expires_in.as_secs(),
        refresh_token: issued.refresh_token.as_deref(),
        scope: (!issued.scopes.is_empty()).then(|| issued.scopes.join(" ")),
    };
    let reply = match shape {
        None => Reply::json(200, &usual),
        Some(shape) => Reply::json(200, &reshaped(&usual, shape)),
    };
    let name = |value: &String| desk.state.vault.find(value).map_or_else(|| "unknown".to_owned(), |canary| canary.name);
    let outcome =
        TokenOutcome::Issued { grant: issued.grant, access: name(&issued.access_token), refresh: issued.refresh_token.as_ref().map(name) };
    (reply.unstored(), outcome)
}

/// A token reply (RFC 6749 section 5.1).
#[derive(serde::Serialize)]
struct Body<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

fn reshaped(usual: &Body<'_>, shape: &Reshape) -> Value {
    let mut body = serde_json::to_value(usual).unwrap_or_default();
    if let Value::Object(fields) = &mut body {
        shape.apply(fields);
    }
    body
}

fn refused(reply: Reply, error: &str) -> (Reply, TokenOutcome) {
    let status = reply.status;
    (reply, TokenOutcome::Refused { error: error.to_owned(), status })
}
