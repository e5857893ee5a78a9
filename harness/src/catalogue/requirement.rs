//! One line of the register.

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::judge::View;

/// The word that the source uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// MUST, or a plain imperative where the register says so.
    Must,
    /// SHOULD.
    Should,
    /// MAY.
    May,
}

/// What a miss does to the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Exit 1.
    Error,
    /// Counts under `--strict` only.
    Warning,
    /// Never counts.
    Advice,
}

/// What a check looks at where a subject has several connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each connection by itself, as if there were no other; the worst finding counts.
    Connection,
    /// The same, by what is logged. A line does not say whose it is: where several connections have refreshed or come to an end, it convicts nobody.
    Lines,
    /// All of them together.
    Subject,
}

/// One line of the register, with its check.
pub struct Requirement {
    /// Stable: `STOP-01`.
    pub id: &'static str,
    /// The word of the source.
    pub level: Level,
    /// What a miss does.
    pub severity: Severity,
    /// What follows "The subject …".
    pub sentence: &'static str,
    /// Where it is written.
    pub sources: &'static [&'static str],
    /// Why it matters, with an incident of the kind that was seen in the field.
    pub why: &'static str,
    /// What is looked at.
    pub observed: &'static str,
    /// What would leave it undecided, and the manifest line that helps.
    pub undecided: &'static str,
    /// How to fix a failure, in any language.
    pub remedy: &'static str,
    /// May be declared away in `[not_applicable]`.
    pub declarable: bool,
    /// What it looks at where there are several connections.
    pub scope: Scope,
    /// Judges one story.
    pub check: fn(&View<'_>) -> Finding,
}
