//! Webhooks: what the provider sends of its own accord, signed, to whoever subscribed.
//!
//! Pleo names the headers, the form of the secret and the body; the recipe of the signature is that of Standard Webhooks, whose example
//! (<https://github.com/standard-webhooks/standard-webhooks>) Pleo's pages show. Where Pleo is silent that specification decides, except that
//! there are no second attempts: a delivery is made once.

mod delivery;
mod endpoint;
mod signature;

pub(crate) use delivery::{Deliveries, Notice};
pub(crate) use endpoint::Endpoint;
pub use signature::{NoSecret, SECRET_PREFIX, Signed, sign};
