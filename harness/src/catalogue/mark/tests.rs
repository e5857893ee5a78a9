//! MARK on hand-written histories.
