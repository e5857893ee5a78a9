//! Colour, where a terminal shows it.

use std::fmt::Display;

/// Paints words, or leaves them plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Leaves words as they are.
    pub const PLAIN: Self = Self { on: false };

    /// Paints if `on`.
    #[must_use]
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    fn with(self, code: &str, words: impl Display) -> String {
        if self.on { format!("\x1b[{code}m{words}\x1b[0m") } else { words.to_string() }
    }

    /// Something failed.
    pub(crate) fn bad(self, words: impl Display) -> String {
        self.with("1;31", words)
    }

    /// Something to look at.
    pub(crate) fn warn(self, words: impl Display) -> String {
        self.with("33", words)
    }

    /// All is well.
    pub(crate) fn good(self, words: impl Display) -> String {
        self.with("32", words)
    }

    /// A heading or a name.
    pub(crate) fn strong(self, words: impl Display) -> String {
        self.with("1", words)
    }

    /// Of lesser weight.
    pub(crate) fn faint(self, words: impl Display) -> String {
        self.with("2", words)
    }
}
