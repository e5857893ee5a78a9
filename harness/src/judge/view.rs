//! A history with its joins made: which reply belongs to which request, what the subject knew when.

use super::Terms;
use crate::evidence::History;

/// What a check looks at.
pub struct View<'h> {
    /// The story as it was seen.
    pub history: &'h History,
    /// What the manifest says.
    pub terms: &'h Terms,
}
