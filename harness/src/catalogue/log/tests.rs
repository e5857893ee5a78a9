//! LOG on lines of common loggers and on hand-written histories.
