//! ROTATE on hand-written histories.
