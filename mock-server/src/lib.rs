//! A mock Pleo: authorisation server and resource API, with faults, gates and a journal of what crossed the wire.
//!
//! [`Provider::start`] opens two listeners on loopback: one speaks only what Pleo speaks, the other is for management.
//! A [`Control`] does from Rust what the management listener does over HTTP.

mod clock;
pub mod control;
pub mod fault;
mod front;
pub mod intercept;
pub mod journal;
pub mod lineage;
mod management;
mod mint;
mod provider;
mod reset;
mod state;
mod tenants;
pub mod vault;

pub use control::Control;
pub use mint::TokenShape;
pub use provider::{ApiReply, ClientConfig, ConsentMode, Provider, ProviderConfig, StartError, Urls};
pub use regrant_authority as authority;
pub use tenants::{Tenant, TenantError};
