//! What a door can carry out. What it cannot is refused when a rule is installed, not when a request meets it.

use super::{Point, Rule};

/// Says which rules a door can carry out.
pub(crate) type Reach = fn(&Rule) -> Result<(), CannotDo>;

/// A rule is beyond the door that it would apply to. The mock's own listener carries out every rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wiremock cannot `{fate}` at `{}`: {why}; start a `PleoServer` for this test, which can", word(.at))]
pub struct CannotDo {
    /// The fate, in a word or two.
    pub fate: String,
    /// Where it was to befall a request.
    pub at: Point,
    /// Why not.
    pub why: &'static str,
}

/// The mock's own listener: byte by byte and whenever it likes.
pub(crate) fn everything(_: &Rule) -> Result<(), CannotDo> {
    Ok(())
}

fn word(at: &Point) -> &'static str {
    match at {
        Point::Arrived => "arrived",
        Point::Authenticated => "authenticated",
        Point::Decided => "decided",
        Point::Committed => "committed",
        Point::Replying => "replying",
    }
}
