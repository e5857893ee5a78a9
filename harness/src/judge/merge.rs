//! From findings in stories to one verdict per requirement (contract, section 5).

use super::{InStory, Judged, Judgement, Terms, Told, View};
use crate::{
    catalogue::{Finding, Requirement, Verdict},
    evidence::{History, What},
};

/// What a story is told for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Purpose {
    /// The story.
    pub story: String,
    /// Requirements that must be decided in it.
    pub tests: Vec<String>,
    /// Requirements that may convict in it.
    pub also: Vec<String>,
}

/// Judges histories. `wanted` says which requirements take part.
#[must_use]
pub fn judge(histories: &[History], terms: &Terms, purposes: &[Purpose], wanted: impl Fn(&Requirement) -> bool) -> Judgement {
    let views: Vec<(View<'_>, Option<&Purpose>)> =
        histories.iter().map(|h| (View::new(h, terms), purposes.iter().find(|p| p.story == h.story))).collect();
    let requirements = crate::catalogue::all().filter(|r| wanted(r)).map(|r| judged(r, terms, &views)).collect();
    Judgement { requirements, stories: histories.iter().map(told).collect() }
}

fn judged(requirement: &Requirement, terms: &Terms, views: &[(View<'_>, Option<&Purpose>)]) -> Judged {
    let names = |list: &[String]| list.iter().any(|id| id == requirement.id);
    let mut stories = Vec::new();
    for (view, purpose) in views {
        let Some(purpose) = purpose else { continue };
        let tests = names(&purpose.tests);
        if !tests && !names(&purpose.also) {
            continue;
        }
        let finding = in_story(requirement, terms, view);
        if tests || finding.verdict == Verdict::Fail {
            stories.push(InStory { name: view.history.story.clone(), finding });
        }
    }
    let decisive = stories.iter().min_by_key(|s| rank(s.finding.verdict)).map(|s| s.finding.clone());
    let decisive =
        decisive.unwrap_or_else(|| declared(requirement, terms).unwrap_or_else(|| Finding::undecided("no story that decides it was told")));
    Judged {
        id: requirement.id,
        level: requirement.level,
        severity: requirement.severity,
        verdict: decisive.verdict,
        reason: decisive.reason,
        unlock: decisive.unlock,
        stories,
    }
}

/// fail > harness-fault > undecided > known-fail > pass > not-applicable.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::HarnessFault => 1,
        Verdict::Undecided => 2,
        Verdict::KnownFail => 3,
        Verdict::Pass => 4,
        Verdict::NotApplicable => 5,
    }
}

fn declared(requirement: &Requirement, terms: &Terms) -> Option<Finding> {
    let reason = terms.not_applicable.get(requirement.id).filter(|_| requirement.declarable)?;
    Some(Finding::not_applicable(format!("declared: {reason}")))
}

fn in_story(requirement: &Requirement, terms: &Terms, view: &View<'_>) -> Finding {
    if let Some(finding) = declared(requirement, terms) {
        return finding;
    }
    let fault = view.events().find_map(|(_, what)| match what {
        What::HarnessFault { reason } => {
            Some(Finding { verdict: Verdict::HarnessFault, reason: reason.clone(), evidence: Vec::new(), unlock: None })
        }
        _ => None,
    });
    if let Some(fault) = fault {
        return fault;
    }
    let finding = (requirement.check)(view);
    let environment = view.events().find_map(|(_, what)| match what {
        What::EnvironmentFault { reason } => Some(reason),
        _ => None,
    });
    match (finding.verdict, environment) {
        // What was seen before the surroundings failed still convicts; it never acquits.
        (Verdict::Pass | Verdict::Undecided, Some(reason)) => Finding::undecided(format!("the surroundings failed: {reason}")),
        _ => finding,
    }
}

fn told(history: &History) -> Told {
    let mut told = Told {
        name: history.story.clone(),
        realised: true,
        seconds: history.events.last().map_or(0.0, |e| std::time::Duration::from_micros(e.at).as_secs_f64()),
        harness_fault: None,
        environment_fault: None,
    };
    for event in &history.events {
        match &event.what {
            What::NotRealised { .. } | What::Awaited { came: false, .. } => told.realised = false,
            What::HarnessFault { reason } => told.harness_fault = Some(reason.clone()),
            What::EnvironmentFault { reason } => told.environment_fault = Some(reason.clone()),
            _ => {}
        }
    }
    told
}
