//! From the first story in which a requirement failed to the smallest that still shows it, told again to be sure.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{
    Found,
    campaign::{Campaign, Failing, Origin},
    order_of, story_name,
    teller::{Explorer, Told},
    words,
};
use crate::{
    evidence::History,
    explore::{Decision, Draft, Schedule, Sequence, same_order, smaller, weight},
};

/// So often a story is told again before it is believed.
const AGAIN: usize = 3;
/// However late it was found, so long a story is made smaller: one that is large explains nothing.
const AT_LEAST: Duration = Duration::from_secs(12);

/// The smallest story that is found in time, with what was seen in it.
pub(super) async fn mended(
    explorer: &Explorer<'_>,
    id: &'static str,
    first: Failing,
    left: Duration,
    campaign: &Campaign<'_>,
) -> (Found, History) {
    let until = Instant::now() + left.max(AT_LEAST);
    let Failing { origin, draft: whole, told: first_told, severity, after } = first;
    let name = story_name(id, &origin);
    let schedule = if let Origin::Schedule(schedule) = &origin { Some(schedule.clone()) } else { None };
    let mut small = whole.clone();
    if let Origin::Sequence(sequence) = origin {
        small = drawn_smaller(explorer, id, &name, sequence, small, until).await;
    }
    small = taken_away(explorer, id, &name, small, until).await;
    let (mut kept, mut seen) = (small.clone(), believed(explorer, &name, &small).await);
    if small != whole && seen.iter().filter(|told| told.fails(id)).count() < AGAIN {
        let whole_seen = believed(explorer, &name, &whole).await;
        (kept, seen) = (whole.clone(), whole_seen);
    }
    let failed = seen.iter().filter(|told| told.fails(id)).count();
    let alike = seen.windows(2).all(|pair| matches!(pair, [one, other] if same_order(&one.history, &other.history)));
    let repeated = (seen.len(), failed);
    let history = seen.into_iter().find(|told| told.fails(id)).unwrap_or(first_told).history;
    let history = History { story: name, ..history };
    let decisions = schedule.as_ref().map(|schedule| decisions_left(schedule, &kept)).unwrap_or_default();
    let failing_schedule =
        schedule.as_ref().map(|schedule| Schedule { situation: schedule.situation.clone(), decisions: decisions.clone() });
    let found = Found {
        id,
        severity,
        situation: schedule.as_ref().map(|schedule| schedule.situation.clone()),
        fails: failing_schedule.as_ref().map(words).unwrap_or_default(),
        holds: schedule.as_ref().and_then(|schedule| campaign.holding(id, schedule)).map(words),
        decisions,
        scenario: kept.text(&[id], &[]),
        size: (weight(&whole), weight(&kept)),
        repeated,
        alike,
        failing: schedule.as_ref().map_or((0, 0), |schedule| campaign.count(id, &schedule.situation)),
        after,
        order: order_of(&history),
    };
    (found, history)
}

/// Told again, side by side.
async fn believed(explorer: &Explorer<'_>, name: &str, draft: &Draft) -> Vec<Told> {
    let again = vec![(name.to_owned(), draft.clone()); AGAIN];
    explorer.tell(&again).await.into_iter().flatten().collect()
}

/// By proptest, as the model allows it.
async fn drawn_smaller(
    explorer: &Explorer<'_>,
    id: &str,
    name: &str,
    mut sequence: Sequence,
    mut smallest: Draft,
    until: Instant,
) -> Draft {
    let mut goes_on = sequence.simplify();
    while goes_on && Instant::now() < until && !explorer.is_cancelled() {
        let draft = sequence.draft().clone();
        let told = explorer.tell(&[(name.to_owned(), draft.clone())]).await;
        let shows = told.into_iter().flatten().any(|told| told.fails(id));
        if shows {
            smallest = draft;
        }
        goes_on = if shows { sequence.simplify() } else { sequence.complicate() };
    }
    smallest
}

/// Parts are taken away as long as the same requirement fails.
async fn taken_away(explorer: &Explorer<'_>, id: &str, name: &str, mut draft: Draft, until: Instant) -> Draft {
    let mut tried: HashSet<String> = HashSet::new();
    'smaller: loop {
        let mut candidates = smaller(&draft);
        candidates.retain(|other| tried.insert(other.text(&[], &[])) && Explorer::story(name, other).is_some());
        for some in candidates.chunks(explorer.jobs.max(1)) {
            if Instant::now() >= until || explorer.is_cancelled() {
                return draft;
            }
            let named: Vec<(String, Draft)> = some.iter().map(|draft| (name.to_owned(), draft.clone())).collect();
            let told = explorer.tell(&named).await;
            let shows = |told: &Option<Told>| told.as_ref().is_some_and(|told| told.fails(id));
            if let Some(place) = told.iter().position(shows)
                && let Some(next) = some.get(place)
            {
                draft = next.clone();
                continue 'smaller;
            }
        }
        return draft;
    }
}

/// Those decisions whose acts are still there.
fn decisions_left(schedule: &Schedule, draft: &Draft) -> Vec<Decision> {
    let text = draft.text(&[], &[]);
    let there = |decision: &&Decision| decision.gate().is_none_or(|gate| text.contains(&format!("\"{gate}\"")));
    schedule.decisions.iter().filter(there).cloned().collect()
}
