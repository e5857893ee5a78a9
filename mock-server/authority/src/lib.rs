//! Which OAuth clients, grants and tokens exist, and who may swap them?
//!
//! A pure state machine: no I/O, no clock, no randomness of its own. Time comes in as an argument; secrets are written and
//! read by a [`Mint`], so that a token tells whose it is and nobody has to remember those that were replaced. The mock server is its only intended user, but nothing here knows of HTTP.
//!
//! Where the RFCs and Pleo leave a choice, the file that makes it says so at its head: `authorise`, `authenticate`, `exchange`,
//! `refresh`, `judge` (which state wins where several are true).

#![warn(clippy::wildcard_enum_match_arm)]

mod authenticate;
mod authorise;
mod client;
mod code;
mod exchange;
mod family;
mod grant;
mod introspect;
mod judge;
mod key;
mod mint;
mod owner;
mod pkce;
mod policy;
mod redirect;
mod refresh;
mod refusal;
mod scope;
mod secrets;
mod terms;
mod time;
mod token;

pub use client::{Client, ClientAuth, ClientError, ClientId, Secret};
pub use code::{AuthorizeError, AuthorizeRequest, Challenge, Consent};
pub use grant::{Cause, Company, EndedBy, Grant, GrantId, User};
pub use key::{DICE, Key, SEALED, Sealed};
pub use mint::{Look, Mint, Stamp, Witness};
pub use policy::{Dialect, Policy, Rotation};
pub use secrets::{SecretError, SecretState};
pub use terms::{Narrowed, Terms};
pub use time::Time;
pub use token::{AccessRefusal, Introspection, Issued, Kind, Refusal, TokenGrant, TokenRequest, TokenState};

mod authority;
pub use authority::Authority;

#[cfg(test)]
mod world;
