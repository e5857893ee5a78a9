//! What does a person, or a program, get to read? One [`Report`], projected into each format by a file of its own.
//!
//! Lets in a finished run and the register; gives out text and bytes. Nothing in here judges: verdicts come in, and the exit
//! status follows from them in [`exit_status`] alone.

mod cases;
mod ctrf;
mod excerpt;
mod exit;
mod explored;
mod html;
mod json;
mod junit;
mod markdown;
mod model;
mod narrate;
mod paint;
mod sarif;
mod tap;
mod text;
mod words;

#[cfg(test)]
mod fixture;

pub use ctrf::ctrf;
pub use exit::{ExitStatus, Grounds, exit_status};
pub use explored::{explored, explored_document};
pub use html::html;
pub use json::verdicts;
pub use junit::junit;
pub use markdown::summary;
pub use model::{Report, Rules, StoryLabel};
pub use paint::Paint;
pub use sarif::sarif;
pub use tap::tap;
pub use text::{Verbosity, text};
