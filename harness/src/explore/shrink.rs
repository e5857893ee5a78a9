//! A smaller story that may still show the same: what can be taken away from one.

use toml::Value;

use super::{Draft, DraftStep};

/// How much there is in a story.
#[must_use]
pub fn weight(draft: &Draft) -> usize {
    draft.rules.len() + draft.steps.len() + draft.acts() + draft.provider.len()
}

/// Stories with a part taken away, those with most taken away first. Not all of them make sense: the reader of scenarios knows.
#[must_use]
pub fn smaller(draft: &Draft) -> Vec<Draft> {
    let mut all: Vec<Draft> = Vec::new();
    let steps = draft.steps.len();
    for size in [steps / 2, steps / 4].into_iter().filter(|size| *size > 1) {
        all.extend((0..steps.saturating_sub(size - 1)).step_by(size).map(|from| without_steps(draft, from, size)));
    }
    all.extend((0..steps).rev().map(|from| without_steps(draft, from, 1)));
    all.extend((0..draft.rules.len()).rev().map(|place| without_rule(draft, place)));
    for (step, place) in draft.steps.iter().enumerate().flat_map(|(step, it)| (0..it.acts.len()).rev().map(move |place| (step, place))) {
        if draft.steps.get(step).is_some_and(|it| it.acts.len() > 1) {
            all.push(changed(draft, step, |step| {
                step.acts.remove(place);
            }));
        }
        all.extend(fewer(draft, step, place));
    }
    all.extend((1..steps).rev().filter_map(|place| joined(draft, place)));
    all.retain(|other| weight(other) < weight(draft) || other.steps != draft.steps);
    all
}

fn without_steps(draft: &Draft, from: usize, size: usize) -> Draft {
    let mut other = draft.clone();
    other.steps.drain(from..(from + size).min(draft.steps.len()));
    other
}

/// Without a rule, and without the steps that speak of its gate.
fn without_rule(draft: &Draft, place: usize) -> Draft {
    let mut other = draft.clone();
    let rule = other.rules.remove(place);
    let gate = rule.get("fate").and_then(|fate| fate.get("hold")).and_then(Value::as_str).map(str::to_owned);
    if let Some(gate) = gate {
        let speaks = |act: &Value| ["release", "drop"].iter().any(|word| act.get(word).and_then(Value::as_str) == Some(gate.as_str()));
        for step in &mut other.steps {
            step.acts.retain(|act| !speaks(act));
        }
    }
    other
}

/// The same act fewer times.
fn fewer(draft: &Draft, step: usize, place: usize) -> Option<Draft> {
    let act = draft.steps.get(step)?.acts.get(place)?.as_table()?;
    let (word, how) = act.iter().next()?;
    let times = how.get("times")?.as_integer().filter(|times| *times > 1)?;
    let mut how = how.as_table()?.clone();
    how.insert("times".into(), (times - 1).into());
    let act = super::draft::one(word, Value::Table(how));
    Some(changed(draft, step, |step| {
        if let Some(it) = step.acts.get_mut(place) {
            *it = act;
        }
    }))
}

/// A step that does nothing but wait goes into the next one.
fn joined(draft: &Draft, place: usize) -> Option<Draft> {
    draft.steps.get(place - 1).filter(|before| before.acts.is_empty())?;
    Some(without_steps(draft, place - 1, 1))
}

fn changed(draft: &Draft, step: usize, change: impl FnOnce(&mut DraftStep)) -> Draft {
    let mut other = draft.clone();
    if let Some(step) = other.steps.get_mut(step) {
        change(step);
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Decision, Schedule, situations};

    /// Takes away as long as what is left still shows what `shows` looks for.
    fn least(mut draft: Draft, shows: impl Fn(&Draft) -> bool) -> Draft {
        while let Some(next) = smaller(&draft).into_iter().find(|other| shows(other)) {
            draft = next;
        }
        draft
    }

    fn acts(draft: &Draft) -> Vec<String> {
        draft.steps.iter().flat_map(|step| &step.acts).map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_left_is_what_matters_and_nothing_else() {
        let situation = situations().iter().find(|it| it.name == "a_refresh_and_a_reconnection").expect("shipped");
        let card = situation.cards.iter().position(|card| card.words.contains("reconnects")).expect("a card") + 1;
        let decisions = vec![Decision::Play { card }, Decision::Release { gate: "refresh-1".into() }];
        let draft = Schedule { situation: situation.name.clone(), decisions }.draft(situation);
        let place = |draft: &Draft, word: &str| acts(draft).iter().position(|act| act.contains(word));
        let shows = |draft: &Draft| {
            let reconnected = place(draft, "reconnect");
            let released = place(draft, "refresh-1");
            draft.rules.iter().any(|rule| rule.to_string().contains("refresh-1")) && reconnected.is_some() && reconnected < released
        };
        assert!(shows(&draft));
        let left = least(draft, shows);
        assert_eq!((left.rules.len(), acts(&left).len()), (1, 2), "{}", left.text(&[], &[]));
    }

    #[test]
    fn every_candidate_is_smaller_or_does_less_so_that_shrinking_ends() {
        for situation in situations() {
            let draft = Schedule { situation: situation.name.clone(), decisions: Vec::new() }.draft(situation);
            let size = |draft: &Draft| (weight(draft), draft.text(&[], &[]).len());
            for other in smaller(&draft) {
                assert!(weight(&other) <= weight(&draft) && other != draft, "{}", situation.name);
            }
            // Nothing at all is needed: it ends with nothing.
            assert!(size(&least(draft, |_| true)).0 <= 1);
        }
    }
}
