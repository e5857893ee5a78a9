//! x

#[cfg(feature = "reference")]
pub mod reference;
