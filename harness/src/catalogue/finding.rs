//! What a check says of one requirement in one story.

use serde::{Deserialize, Serialize};

use super::Severity;

/// The verdict on a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Seen to hold, positive control included.
    Pass,
    /// Seen to be broken.
    Fail,
    /// Not seen well enough.
    Undecided,
    /// Does not apply to this subject, by an explicit word in its manifest.
    NotApplicable,
    /// Broken, and listed in the baseline.
    KnownFail,
    /// The harness failed.
    HarnessFault,
}

impl Verdict {
    /// Of several verdicts the one with the lowest rank counts: fail > harness-fault > undecided > known-fail > pass > not-applicable.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Fail => 0,
            Self::HarnessFault => 1,
            Self::Undecided => 2,
            Self::KnownFail => 3,
            Self::Pass => 4,
            Self::NotApplicable => 5,
        }
    }
}

/// A verdict with its reason and the events it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence, secrets by name.
    pub reason: String,
    /// Event numbers.
    pub evidence: Vec<u32>,
    /// Undecided: the manifest line that would decide it, if one would.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unlock: Option<String>,
    /// What a miss does in this case, where the register says that it is less than the requirement's own severity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub severity: Option<Severity>,
}

impl Finding {
    /// It holds.
    #[must_use]
    pub fn pass(reason: impl Into<String>, evidence: Vec<u32>) -> Self {
        Self { verdict: Verdict::Pass, reason: reason.into(), evidence, unlock: None, severity: None }
    }

    /// It is broken.
    #[must_use]
    pub fn fail(reason: impl Into<String>, evidence: Vec<u32>) -> Self {
        Self { verdict: Verdict::Fail, reason: reason.into(), evidence, unlock: None, severity: None }
    }

    /// Not seen well enough.
    #[must_use]
    pub fn undecided(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Undecided, reason: reason.into(), evidence: Vec::new(), unlock: None, severity: None }
    }

    /// Not seen, and this manifest line would show it.
    #[must_use]
    pub fn locked(reason: impl Into<String>, line: impl Into<String>) -> Self {
        Self { verdict: Verdict::Undecided, reason: reason.into(), evidence: Vec::new(), unlock: Some(line.into()), severity: None }
    }

    /// The register asks for this case as a warning only.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { severity: Some(Severity::Warning), ..self }
    }

    /// Does not apply.
    #[must_use]
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotApplicable, reason: reason.into(), evidence: Vec::new(), unlock: None, severity: None }
    }
}
