//! What an integration must be configured with, and the way back to the start.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::answer::{At, Shown};
use crate::Control;

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(ready)).routes(routes!(reset))
}

/// All that an integration and a test need to know.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    ready: bool,
    /// The tenant's name; `default` at the root.
    tenant: String,
    authorize_url: String,
    token_url: String,
    introspect_url: String,
    /// Base of the resource API, no slash at the end.
    api_url: String,
    /// Base of this tenant's management.
    management_url: Option<String>,
    /// The forward proxy that answers for Pleo's host names; none unless interception was asked for.
    proxy_url: Option<String>,
    client_id: String,
    /// The current secret; none of a public client.
    client_secret: Option<String>,
    /// What the client may ask for; empty: anything, until its first authorise request has asked.
    scopes: Vec<String>,
    seed: u64,
    /// Why the file that the journal is written to is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_trouble: Option<String>,
}

/// Tells what an integration must be configured with; answers as soon as the provider serves
#[utoipa::path(get, path = "/ready", tag = "provider", responses((status = 200, description = "It serves", body = Ready)))]
async fn ready(At(control): At) -> Shown<Ready> {
    Shown(view(&control))
}

/// What there is to know of a tenant.
pub(super) fn view(control: &Control) -> Ready {
    let (client_id, client_secret) = control.shared.first_client();
    let urls = control.shared.urls.clone();
    let scopes = control.shared.state().authority.client(&client_id).map(|client| client.scopes.clone()).unwrap_or_default();
    Ready {
        ready: true,
        tenant: control.shared.name.clone(),
        authorize_url: urls.authorize,
        token_url: urls.token,
        introspect_url: urls.introspect,
        api_url: urls.api,
        management_url: urls.management,
        proxy_url: urls.proxy,
        client_id,
        client_secret,
        scopes,
        seed: control.seed(),
        journal_trouble: control.journal_trouble(),
    }
}

/// What a reset left.
#[derive(Debug, Serialize, ToSchema)]
struct WasReset {
    /// The number of the journal's first line after it.
    journal: u64,
}

/// Forgets grants, tokens, rules, gates, work and the journal, and puts clock, policy and consent back; clients stay
#[utoipa::path(post, path = "/reset", tag = "provider", responses((status = 200, description = "All forgotten", body = WasReset)))]
async fn reset(At(control): At) -> Shown<WasReset> {
    control.reset();
    Shown(WasReset { journal: control.shared.journal.page(0, 0).oldest })
}
