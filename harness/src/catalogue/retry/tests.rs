//! RETRY on hand-written histories.
