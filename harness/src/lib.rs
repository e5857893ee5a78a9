//! regrant: a conformance harness for integrations with Pleo's API.
//!
//! What happens when the refresh token dies? The harness drives an integration in any language as a black box against a
//! mock Pleo, observes its traffic, logs, storage and pages, and judges it against a register of requirements.

pub mod canary;
pub mod catalogue;
pub mod cli;
pub mod collect;
pub mod evidence;
pub mod explore;
pub mod judge;
#[cfg(feature = "reference")]
pub mod reference;
pub mod report;
pub mod run;
pub mod stage;
pub mod steps;
pub mod subject;
