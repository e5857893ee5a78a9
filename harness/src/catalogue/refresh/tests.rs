//! REFRESH on hand-written histories.
