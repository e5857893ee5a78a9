//! RECOVER on hand-written histories.
