//! What the fuzz targets call: bytes in, a broken promise out. No stable interface.
//!
//! A panic is found by whoever calls; what else must hold of any input is checked here, so that the fuzzer and the replay of its
//! corpus check the same.

mod heads;
mod replies;
mod scenarios;
mod tokens;

pub use heads::proxy_head;
pub use scenarios::scenario;
pub use tokens::token_request;

/// What does not hold, in words.
pub type Broken = String;

fn hold(holds: bool, promise: &str, of: &impl std::fmt::Debug) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(format!("{promise}: {of:?}")) }
}
