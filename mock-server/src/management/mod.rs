//! The second port.
