//! Tenants over HTTP: made, found, given ports of their own, ended.

use std::net::SocketAddr;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, Created, Example, Named, Refusal, Sent, Shown, no_tenant},
    ready::{self, Ready},
};
use crate::{
    Control, StartError, TenantError, Urls,
    tenants::{DEFAULT, DoorError, TenantView, Tenants},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(all, make)).routes(routes!(one, delete))
}

/// A tenant: a provider beside the provider.
#[derive(Debug, Serialize, ToSchema)]
struct TenantShown {
    name: String,
    /// What an integration must be configured with, on the provider's port.
    below: Ready,
    /// The tenant's own ports.
    ports: Vec<Port>,
    grants: usize,
    /// The number of its journal's newest event.
    journal: u64,
}

/// Where a tenant is reached on a port of its own.
#[derive(Debug, Serialize, ToSchema)]
struct Port {
    authorize_url: String,
    token_url: String,
    introspect_url: String,
    api_url: String,
}

impl From<Urls> for Port {
    fn from(urls: Urls) -> Self {
        Self { authorize_url: urls.authorize, token_url: urls.token, introspect_url: urls.introspect, api_url: urls.api }
    }
}

fn shown(view: TenantView) -> TenantShown {
    let control = view.control;
    TenantShown {
        name: control.shared.name.clone(),
        below: ready::view(&control),
        ports: view.ports.into_iter().map(Port::from).collect(),
        grants: control.grants().len(),
        journal: control.last_entry(),
    }
}

/// Lists all tenants but the default one
#[utoipa::path(get, path = "/tenants", tag = "tenants", responses((status = 200, description = "By name", body = Vec<TenantShown>)))]
async fn all(State(control): State<Control>) -> Shown<Vec<TenantShown>> {
    let all = control.shared.tenants.as_ref().map(Tenants::all).unwrap_or_default();
    Shown(all.into_iter().map(shown).collect())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$", examples("checkout-7"))]
    name: String,
    /// Where it gets a port of its own; port 0 for any. Without it, it is reached below `/t/NAME` only.
    #[schema(pattern = r"^(127\.0\.0\.1|\[::1\]):(0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3})$", examples("127.0.0.1:0"))]
    listen: Option<String>,
}

impl Example for NewTenant {
    const EXAMPLE: &'static str = r#"{"name": "checkout-7"}, and "listen": "127.0.0.1:0" for a port of its own"#;
}

/// Makes a tenant, or gives one that is there a further port
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = NewTenant, responses(
    (status = 200, description = "It was there already", body = TenantShown),
    (status = 201, description = "It was made", body = TenantShown),
    (status = 409, description = "The port cannot be had"),
    (status = 503, description = "There are as many tenants as may be"),
))]
async fn make(State(control): State<Control>, Sent(asked): Sent<NewTenant>) -> Result<Response, Refusal> {
    let listen = asked.listen.as_deref().map(address).transpose()?;
    let Some(tenants) = &control.shared.tenants else { return Err(no_tenant(&asked.name)) };
    let (_, made) = tenants.enter(&asked.name).map_err(|error| refused(&error))?;
    if let Some(listen) = listen {
        tenants.open(&asked.name, listen).await.map_err(|error| closed(&asked.name, error))?;
    }
    let tenant = shown(tenants.view(&asked.name).ok_or_else(|| no_tenant(&asked.name))?);
    Ok(if made { Created(tenant).into_response() } else { Shown(tenant).into_response() })
}

fn address(text: &str) -> Result<SocketAddr, Refusal> {
    text.parse().map_err(|_| Refusal::new(400, &format!("{text:?} is no address"), "an address and a port, such as 127.0.0.1:0"))
}

fn refused(error: &TenantError) -> Refusal {
    match error {
        TenantError::Name(_) => Refusal::new(400, &error.to_string(), "choose another name, such as checkout-7"),
        TenantError::Full(_) => Refusal::new(503, &error.to_string(), "DELETE /v1/tenants/NAME, or start with a larger --tenants"),
    }
}

fn closed(name: &str, error: DoorError) -> Refusal {
    match error {
        DoorError::Unknown => no_tenant(name),
        DoorError::Start(error @ StartError::NotLoopback(_)) => Refusal::new(400, &error.to_string(), "127.0.0.1:0 for any port"),
        DoorError::Start(error) => Refusal::new(409, &error.to_string(), "127.0.0.1:0 for any port that is free"),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
struct TenantPath {
    /// The tenant's name
    tenant: String,
}

/// Shows a tenant
#[utoipa::path(get, path = "/tenants/{tenant}", tag = "tenants", params(TenantPath), responses(
    (status = 200, description = "The tenant", body = TenantShown),
    (status = 404, description = "There is no such tenant"),
))]
async fn one(State(root): State<Control>, Named(TenantPath { tenant }): Named<TenantPath>) -> Answer<TenantShown> {
    let found = match &root.shared.tenants {
        _ if tenant == DEFAULT => Some(TenantView { control: root.clone(), ports: Vec::new() }),
        Some(tenants) => tenants.view(&tenant),
        None => None,
    };
    found.map(|view| Shown(shown(view))).ok_or_else(|| no_tenant(&tenant))
}

/// A tenant that is no more.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    deleted: String,
}

/// Ends a tenant with all it has; what it holds is dropped
#[utoipa::path(delete, path = "/tenants/{tenant}", tag = "tenants", params(TenantPath), responses(
    (status = 200, description = "It is no more", body = Deleted),
    (status = 404, description = "There is no such tenant"),
    (status = 409, description = "The default tenant stays"),
))]
async fn delete(State(root): State<Control>, Named(TenantPath { tenant }): Named<TenantPath>) -> Answer<Deleted> {
    if tenant == DEFAULT {
        return Err(Refusal::new(409, "the default tenant stays", "POST /v1/reset forgets what it has"));
    }
    let deleted = root.shared.tenants.as_ref().is_some_and(|tenants| tenants.delete(&tenant));
    if deleted { Ok(Shown(Deleted { deleted: tenant })) } else { Err(no_tenant(&tenant)) }
}
