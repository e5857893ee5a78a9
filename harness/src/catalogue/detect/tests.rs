//! DETECT on hand-written histories.
