//! `/oauth/authorize`: the request, the consent page and what the user answers there.

use regrant_authority::{AuthorizeError, AuthorizeRequest, Consent};

use super::{consent_page, desk::Desk, reply::Reply, request::Request};
use crate::{
    ConsentMode,
    journal::{AuthorizeOutcome, Decision},
    state::State,
};

/// Pages that were shown and not answered are kept up to this many; a person has one or two open.
const OPEN_PAGES: usize = 1000;

/// Shows the page or sends the browser back.
pub(super) fn handle(desk: &mut Desk<'_>, request: &Request) -> (Reply, Decision) {
    let (reply, outcome) = match request.method.as_str() {
        "GET" | "HEAD" => ask(desk, request),
        "POST" => answer(desk, request),
        _ => {
            let (reply, outcome) = shown(405, "Only GET is allowed here");
            (reply.header("allow", "GET, POST"), outcome)
        }
    };
    (reply, Decision::Authorize { outcome })
}

/// Whether the request names a client, a redirect URI and all else correctly.
pub(super) fn is_valid(state: &State, request: &Request) -> bool {
    let (user, company) = state.store.person(state.company);
    state.authority.check_authorize(&parse(request), user, company).is_ok()
}

fn ask(desk: &mut Desk<'_>, request: &Request) -> (Reply, AuthorizeOutcome) {
    if request.parameters.is_malformed() {
        return shown(400, "The query is not encoded as a form");
    }
    let (user, company) = desk.state.store.person(desk.state.company);
    let consent = match desk.state.authority.authorize(&parse(request), user, company) {
        Ok(consent) => consent,
        Err(AuthorizeError::Page { reason }) => return shown(400, &reason),
        Err(AuthorizeError::Redirect { redirect_uri, error, description, state }) => {
            return sent_back(302, &redirect_uri, error, Some(&description), state.as_deref());
        }
    };
    match desk.state.consent {
        ConsentMode::Page => page(desk, consent),
        ConsentMode::Auto => allow(desk, &consent, 302),
        ConsentMode::Deny => deny(&consent, 302),
    }
}

fn page(desk: &mut Desk<'_>, consent: Consent) -> (Reply, AuthorizeOutcome) {
    let ticket = desk.state.source.uuid();
    let company = desk.state.store.company_name(&consent.company);
    let reply = consent_page::ask(&ticket, &consent, &company);
    if desk.state.tickets.len() >= OPEN_PAGES {
        desk.state.tickets.shift_remove_index(0);
    }
    desk.state.tickets.insert(ticket, consent);
    (reply, AuthorizeOutcome::Page)
}

/// What the user clicked on the page.
fn answer(desk: &mut Desk<'_>, request: &Request) -> (Reply, AuthorizeOutcome) {
    let consent = request.form.get("ticket").and_then(|ticket| desk.state.tickets.shift_remove(ticket));
    let Some(consent) = consent else { return shown(400, "This page was answered already. Start again from the integration") };
    match request.form.get("decision") {
        Some("allow") => allow(desk, &consent, 303),
        _ => deny(&consent, 303),
    }
}

fn allow(desk: &mut Desk<'_>, consent: &Consent, status: u16) -> (Reply, AuthorizeOutcome) {
    let (authority, mut mint) = desk.state.minting(&desk.shared.journal);
    let (grant, code) = authority.approve(desk.now, consent, &mut mint);
    let name = desk.state.vault.find(&code).map_or_else(|| "unknown".to_owned(), |canary| canary.name);
    let location = with_query(&consent.redirect_uri, &[("code", Some(&code)), ("state", consent.state.as_deref())]);
    (Reply::redirect(status, &location), AuthorizeOutcome::Code { name, grant })
}

fn deny(consent: &Consent, status: u16) -> (Reply, AuthorizeOutcome) {
    sent_back(status, &consent.redirect_uri, "access_denied", Some("The user denied access"), consent.state.as_deref())
}

fn sent_back(status: u16, to: &str, error: &str, description: Option<&str>, state: Option<&str>) -> (Reply, AuthorizeOutcome) {
    let location = with_query(to, &[("error", Some(error)), ("error_description", description), ("state", state)]);
    (Reply::redirect(status, &location), AuthorizeOutcome::Sent(error.to_owned()))
}

fn shown(status: u16, reason: &str) -> (Reply, AuthorizeOutcome) {
    (consent_page::refuse(status, reason), AuthorizeOutcome::Shown(reason.to_owned()))
}

fn parse(request: &Request) -> AuthorizeRequest {
    let query = &request.parameters;
    AuthorizeRequest {
        client_id: query.owned("client_id"),
        redirect_uri: query.owned("redirect_uri"),
        response_type: query.owned("response_type"),
        scope: query.owned("scope"),
        state: query.owned("state"),
        code_challenge: query.owned("code_challenge"),
        code_challenge_method: query.owned("code_challenge_method"),
        repeated: query.repeated(),
    }
}

/// A query that a redirect URI has already is kept (RFC 6749 section 3.1.2).
fn with_query(uri: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter_map(|(name, value)| value.map(|value| (name, value))) {
        query.append_pair(name, value);
    }
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_redirect_uri_is_kept() {
        let location = with_query("http://127.0.0.1/cb?tenant=1", &[("code", Some("a b&c")), ("state", None)]);
        assert_eq!(location, "http://127.0.0.1/cb?tenant=1&code=a+b%26c");
    }
}
