//! The mock as a library: the builder, the levers, the expectations, and both doors under the same test bodies.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests say what they expect")]

#[path = "../../examples/integration/mod.rs"]
mod integration;
mod support;

mod both_doors;
mod expectations;
mod same_answers;
mod server;
mod story;
mod wiremock_door;
