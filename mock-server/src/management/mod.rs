//! The second port: what the user and the provider's owner can do, over HTTP, for people and for scripts in any language.
//!
//! In: JSON under `/v1`. Out: JSON, and the journal as one line of JSON per event. Every refusal says what would help. The
//! subject never sees this port, and a web page in somebody's browser cannot use it, except the one that is served here.

mod answer;
mod grants;
mod guard;
mod har;
mod journal;
mod lineage;
mod openapi;
mod page;
mod ready;
mod routes;
mod scenario;
mod secrets;
mod settings;
mod tenants;
mod traffic;
mod words;

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

use crate::{Control, front::Listener};

/// Serves the management port until the listener is dropped.
pub(crate) fn serve(control: Control, listener: TcpListener) -> Listener {
    let service = TowerToHyperService::new(routes::router(control));
    Listener::accept(listener, move |tcp, _| {
        let service = service.clone();
        async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            // Whoever closes in the middle of something has no use for an error.
            let _ended = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(tcp), service).await;
        }
    })
}
