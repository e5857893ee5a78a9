//! What is measured of each alternative, and of regrant alone.

pub(crate) mod grants;
pub(crate) mod judge;
mod server;
mod side_by_side;
mod soak;

pub(crate) use server::Server;
pub(crate) use side_by_side::{Row, side_by_side};
pub(crate) use soak::{Soak, soak};
