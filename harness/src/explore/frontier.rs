//! Which schedule is told next: all orders, those that differ least from the usual one first.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::{After, Decision, Schedule, Situation};

/// Longer schedules are not made.
const LONGEST: usize = 6;

/// A situation that is not likely to show what is wanted is told as if it departed so often from the usual order.
const BESIDE: usize = 2;

/// What is still to be told.
#[derive(Debug)]
pub struct Frontier {
    waiting: BinaryHeap<Reverse<Waiting>>,
    made: HashSet<Schedule>,
    random: ChaCha20Rng,
    /// Situations in which nothing that was asked for is likely to break.
    beside: HashSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Waiting {
    /// How far from the usual order.
    cost: usize,
    /// Among equals, by the seed.
    lot: u64,
    schedule: Schedule,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.cost, self.lot).cmp(&(other.cost, other.lot))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Frontier {
    /// Nothing decided in any of these situations. Those that are likely to show one of `wanted` come first; nothing wanted: all alike.
    #[must_use]
    pub fn new<'s>(situations: impl IntoIterator<Item = &'s Situation>, wanted: &[&str], seed: u64) -> Self {
        let situations: Vec<&Situation> = situations.into_iter().collect();
        let (likely, others): (Vec<&Situation>, Vec<&Situation>) =
            situations.iter().partition(|it| it.shows.iter().any(|id| wanted.contains(&id.as_str())));
        let beside = if likely.is_empty() { HashSet::new() } else { others.iter().map(|it| it.name.clone()).collect() };
        let random = ChaCha20Rng::seed_from_u64(seed);
        let mut frontier = Self { waiting: BinaryHeap::new(), made: HashSet::new(), random, beside };
        for situation in situations {
            let schedule = |decisions| Schedule { situation: situation.name.clone(), decisions };
            frontier.add(schedule(Vec::new()), 0);
            // What the situation is about need not wait until it is known what is held without it.
            let usual = (1..).zip(&situation.cards).filter(|(_, card)| card.usual && card.held.is_none() && card.after.is_none());
            for (card, _) in usual {
                frontier.add(schedule(vec![Decision::Play { card }]), 0);
            }
        }
        frontier
    }

    /// What is told next; none: all that is known of is told.
    pub fn take(&mut self) -> Option<Schedule> {
        self.waiting.pop().map(|Reverse(waiting)| waiting.schedule)
    }

    /// How many schedules were made up to now, told or not.
    #[must_use]
    pub fn made(&self) -> usize {
        self.made.len()
    }

    /// Takes in what came of a schedule: what could be decided next becomes schedules of their own.
    pub fn learn(&mut self, situation: &Situation, schedule: &Schedule, after: &After) {
        if !after.realised || schedule.decisions.len() >= LONGEST {
            return;
        }
        let may_drop = |gate: &&String| situation.gate(gate).is_some_and(|(hold, _)| hold.drop);
        let releases = after.held.iter().map(|gate| Decision::Release { gate: gate.clone() });
        let drops = after.held.iter().filter(may_drop).map(|gate| Decision::Drop { gate: gate.clone() });
        let played = |card: usize| schedule.decisions.contains(&Decision::Play { card });
        let cards = (1..).zip(&situation.cards).filter(|(place, card)| {
            let holds = |gate: &String| after.held.contains(gate);
            !played(*place) && card.after.is_none_or(played) && card.held.as_ref().is_none_or(holds)
        });
        let cards = cards.map(|(card, _)| Decision::Play { card });
        let last = schedule.decisions.last();
        let twin =
            |next: &Decision| last.is_some_and(|last| commute(situation, last, next) && place(situation, next) < place(situation, last));
        for decision in releases.chain(drops).chain(cards).filter(|next| !twin(next)) {
            let mut further = schedule.clone();
            further.decisions.push(decision);
            let cost = cost(situation, &further);
            self.add(further, cost);
        }
    }

    fn add(&mut self, schedule: Schedule, cost: usize) {
        if self.made.insert(schedule.clone()) {
            let cost = cost + if self.beside.contains(&schedule.situation) { BESIDE } else { 0 };
            let lot = self.random.random();
            self.waiting.push(Reverse(Waiting { cost, lot, schedule }));
        }
    }
}

/// How often a schedule departs from the usual order.
fn cost(situation: &Situation, schedule: &Schedule) -> usize {
    let mut left: Vec<String> = situation.gates().map(|(hold, nth)| super::situation::gate_name(hold, nth)).collect();
    let mut cost = 0;
    for decision in &schedule.decisions {
        match decision {
            Decision::Release { gate } => {
                let kind = situation.gate(gate).map(|(hold, _)| &hold.name);
                let first = left.iter().find(|other| situation.gate(other).map(|(hold, _)| &hold.name) == kind);
                cost += usize::from(left.contains(gate) && first != Some(gate));
                left.retain(|other| other != gate);
            }
            Decision::Drop { gate } => {
                cost += 1;
                left.retain(|other| other != gate);
            }
            Decision::Play { card } => {
                let card = situation.card(*card);
                cost += usize::from(!card.is_some_and(|card| card.usual));
                // Whoever was stopped while it waited there is out of the line.
                left.retain(|other| Some(other) != card.and_then(|card| card.held.as_ref()));
            }
        }
    }
    cost
}

/// Requests of different companies do not meet: their order changes nothing.
fn commute(situation: &Situation, one: &Decision, other: &Decision) -> bool {
    let company = |decision: &Decision| situation.gate(decision.gate()?)?.0.on.get("company")?.as_integer();
    matches!((company(one), company(other)), (Some(one), Some(other)) if one != other)
}

fn place(situation: &Situation, decision: &Decision) -> Option<usize> {
    let gate = decision.gate()?;
    situation.gates().position(|(hold, nth)| super::situation::gate_name(hold, nth) == gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "[[card]]\nwords = \"c\"\ndo = [{ revoke = \"grant\" }]\n";

    fn situation(holds: &str, cards: usize) -> Situation {
        let card = CARD.repeat(cards);
        Situation::parse("s", &format!("title = \"\"\nabout = \"\"\nshows = []\nbegin = []\n{holds}{card}")).expect("a situation")
    }

    const THREE: &str = "[[hold]]\nname = \"r\"\nwords = \"r\"\non = { endpoint = \"token\" }\nat = \"committed\"\ntimes = 3\n";

    /// A subject that sends so many requests at once, whatever is decided.
    fn explored(situation: &Situation, sends: &[&str]) -> Vec<Vec<String>> {
        let mut frontier = Frontier::new([situation], &[], 7);
        let mut told = Vec::new();
        while let Some(schedule) = frontier.take() {
            let decided = |gate: &str| schedule.decisions.iter().any(|decision| decision.gate() == Some(gate));
            let held = sends.iter().filter(|gate| !decided(gate)).map(|gate| (*gate).to_owned()).collect();
            frontier.learn(situation, &schedule, &After { realised: true, held });
            told.push(schedule.decisions.iter().map(ToString::to_string).collect());
        }
        told
    }

    #[test]
    fn every_order_of_what_is_held_is_told_once() {
        let told = explored(&situation(THREE, 0), &["r-1", "r-2", "r-3"]);
        let whole: Vec<_> = told.iter().filter(|order| order.len() == 3).collect();
        assert_eq!(whole.len(), 6);
        // With the beginnings of all these orders.
        assert_eq!(told.len(), 1 + 3 + 6 + 6);
        let different: HashSet<_> = told.iter().collect();
        assert_eq!(different.len(), told.len());
    }

    #[test]
    fn the_usual_order_comes_first_and_a_card_is_played_at_every_moment() {
        let told = explored(&situation(THREE, 1), &["r-1", "r-2"]);
        assert!(told[0].is_empty());
        assert_eq!(told.iter().filter(|order| order.iter().any(|it| it == "card 1")).count(), 1 + 4 + 6);
        let departures = |order: &Vec<String>| usize::from(order.iter().any(|it| it == "card 1"));
        assert!(departures(&told[1]) == 0 && departures(told.last().expect("some")) == 1, "{told:?}");
    }

    #[test]
    fn a_card_that_the_situation_is_about_is_as_near_as_none() {
        let holds = format!("{THREE}{CARD}usual = true\n{CARD}");
        let text = format!("title = \"\"\nabout = \"\"\nshows = []\nbegin = []\n{holds}");
        let told = explored(&Situation::parse("s", &text).expect("a situation"), &["r-1", "r-2"]);
        let first = |word: &str| told.iter().position(|order| order.iter().any(|it| it == word)).expect("told");
        let departing = told.iter().position(|order| order.first().is_some_and(|it| it == "release r-2")).expect("told");
        assert!(first("card 1") < first("card 2") && first("card 1") < departing, "{told:?}");
    }

    #[test]
    fn what_a_card_has_stopped_is_not_the_next_in_line_any_more() {
        let card = "[[card]]\nwords = \"c\"\ndo = [{ pause = { held = \"r-1\" } }]\nheld = \"r-1\"\nusual = true\n";
        let text = format!("title = \"\"\nabout = \"\"\nshows = []\nbegin = []\n{THREE}{card}");
        let situation = Situation::parse("s", &text).expect("a situation");
        let release = |gate: &str| Decision::Release { gate: gate.into() };
        let cost = |decisions: &[Decision]| cost(&situation, &Schedule { situation: "s".into(), decisions: decisions.to_vec() });
        assert_eq!(cost(&[release("r-2")]), 1);
        assert_eq!(cost(&[Decision::Play { card: 1 }, release("r-2"), release("r-3"), release("r-1")]), 0);
        assert_eq!(cost(&[Decision::Play { card: 1 }, release("r-3"), release("r-2")]), 1);
    }

    #[test]
    fn situations_that_are_likely_to_show_what_is_wanted_come_first() {
        let named = |name: &str, shows: &str| {
            let text = format!("title = \"\"\nabout = \"\"\nshows = [{shows}]\nbegin = []\n{THREE}");
            Situation::parse(name, &text).expect("a situation")
        };
        let all = [named("a", ""), named("b", "\"RACE-06\""), named("c", "\"RACE-01\"")];
        let first = |wanted: &[&str]| Frontier::new(&all, wanted, 7).take().expect("one").situation;
        assert_eq!((first(&["RACE-06", "STOP-01"]), first(&["RACE-01"])), ("b".to_owned(), "c".to_owned()));
        // Nothing that is wanted stands anywhere: all are alike, and no seed prefers one.
        let seen: HashSet<String> =
            (0..50).filter_map(|seed| Frontier::new(&all, &["LOG-01"], seed).take()).map(|it| it.situation).collect();
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn what_was_not_realised_leads_nowhere_and_no_schedule_grows_beyond_its_limit() {
        let situation = situation(THREE, 9);
        let mut frontier = Frontier::new([&situation], &[], 7);
        let first = frontier.take().expect("the beginning");
        frontier.learn(&situation, &first, &After { realised: false, held: vec!["r-1".into()] });
        assert_eq!((frontier.take(), frontier.made()), (None, 1));
        assert!(explored(&self::situation("", 7), &[]).iter().all(|order| order.len() <= LONGEST));
    }

    #[test]
    fn orders_of_different_companies_requests_are_not_told_twice() {
        let hold = |company: u32| {
            format!(
                "[[hold]]\nname = \"c{company}\"\nwords = \"r\"\non = {{ endpoint = \"token\", company = {company} }}\nat = \"committed\"\ntimes = 1\n"
            )
        };
        let told = explored(&situation(&(hold(0) + &hold(1)), 0), &["c0-1", "c1-1"]);
        assert_eq!(told.iter().filter(|order| order.len() == 2).count(), 1, "{told:?}");
    }
}
