//! A mock Pleo: authorisation server and resource API, with faults, gates and a journal of what crossed the wire.
//!
//! What does your integration do when its refresh token dies? Start a Pleo in the test, point the client at it, pull a lever, and
//! say what you expect of the client:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let my_client = async |_url: &str, _tokens: regrant_mock_server::Connected| {};
//! let pleo = regrant_mock_server::PleoServer::builder().start().await?;
//! let tokens = pleo.connect()?;                        // consent and code exchange, without a browser
//! let _silence = pleo.expect_no_calls_after_refusal(); // looks when it is dropped, and panics if it was not met
//! pleo.revoke();                                       // the user withdraws access
//! my_client(pleo.api_url(), tokens).await;             // your code
//! # Ok(())
//! # }
//! ```
//!
//! | you want | you take |
//! | --- | --- |
//! | a server of its own for one test | [`PleoServer`]; [`start_blocking`](PleoBuilder::start_blocking) where there is no runtime |
//! | a Pleo on the `wiremock::MockServer` that your tests have | `PleoMock` (feature `wiremock`) |
//! | URLs, credentials, levers and expectations, whichever it is | [`Pleo`], to which both deref |
//! | one server for many tests | [`Pleo::tenant`] |
//! | any fault at any point of a request's way | [`Pleo::install`] with a [`fault::Rule`]; a file of them: [`Pleo::tell`] |
//! | everything else that can be done, and the journal | [`Control`], through [`Pleo::control`] |
//! | the provider without the comfort, as the harness has it | [`Provider`] |
//!
//! [`Provider::start`] opens two listeners on loopback: one speaks only what Pleo speaks, the other is for management.
//! A [`Control`] does from Rust what the management listener does over HTTP.

mod clock;
pub mod control;
pub mod fault;
mod front;
#[doc(hidden)]
pub mod fuzzing;
pub mod intercept;
pub mod journal;
mod library;
pub mod lineage;
mod management;
mod mint;
mod provider;
mod reset;
mod secrets;
mod state;
mod telling;
mod tenants;
pub mod vault;
pub mod webhook;

pub use clock::Skew;
pub use control::Control;
#[cfg(feature = "wiremock")]
pub use library::PleoMock;
pub use library::{
    Call, ConnectError, Connected, Count, Expectation, Gate, InstallError, NeverHeld, NeverSeen, Pleo, PleoBuilder, PleoServer,
    ServerError, SettingError, Story, StoryError, Unmet,
};
pub use mint::TokenShape;
pub use provider::{ApiReply, ClientConfig, ConsentMode, Limits, Provider, ProviderConfig, StartError, Urls};
pub use regrant_authority as authority;
pub use secrets::{SecretChange, SecretShown};
pub use tenants::{Tenant, TenantError};
pub use vault::Remember;
