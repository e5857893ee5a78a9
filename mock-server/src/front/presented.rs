//! Which secret a request carries, and how.

use regrant_authority::{Kind, Time};

use super::request::Request;
use crate::{
    journal::{Carried, Endpoint, Presented},
    state::{Shared, State},
};

/// The secret that a request carries, as it is known now.
pub(super) fn of(shared: &Shared, request: &Request) -> Option<Presented> {
    let state = shared.state();
    let value = match request.endpoint {
        Endpoint::Token => request.form.get("refresh_token").or_else(|| request.form.get("code")).map(str::to_owned),
        Endpoint::Introspect => request.form.owned("token"),
        Endpoint::Api | Endpoint::Unknown => api_token(&state, request).1,
        Endpoint::Authorize => None,
    };
    value.map(|value| describe(&state, shared.clock.now_at(request.endpoint), &value))
}

/// What is known of a secret at a moment.
pub(super) fn describe(state: &State, now: Time, value: &str) -> Presented {
    let canary = state.vault.find(value);
    let grant = canary.as_ref().and_then(|canary| canary.grant);
    Presented { name: canary.map(|canary| canary.name), grant, state: state.authority.state(now, value) }
}

/// How a token came to the API, and which (RFC 6750 section 2).
pub(super) fn api_token(state: &State, request: &Request) -> (Carried, Option<String>) {
    let header = request.header("authorization").map(str::trim).map(from_header);
    match (header, parameter(state, request).or_else(|| in_json(state, request))) {
        (None, None) => (Carried::Nothing, None),
        (Some(from_header), None) => from_header,
        (_, Some(token)) => (Carried::Elsewhere, Some(token)),
    }
}

/// The token by which a call is authorised: that of the header, if the RFC knows of no other in the request.
pub(super) fn authorising(state: &State, request: &Request) -> (Carried, Option<String>) {
    match (request.header("authorization").map(str::trim).map(from_header), parameter(state, request)) {
        (_, Some(token)) => (Carried::Elsewhere, Some(token)),
        (Some(from_header), None) => from_header,
        (None, None) => api_token(state, request),
    }
}

fn from_header(header: &str) -> (Carried, Option<String>) {
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return (Carried::OtherScheme, None);
    }
    // What programs write when they print a token that they do not have.
    match token {
        "" | "undefined" | "null" | "None" | "nil" | "NULL" | "NaN" | "false" | "[object Object]" => (Carried::EmptyBearer, None),
        token => (Carried::Bearer, Some(token.to_owned())),
    }
}

/// A token in the query or in the form: under its RFC name, or any value that is one of ours.
fn parameter(state: &State, request: &Request) -> Option<String> {
    let mut parameters = request.parameters.iter().chain(request.form.iter());
    let found = parameters.find(|(name, value)| (*name == "access_token" && !value.is_empty()) || state.vault.find(value).is_some());
    found.map(|(_, value)| value.to_owned())
}

/// An access token of ours in another body, whatever stands beside it.
fn in_json(state: &State, request: &Request) -> Option<String> {
    let body = std::str::from_utf8(&request.body).ok().filter(|body| !body.is_empty() && !request.is_form())?;
    let is_access = |word: &&str| state.vault.find(word).is_some_and(|canary| canary.kind == Kind::Access);
    let token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let mut words = body.split(|c| !token68(c)).chain(body.split(|c: char| !c.is_ascii_alphanumeric())).filter(|word| !word.is_empty());
    if let Some(word) = words.find(is_access) {
        return Some(word.to_owned());
    }
    // Glued to other letters it is found by a search alone, which is for those who remember everything and have little to remember.
    let searched = if state.vault.remembers_all() { state.vault.all() } else { &[] };
    let mut access = searched.iter().filter(|canary| canary.kind == Kind::Access);
    access.find(|canary| body.contains(&canary.value)).map(|canary| canary.value.clone())
}
