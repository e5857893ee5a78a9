//! REAUTH on hand-written histories.
