//! Which orders of events are there, and which of them is to be told next?
//!
//! Everything that the subject says to the outside passes a server of ours, and we own its process: the network boundary is the scheduler. A
//! [`Situation`] says what begins, what is held, and what else may happen; a [`Schedule`] is a list of decisions in it; a [`Draft`] is the story
//! that it makes. Nothing in here tells a story or judges one: the hallway does (`run/explore`), and brings back what came of it.

mod draft;
mod frontier;
mod order;
mod schedule;
mod sequence;
mod shrink;
mod situation;

pub use draft::{Draft, DraftStep};
pub use frontier::Frontier;
pub use order::{Happening, happenings, order, same_order};
pub use schedule::{After, Decision, Schedule, after};
pub use sequence::{Sequence, Sequences, Transition, Wants};
pub use shrink::{smaller, weight};
pub use situation::{Card, Hold, Situation, SituationError, situations};
