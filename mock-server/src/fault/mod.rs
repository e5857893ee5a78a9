//! Misbehaviour on command: at which point of a request's way, for which requests, with what fate.
//!
//! A [`Rule`] says all three; a gate is where a rule makes requests wait; [`scenario`] is the file format that holds rules
//! and steps.

mod check;
mod fate;
mod gate;
mod guard;
mod reach;
mod reshape;
mod rule;
mod rules;
pub mod scenario;
pub mod script;
mod words;

pub use check::RuleFault;
pub use fate::{CutShort, Fate, Garble};
pub use gate::{GateOptions, GateView, HeldView, OnTimeout, Order};
pub(crate) use gate::{Gates, Let, Turn, Which};
pub use guard::{Missing, RuleGuard};
pub use reach::CannotDo;
pub(crate) use reach::{Reach, everything};
pub use reshape::{ExpiresIn, ExpiresWord, RefreshForm, Reshape, Scopes};
pub use rule::{Match, Point, Rule, RuleId, WindowClock};
pub(crate) use rules::{Facets, Moment, RuleCount, Rules, Who};
pub use words::{Ahead, RetryAfter};
