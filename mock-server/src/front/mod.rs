//! How the provider looks from outside: the OAuth endpoints and the resource API, on the subject's port.
//!
//! In: TCP connections, on the subject's port or through the proxy ([`crate::intercept`]), the shared state, the faults installed. Out: replies, and every event in the journal. A request goes
//! [`listener`] → [`connection`] (HTTP/1.1) or [`http2`] → [`way`] (faults) → [`desk`] (decisions), and its reply back the same way.

mod alone;
mod api;
mod authorize;
mod connection;
mod consent_page;
mod desk;
mod door;
mod farewell;
mod guests;
mod http;
mod http2;
mod introspect;
mod listener;
mod open;
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

pub(crate) use alone::{Answered, answer};
pub(crate) use api::{Store, notices};
pub(crate) use connection::Connection;
pub(crate) use door::Door;
pub(crate) use farewell::say as farewell;
pub(crate) use listener::{Listener, bind};
pub(crate) use reply::Reply;
pub(crate) use tls::{Authority, TlsError, own_names};
pub(crate) use wire::Wire;
