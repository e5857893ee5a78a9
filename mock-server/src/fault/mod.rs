//! Misbehaviour on command: at which point of a request's way, for which requests, with what fate.
//!
//! A [`Rule`] says all three; a gate is where a rule makes requests wait; [`scenario`] is the file format that holds rules
//! and steps.

mod gate;
mod reach;
mod rule;
mod rules;
pub mod scenario;
pub mod script;

pub(crate) use gate::{Gates, Let, Turn};
pub use reach::CannotDo;
pub(crate) use reach::{Reach, everything};
pub use rule::{Fate, Match, Point, Rule, RuleId};
pub(crate) use rules::{Facets, Rules};
