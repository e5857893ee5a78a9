//! Ports for subjects, leased below the ephemeral range so that no outgoing connection takes them meanwhile.

use std::fs::File;

/// No port could be leased.
#[derive(Debug, thiserror::Error)]
#[error("no free port between {low} and {high}; remedy: lower --jobs, or end what listens there")]
pub struct PortError {
    /// First port tried.
    pub low: u16,
    /// Last port tried.
    pub high: u16,
}

/// A port that no other regrant uses while this lives.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    _lock: File,
}

impl PortLease {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Leases a port on loopback.
///
/// # Errors
/// None is free.
#[allow(clippy::todo, reason = "filled in by the next commits")]
pub fn lease_port() -> Result<PortLease, PortError> {
    todo!()
}
