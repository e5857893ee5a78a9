//! What does a person, or a program, get to read? One [`Report`], projected into each format by a file of its own.
//!
//! Lets in a finished run and the register; gives out text and bytes. Nothing in here judges: verdicts come in, and the exit
//! status follows from them in [`exit_status`] alone.

mod excerpt;
mod exit;
mod json;
mod junit;
mod markdown;
mod model;
mod narrate;
mod paint;
mod text;
mod words;

#[cfg(test)]
mod fixture;

pub use exit::{ExitStatus, Grounds, exit_status};
pub use json::verdicts;
pub use junit::junit;
pub use markdown::summary;
pub use model::{Report, Rules, StoryLabel};
pub use paint::Paint;
pub use text::{Verbosity, text};
