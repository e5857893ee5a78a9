//! Grants and their tokens: who has what, and what is done to it.

use regrant_authority::{Cause, EndedBy, Grant, GrantId, Kind, TokenState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, Asked, At, Example, Named, Refusal, Sent, Shown},
    words::{self, Flag, target},
};
use crate::{Control, clock::iso, fault::scenario};

/// So many entries a list has unless more are asked for.
const LISTED: u64 = 1_000;

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(grants))
        .routes(routes!(revoke))
        .routes(routes!(expire))
        .routes(routes!(reject))
        .routes(routes!(tokens))
}

/// A grant, live or ended.
#[derive(Debug, Serialize, ToSchema)]
struct GrantView {
    #[schema(value_type = u32, minimum = 1)]
    id: GrantId,
    client_id: String,
    user: String,
    company: String,
    scopes: Vec<String>,
    #[schema(format = DateTime)]
    since: String,
    /// How often its refresh token was rotated.
    generation: u32,
    live: bool,
    ended: Option<EndedView>,
}

/// When and by what a grant ended.
#[derive(Debug, Serialize, ToSchema)]
struct EndedView {
    #[schema(format = DateTime)]
    at: String,
    #[schema(schema_with = words::ended_by)]
    by: EndedBy,
}

/// How much of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Newest {
    /// So many of the newest, at most
    #[param(schema_with = words::number)]
    newest: u64,
}

impl Default for Newest {
    fn default() -> Self {
        Self { newest: LISTED }
    }
}

/// Lists the grants, live and ended
#[utoipa::path(get, path = "/grants", tag = "grants", params(Newest), responses((status = 200, description = "The newest 1,000 unless told otherwise, oldest first", body = Vec<GrantView>)))]
async fn grants(At(control): At, Asked(Newest { newest }): Asked<Newest>) -> Shown<Vec<GrantView>> {
    let grants = control.grants();
    let left_out = grants.len().saturating_sub(length(newest));
    Shown(grants.into_iter().skip(left_out).map(view).collect())
}

fn length(newest: u64) -> usize {
    usize::try_from(newest).unwrap_or(usize::MAX)
}

fn view(grant: Grant) -> GrantView {
    GrantView {
        id: grant.id,
        client_id: grant.client_id,
        user: grant.user,
        company: grant.company,
        scopes: grant.scopes,
        since: iso(grant.since),
        generation: grant.generation,
        live: grant.ended.is_none(),
        ended: grant.ended.map(|(at, by)| EndedView { at: iso(at), by }),
    }
}

/// Which grants.
#[derive(Debug, Deserialize, IntoParams)]
struct GrantPath {
    /// A number from the list of grants, `newest` or `all`
    #[param(pattern = "^([0-9]+|newest|all)$", example = "newest")]
    id: String,
}

/// The grants to which something was done.
#[derive(Debug, Serialize, ToSchema)]
struct Done {
    #[schema(schema_with = words::grant_ids)]
    grants: Vec<GrantId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// Why; `user` unless told otherwise.
    #[serde(default = "the_user")]
    #[schema(schema_with = words::cause)]
    cause: Cause,
}

impl Example for Revoke {
    const EXAMPLE: &'static str = r#"{"cause": "user"}; also security, policy, credential-rotation, installation"#;
}

fn the_user() -> Cause {
    Cause::User
}

/// Ends a grant; its tokens die
#[utoipa::path(post, path = "/grants/{id}/revoke", tag = "grants", params(GrantPath), request_body = Option<Revoke>, responses(
    (status = 200, description = "Ended", body = Done),
    (status = 404, description = "There is no such live grant"),
))]
async fn revoke(At(control): At, Named(GrantPath { id }): Named<GrantPath>, Sent(Revoke { cause }): Sent<Revoke>) -> Answer<Done> {
    let grants = control.revoke(target(&id)?, cause);
    done(&control, &id, grants)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Expire {
    #[schema(value_type = Which)]
    token: scenario::Token,
    /// With a refresh token, the access token too.
    #[serde(default)]
    also_access: bool,
}

/// Which token.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "it only describes scenario::Token")]
enum Which {
    Access,
    Refresh,
}

impl Example for Expire {
    const EXAMPLE: &'static str = r#"{"token": "access"} or {"token": "refresh", "also_access": true}"#;
}

/// Lets the current access or refresh token expire
#[utoipa::path(post, path = "/grants/{id}/expire", tag = "grants", params(GrantPath), request_body = Expire, responses(
    (status = 200, description = "Expired", body = Done),
    (status = 404, description = "There is no such live grant with tokens"),
))]
async fn expire(At(control): At, Named(GrantPath { id }): Named<GrantPath>, Sent(asked): Sent<Expire>) -> Answer<Done> {
    let target = target(&id)?;
    let grants = match asked.token {
        scenario::Token::Access => control.expire_access(target),
        scenario::Token::Refresh => control.expire_refresh(target, asked.also_access),
    };
    done(&control, &id, grants)
}

/// Lets the API reject the current access token, so that a refresh is needed
#[utoipa::path(post, path = "/grants/{id}/reject", tag = "grants", params(GrantPath), responses(
    (status = 200, description = "Rejected from now on", body = Done),
    (status = 404, description = "There is no such live grant with tokens"),
))]
async fn reject(At(control): At, Named(GrantPath { id }): Named<GrantPath>) -> Answer<Done> {
    let grants = control.reject_access(target(&id)?);
    done(&control, &id, grants)
}

fn done(control: &Control, id: &str, grants: Vec<GrantId>) -> Answer<Done> {
    if grants.is_empty() && id != "all" {
        let live: Vec<u32> = control.grants().iter().filter(|grant| grant.ended.is_none()).map(|grant| grant.id.0).collect();
        let remedy =
            if live.is_empty() { "connect the integration first".to_owned() } else { format!("live grants with tokens: {live:?}") };
        return Err(Refusal::new(404, &format!("there is no live grant {id} with tokens"), &remedy));
    }
    Ok(Shown(Done { grants }))
}

/// A secret that the provider minted.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    /// As it stands in the journal.
    #[schema(examples("refresh#3"))]
    name: String,
    #[schema(schema_with = words::kind)]
    kind: Kind,
    /// Its grant; none for a client secret.
    #[schema(value_type = Option<u32>)]
    grant: Option<GrantId>,
    /// What it is good for now; not told of a client secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::token_state)]
    state: Option<TokenState>,
    /// The secret itself, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Values {
    /// Show the secrets themselves too
    #[param(schema_with = words::flag)]
    values: Flag,
    /// So many of the newest, at most
    #[param(schema_with = words::number)]
    newest: u64,
}

impl Default for Values {
    fn default() -> Self {
        Self { values: Flag::default(), newest: LISTED }
    }
}

/// Lists the secrets that were minted, by name
#[utoipa::path(get, path = "/tokens", tag = "grants", params(Values), responses((status = 200, description = "The newest 1,000 unless told otherwise, oldest first", body = Vec<TokenView>)))]
async fn tokens(At(control): At, Asked(asked): Asked<Values>) -> Shown<Vec<TokenView>> {
    let state = control.shared.state();
    let now = control.shared.clock.now();
    let left_out = state.vault.current().count().saturating_sub(length(asked.newest));
    let shown = state.vault.current().skip(left_out).map(|canary| TokenView {
        name: canary.name.clone(),
        kind: canary.kind,
        grant: canary.grant,
        state: canary.grant.map(|_| state.authority.state(now, &canary.value)),
        value: asked.values.0.then(|| canary.value.clone()),
    });
    Shown(shown.collect())
}
