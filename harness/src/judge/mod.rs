//! From histories to verdicts: pure, so that a saved run can be judged again.

mod baseline;
mod connections;
pub mod control;
mod date;
mod death;
mod exchange;
pub mod history;
mod index;
mod merge;
#[cfg(test)]
mod properties;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
mod view;

use serde::{Deserialize, Serialize};

pub use baseline::{Known, Stale, excuse};
pub use connections::{connections, of_connection};
pub use date::{Date, NoDate};
pub use death::{Death, Ended};
pub use exchange::{ApiFacts, Exchange, TokenFacts};
#[cfg(test)]
pub(crate) use merge::finding;
pub use merge::{Purpose, judge};
pub use terms::{ConnectBy, NewSecret, Terms, WorkKind};
pub use view::{Call, Callback, Mark, Pair, Progress, Rest, View};

use crate::catalogue::{Finding, Level, Severity, Verdict};

/// The judgement of a whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// In the order of the register.
    pub requirements: Vec<Judged>,
    /// In the order told.
    pub stories: Vec<Told>,
}

/// One requirement, merged over the stories that name it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its id.
    pub id: &'static str,
    /// The word of the source.
    pub level: Level,
    /// What a miss does.
    pub severity: Severity,
    /// The merged verdict: fail > harness-fault > undecided > known-fail > pass > not-applicable.
    pub verdict: Verdict,
    /// The reason of the story that decided.
    pub reason: String,
    /// The line that would decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlock: Option<String>,
    /// By story; those under `also` only where they convict.
    pub stories: Vec<InStory>,
    /// Stories that name it under `also` and were seen to hold.
    #[serde(skip)]
    pub acquitted: Vec<String>,
}

impl Judged {
    /// The merged verdict as a finding of its own, which rests on no event.
    #[must_use]
    pub fn finding(&self) -> Finding {
        Finding { verdict: self.verdict, reason: self.reason.clone(), evidence: Vec::new(), unlock: self.unlock.clone(), severity: None }
    }
}

/// One requirement in one story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InStory {
    /// The story.
    pub name: String,
    /// It is told for this requirement, and does not only convict of it besides.
    #[serde(skip)]
    pub decides: bool,
    /// Its finding.
    #[serde(flatten)]
    pub finding: Finding,
}

/// One story as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// Everything awaited came.
    pub realised: bool,
    /// How long it took.
    pub seconds: f64,
    /// The harness failed in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub harness_fault: Option<String>,
    /// The surroundings failed in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub environment_fault: Option<String>,
}
