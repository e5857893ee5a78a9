//! What a person gets to read: a table in the terminal, and the same in `docs/performance.md`.

mod document;
mod table;

pub(crate) use document::{write, write_goal};
use table::with_goal;
pub(crate) use table::{alternatives, goals};
