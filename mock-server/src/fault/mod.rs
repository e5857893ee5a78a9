//! Misbehaviour on command: at which point of a request's way, for which requests, with what fate.
//!
//! A [`Rule`] says all three; [`scenario`] is the file format that holds rules and steps.

mod rule;
pub mod scenario;

pub use rule::{Fate, Match, Point, Rule, RuleId};
