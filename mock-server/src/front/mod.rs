//! How the provider looks from outside: the OAuth endpoints and the resource API, on the subject's port.
//!
//! In: TCP connections, the shared state, the faults installed. Out: replies, and every event in the journal. A request goes
//! [`listener`] → [`connection`] → [`way`] (faults) → [`desk`] (decisions), and its reply back the same way.

mod api;
mod authorize;
mod connection;
mod consent_page;
mod desk;
mod http;
mod introspect;
mod listener;
mod plan;
mod presented;
mod reply;
mod request;
mod shaping;
mod tls;
mod token;
mod way;
mod whose;
mod wire;
#[cfg(feature = "wiremock")]
pub(crate) mod wiremock;

pub(crate) use api::Store;
pub(crate) use listener::{Listener, bind};
pub(crate) use tls::Tls;
