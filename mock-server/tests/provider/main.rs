//! The mock provider from outside: over the wire, through its control handle, through its management port.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests say what they expect")]

mod support;
mod tenants;

mod api;
mod faults;
mod flow;
mod http2;
mod intercept;
mod management;
