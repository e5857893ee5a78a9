//! PURGE on hand-written histories.
