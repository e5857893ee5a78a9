//! What must be true of the subject, in Gherkin: the features, and the two steps that read them.
//!
//! Lets in a judgement, which is already made; gives out how the features read over it. No step tells a story or decides
//! anything: `When the story "x" is told` finds the story among those told, `Then … (STOP-01)` looks the verdict up.

mod outcome;
mod read;
mod witness;

pub use outcome::{FeatureOutcome, Pair};
pub use read::{FeatureError, read_features};

/// The features shipped inside the binary: file name and text.
pub const FEATURES: &[(&str, &str)] = &[
    ("detect.feature", include_str!("../../../features/detect.feature")),
    ("stop.feature", include_str!("../../../features/stop.feature")),
    ("purge.feature", include_str!("../../../features/purge.feature")),
    ("mark.feature", include_str!("../../../features/mark.feature")),
    ("prompt.feature", include_str!("../../../features/prompt.feature")),
    ("reauth.feature", include_str!("../../../features/reauth.feature")),
    ("recover.feature", include_str!("../../../features/recover.feature")),
    ("log.feature", include_str!("../../../features/log.feature")),
    ("retry.feature", include_str!("../../../features/retry.feature")),
    ("refresh.feature", include_str!("../../../features/refresh.feature")),
    ("race.feature", include_str!("../../../features/race.feature")),
    ("rotate.feature", include_str!("../../../features/rotate.feature")),
    ("secret.feature", include_str!("../../../features/secret.feature")),
];
