//! A forward proxy for subjects with Pleo's host names hard-coded: it answers for these hosts itself, and for nothing else.
//!
//! In: connections of clients that were told of a proxy. Out: connections of the front, through a door that knows the host.
//! Never connects anywhere. The [`Relay`] is its counterpart: https for a subject that serves http. A request goes [`head`] → `hosts` → `proxy` → the front.

pub mod head;
mod hosts;
mod proxy;
mod relay;
mod surroundings;
mod trust_store;

pub(crate) use hosts::{Host, Hosts};
pub use hosts::{Refusal, known_hosts};
pub(crate) use proxy::Proxy;
pub use relay::Relay;
pub use surroundings::Trust;
pub(crate) use trust_store::trust_store;

/// How interception is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interception {
    /// Where the proxy listens, on loopback; port 0 for any.
    pub listen: std::net::SocketAddr,
    /// Which of Pleo's hosts are answered for; empty: all of [`known_hosts`].
    pub hosts: Vec<String>,
}
