//! RACE on hand-written histories.
