//! From findings in stories to one verdict per requirement (contract, section 5).

use super::{Exchange, InStory, Judged, Judgement, Terms, Told, View};
use crate::{
    catalogue::{Finding, Requirement, Scope, Verdict},
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
    let projected: Vec<Vec<History>> =
        histories.iter().map(|h| super::connections(h).iter().map(|name| super::of_connection(h, name)).collect()).collect();
    let mut views: Vec<Seen<'_>> = Vec::with_capacity(histories.len());
    for (history, parts) in histories.iter().zip(&projected) {
        let purpose = purposes.iter().find(|p| p.story == history.story);
        let view = View::new(history, terms);
        views.push(Seen { failed: Failed::of(&view), each: parts_of(parts, terms), view, purpose });
    }
    let requirements = crate::catalogue::all().filter(|r| wanted(r)).map(|r| judged(r, terms, &views)).collect();
    Judgement { requirements, stories: histories.iter().map(told).collect() }
}

/// A story, whole and from each of its connections, if it has several.
struct Seen<'h> {
    view: View<'h>,
    each: Vec<View<'h>>,
    failed: Failed<'h>,
    purpose: Option<&'h Purpose>,
}

/// What went wrong in a story that is not the subject's doing: the first of each kind.
struct Failed<'h> {
    harness: Option<&'h str>,
    surroundings: Option<&'h str>,
}

impl<'h> Failed<'h> {
    fn of(view: &View<'h>) -> Self {
        let harness = |what: &'h What| if let What::HarnessFault { reason } = what { Some(reason.as_str()) } else { None };
        let surroundings = |what: &'h What| if let What::EnvironmentFault { reason } = what { Some(reason.as_str()) } else { None };
        Self {
            harness: view.events().find_map(|(_, what)| harness(what)),
            surroundings: view.events().find_map(|(_, what)| surroundings(what)),
        }
    }
}

fn parts_of<'h>(parts: &'h [History], terms: &'h Terms) -> Vec<View<'h>> {
    if parts.len() > 1 { parts.iter().map(|part| View::new(part, terms)).collect() } else { Vec::new() }
}

fn judged(requirement: &Requirement, terms: &Terms, views: &[Seen<'_>]) -> Judged {
    let names = |list: &[String]| list.iter().any(|id| id == requirement.id);
    let (mut stories, mut acquitted) = (Vec::new(), Vec::new());
    for Seen { view, each, failed, purpose } in views {
        let Some(purpose) = purpose else { continue };
        let tests = names(&purpose.tests);
        if !tests && !names(&purpose.also) {
            continue;
        }
        let finding = in_story(requirement, terms, view, each, failed);
        if tests || finding.verdict == Verdict::Fail {
            stories.push(InStory { name: view.history.story.clone(), decides: tests, finding });
        } else if finding.verdict == Verdict::Pass {
            acquitted.push(view.history.story.clone());
        }
    }
    let weight = |finding: &Finding| finding.severity.unwrap_or(requirement.severity);
    let decisive = stories.iter().min_by_key(|s| (s.finding.verdict.rank(), weight(&s.finding))).map(|s| s.finding.clone());
    let decisive =
        decisive.unwrap_or_else(|| declared(requirement, terms).unwrap_or_else(|| Finding::undecided("no story that decides it was told")));
    Judged {
        id: requirement.id,
        level: requirement.level,
        severity: weight(&decisive),
        verdict: decisive.verdict,
        reason: decisive.reason,
        unlock: decisive.unlock,
        stories,
        acquitted,
    }
}

fn declared(requirement: &Requirement, terms: &Terms) -> Option<Finding> {
    let reason = terms.not_applicable.get(requirement.id).filter(|_| requirement.declarable)?;
    Some(Finding::not_applicable(format!("declared: {reason}")))
}

fn in_story(requirement: &Requirement, terms: &Terms, view: &View<'_>, each: &[View<'_>], failed: &Failed<'_>) -> Finding {
    if let Some(finding) = declared(requirement, terms) {
        return finding;
    }
    if let Some(reason) = failed.harness {
        let (reason, evidence) = (reason.to_owned(), Vec::new());
        return Finding { verdict: Verdict::HarnessFault, reason, evidence, unlock: None, severity: None };
    }
    let finding = found(requirement, view, each);
    let Some(reason) = failed.surroundings else { return finding };
    match finding.verdict {
        // What was seen before the surroundings failed still convicts; it never acquits.
        Verdict::Pass | Verdict::Undecided => Finding::undecided(format!("the surroundings failed: {reason}")),
        Verdict::Fail | Verdict::NotApplicable | Verdict::KnownFail | Verdict::HarnessFault => finding,
    }
}

/// What a check finds: for each connection by itself where there are several, the worst counting; or for all together.
fn found(requirement: &Requirement, view: &View<'_>, each: &[View<'_>]) -> Finding {
    match requirement.scope {
        Scope::Connection | Scope::Lines if !each.is_empty() => {
            let findings = each.iter().map(|view| (requirement.check)(view));
            let worst = findings.min_by_key(|finding| finding.verdict.rank()).unwrap_or_else(|| (requirement.check)(view));
            let told_of = |view: &&View<'_>| !view.deaths.is_empty() || view.exchanges.iter().any(Exchange::is_refresh);
            if requirement.scope == Scope::Lines && worst.verdict == Verdict::Fail && each.iter().filter(told_of).count() > 1 {
                return Finding::undecided("several connections refreshed, and a line of the log does not say whose it is");
            }
            worst
        }
        Scope::Connection | Scope::Lines | Scope::Subject => (requirement.check)(view),
    }
}

/// What one check finds in one history.
#[cfg(test)]
pub(crate) fn finding(requirement: &Requirement, history: &History, terms: &Terms) -> Finding {
    let parts: Vec<History> = super::connections(history).iter().map(|name| super::of_connection(history, name)).collect();
    found(requirement, &View::new(history, terms), &parts_of(&parts, terms))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::{Story, gallery};

    /// Stories by name, and which of them are told for STOP-01 and SECRET-01 (`also`: may convict only).
    fn verdict_on(id: &str, stories: &[(&str, Story)], tests: &[&str], also: &[&str], terms: &Terms) -> Judged {
        let named = |(name, story): &(&str, Story)| History { story: (*name).to_owned(), ..story.history.clone() };
        let histories: Vec<History> = stories.iter().map(named).collect();
        let ids = |list: &[&str], name: &str| if list.contains(&name) { vec![id.to_owned()] } else { Vec::new() };
        let purpose = |(name, _): &(&str, Story)| Purpose { story: (*name).to_owned(), tests: ids(tests, name), also: ids(also, name) };
        let purposes: Vec<Purpose> = stories.iter().map(purpose).collect();
        let judgement = judge(&histories, terms, &purposes, |r| r.id == id);
        judgement.requirements.into_iter().next().expect("one requirement")
    }

    fn passing() -> Story {
        Story::honest()
    }

    fn failing() -> Story {
        gallery::faulty().into_iter().find(|(id, _)| *id == "STOP-01").expect("a story that breaks STOP-01").1
    }

    fn silent() -> Story {
        Story::connected().works().rest()
    }

    fn broken() -> Story {
        failing().event(What::HarnessFault { reason: "the search broke".into() })
    }

    fn without_surroundings(story: Story) -> Story {
        story.event(What::EnvironmentFault { reason: "the disk is full".into() })
    }

    fn stop_01(stories: &[(&str, Story)], tests: &[&str], also: &[&str]) -> Judged {
        verdict_on("STOP-01", stories, tests, also, &passing().terms)
    }

    #[test]
    fn the_worst_story_that_is_told_for_it_decides() {
        let all = [("pass", passing()), ("undecided", silent()), ("fault", broken()), ("fail", failing())];
        for (tests, verdict) in [
            (&["pass"][..], Verdict::Pass),
            (&["pass", "undecided"], Verdict::Undecided),
            (&["pass", "undecided", "fault"], Verdict::HarnessFault),
            (&["pass", "undecided", "fault", "fail"], Verdict::Fail),
        ] {
            let judged = stop_01(&all, tests, &[]);
            assert_eq!(judged.verdict, verdict, "{tests:?}");
            assert_eq!(judged.stories.len(), tests.len());
            let decisive = judged.stories.iter().find(|s| s.finding.verdict == verdict).expect("the story that decided");
            assert_eq!(judged.reason, decisive.finding.reason);
        }
    }

    #[test]
    fn ranks_are_those_of_the_contract() {
        use Verdict::*;
        let order = [Fail, HarnessFault, Undecided, KnownFail, Pass, NotApplicable];
        assert!(order.windows(2).all(|pair| pair[0].rank() < pair[1].rank()));
    }

    #[test]
    fn a_story_that_may_convict_only_never_leaves_anything_undecided() {
        let all = [("pass", passing()), ("undecided", silent()), ("fault", broken()), ("fail", failing())];
        let judged = stop_01(&all, &["pass"], &["undecided", "fault"]);
        assert_eq!((judged.verdict, judged.stories.len()), (Verdict::Pass, 1));
        let judged = stop_01(&all, &["pass"], &["fail"]);
        assert_eq!((judged.verdict, judged.stories.len()), (Verdict::Fail, 2));
        let judged = stop_01(&all, &[], &["pass"]);
        assert_eq!((judged.verdict, judged.reason.as_str()), (Verdict::Undecided, "no story that decides it was told"));
    }

    #[test]
    fn a_line_that_is_declared_away_is_not_judged_unless_it_may_not_be() {
        let mut terms = passing().terms;
        for id in ["STOP-01", "REFRESH-08"] {
            terms.not_applicable.insert(id.into(), "nobody calls".into());
        }
        let judged = verdict_on("STOP-01", &[("fail", failing())], &["fail"], &[], &terms);
        assert_eq!(judged.verdict, Verdict::Fail);
        for stories in [&[("pass", passing())][..], &[("fault", broken())], &[]] {
            let judged = verdict_on("REFRESH-08", stories, &["pass", "fault"], &[], &terms);
            assert_eq!((judged.verdict, judged.reason.as_str()), (Verdict::NotApplicable, "declared: nobody calls"));
        }
    }

    #[test]
    fn where_the_surroundings_failed_nothing_is_acquitted_and_what_was_seen_convicts() {
        let judged = stop_01(&[("pass", without_surroundings(passing()))], &["pass"], &[]);
        assert_eq!((judged.verdict, judged.reason.as_str()), (Verdict::Undecided, "the surroundings failed: the disk is full"));
        let judged = stop_01(&[("fail", without_surroundings(failing()))], &["fail"], &[]);
        assert_eq!(judged.verdict, Verdict::Fail);
    }

    #[test]
    fn a_story_tells_how_it_went() {
        let stories = [
            passing(),
            broken(),
            without_surroundings(passing()),
            passing().event(What::NotRealised { reason: "x".into() }),
            passing().event(What::Awaited { what: "a status".into(), came: false }),
        ];
        let told: Vec<Told> = stories.iter().map(|story| told(&story.history)).collect();
        assert_eq!(told.iter().map(|t| t.realised).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert_eq!(told[1].harness_fault.as_deref(), Some("the search broke"));
        assert_eq!(told[2].environment_fault.as_deref(), Some("the disk is full"));
        assert!(told[0].seconds > 1.0);
    }

    #[test]
    fn a_history_that_nobody_asked_for_is_left_out() {
        let judgement = judge(&[passing().history], &passing().terms, &[], |_| true);
        assert!(judgement.requirements.iter().all(|r| r.stories.is_empty() && r.verdict == Verdict::Undecided));
        assert_eq!(judgement.requirements.len(), crate::catalogue::all().count());
    }
}
