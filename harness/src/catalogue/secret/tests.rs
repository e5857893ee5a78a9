//! SECRET on hand-written histories.
