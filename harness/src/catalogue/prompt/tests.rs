//! PROMPT on hand-written histories.
