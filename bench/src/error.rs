//! What can go wrong with a measurement.

use std::io;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A program could not be started or read.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// Something that a peer needs is not to be had here.
    #[error("{0}")]
    Install(String),
    /// A server did not answer as it should.
    #[error("{0}")]
    Answer(String),
    /// HTTP could not be spoken.
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

impl BenchError {
    /// Says what was being done when an I/O error came.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
