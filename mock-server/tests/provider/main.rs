//! The mock provider from outside: over the wire, through its control handle, through its management port.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests say what they expect")]

mod support;

mod api;
mod bad_management;
mod bad_parameters;
mod bad_requests;
mod clocks;
mod credentials;
mod credentials_managed;
mod doors;
mod fates;
mod faults;
mod flow;
mod gates;
mod http2;
mod intercept;
mod journal;
mod management;
mod openapi;
mod pages;
mod races;
mod remote;
mod shapes;
mod shipped;
mod stories;
mod tenants;
mod tiny;
mod webhooks;
