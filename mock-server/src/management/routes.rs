//! The paths of the management port, put together.

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    response::IntoResponse,
    routing::get,
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    answer::Refusal,
    grants,
    guard::{self, Guard},
    journal, lineage, openapi, page, ready, scenario, secrets, settings, tenants, traffic,
};
use crate::Control;

/// All paths. What the document says is taken from the same handlers.
pub(super) fn router(control: Control) -> Router {
    let guard = Guard::new(control.shared.config.management_token.as_deref());
    let (router, document) = OpenApiRouter::with_openapi(openapi::info())
        .nest("/v1", of_a_tenant().merge(tenants::routes()))
        .nest(openapi::TENANT, of_a_tenant())
        .split_for_parts();
    let document = openapi::finish(document).to_string();
    let document = move || {
        let document = document.clone();
        async move { ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response() }
    };
    router
        .route("/v1/openapi.json", get(document))
        .route("/", get(page::page))
        .fallback(|| async { Refusal::new(404, "there is nothing at this path", "GET /v1/openapi.json lists all paths") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(405, "this path has other methods", "GET /v1/openapi.json lists all methods")
        })
        .layer(middleware::from_fn_with_state(guard, guard::guard))
        .with_state(control)
}

/// What there is of each tenant.
fn of_a_tenant() -> OpenApiRouter<Control> {
    ready::routes()
        .merge(grants::routes())
        .merge(lineage::routes())
        .merge(secrets::routes())
        .merge(settings::routes())
        .merge(traffic::routes())
        .merge(scenario::routes())
        .merge(journal::routes())
}
