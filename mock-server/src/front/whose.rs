//! Which rule is for a request, and whose the request is, where a rule wants to know.

use regrant_authority::{Authority, ClientAuth};

use super::{Store, presented, request::Request};
use crate::{
    fault::{Fate, Point, RuleId, Who},
    journal::Endpoint,
    state::{Shared, State},
    vault::Vault,
};

/// The fate of a request at a point of its way.
pub(super) fn take(state: &mut State, shared: &Shared, request: &Request, point: Point) -> Option<(RuleId, Fate)> {
    let now = shared.moment();
    // Needs the whole state, and is seldom wanted.
    let presented = state.rules.all().iter().any(|one| one.rule.at == point && one.rule.on.asks_who()).then(|| value(state, request));
    let State { rules, vault, authority, store, .. } = state;
    let who = || who(vault, authority, store, request, presented.flatten().as_deref());
    rules.take(point, request.facets(), who, now)
}

/// The secret that a request carries.
fn value(state: &State, request: &Request) -> Option<String> {
    match request.endpoint {
        Endpoint::Token => request.form.get("refresh_token").or_else(|| request.form.get("code")).map(str::to_owned),
        Endpoint::Introspect => request.form.owned("token"),
        Endpoint::Api | Endpoint::Unknown => presented::api_token(state, request).1,
        Endpoint::Authorize => None,
    }
}

fn who(vault: &Vault, authority: &Authority, store: &Store, request: &Request, presented: Option<&str>) -> Who {
    let grant = presented.and_then(|value| vault.find(value)?.grant).and_then(|grant| authority.grant(grant));
    let asking = match request.endpoint {
        Endpoint::Token | Endpoint::Introspect => client_of(request.client_auth()),
        Endpoint::Authorize => request.parameters.owned("client_id"),
        Endpoint::Api | Endpoint::Unknown => None,
    };
    let company = grant.as_ref().and_then(|grant| store.place_of(&grant.company)).and_then(|place| u32::try_from(place).ok());
    let generation = presented.and_then(|value| vault.generation(value));
    Who { client: asking.or_else(|| grant.map(|grant| grant.client_id)), company, generation }
}

fn client_of(auth: ClientAuth) -> Option<String> {
    match auth {
        ClientAuth::Basic { decoded: (id, _), .. } | ClientAuth::Body { id, .. } => Some(id),
        ClientAuth::None { id } => id,
        ClientAuth::Both | ClientAuth::Malformed => None,
    }
}
