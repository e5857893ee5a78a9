//! How does a Rust test get a Pleo of its own?
//!
//! In: settings. Out: a [`Pleo`] to point a client at, with levers for what befalls it and [`Expectation`]s of what the client
//! does. [`PleoServer`] is the full door, with a thread of its own.

mod builder;
mod call;
mod connect;
mod count;
mod expect;
mod gate;
mod levers;
#[cfg(feature = "wiremock")]
mod mock;
mod pleo;
mod server;
mod story;
mod verdict;
mod watch;

pub use builder::{PleoBuilder, SettingError};
pub use call::Call;
pub use connect::{ConnectError, Connected};
pub use count::Count;
pub use expect::{Expectation, Unmet};
pub use gate::{Gate, NeverHeld};
pub use levers::InstallError;
#[cfg(feature = "wiremock")]
pub use mock::PleoMock;
pub use pleo::Pleo;
pub use server::{PleoServer, ServerError};
pub use story::{Story, StoryError};
pub use watch::NeverSeen;
