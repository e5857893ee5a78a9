//! Long random sequences: what the provider and the user may do next, as a model that proptest draws from and shrinks.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
};

use proptest::{
    prelude::{Just, Strategy},
    prop_oneof,
    strategy::{BoxedStrategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use proptest_state_machine::ReferenceStateMachine;
use toml::{Table, Value};

use super::{
    draft::{Draft, DraftStep, one, table},
    schedule::ending,
};

/// How many things happen in a sequence.
const LENGTH: std::ops::RangeInclusive<usize> = 3..=12;

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// New work, asked for so often, one after the other.
    Work(u8),
    /// New work, asked for so often at once.
    WorkAtOnce(u8),
    /// The access token is no longer accepted.
    NeedRefresh,
    /// The refresh token's time is over.
    Expire,
    /// The user revokes access at Pleo.
    Revoke,
    /// The client gets a new secret, and the subject is given it.
    RotateSecret,
    /// The user connects again.
    Reconnect,
    /// The user starts to connect and denies.
    Deny,
    /// The user disconnects in the subject.
    Disconnect,
    /// The subject is stopped and started again.
    Restart,
    /// The subject is killed and started again.
    Crash,
    /// Ten minutes pass at the provider.
    Wait,
    /// Something happens to the second of two companies.
    Second(Second),
}

/// What happens to the second of two companies while the first one's connection stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// New work, asked for so often for both at once.
    WorkAtOnce(u8),
    /// Its access token is no longer accepted.
    NeedRefresh,
    /// Its user revokes access.
    Revoke,
    /// Its user connects again.
    Reconnect,
}

/// What befalls one of the first refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blip {
    Unavailable,
    Lost,
    Slow,
}

/// What the model knows: whether each company's grant lives, and what befalls which refresh.
#[derive(Debug, Clone)]
struct World {
    connected: bool,
    second: bool,
    blips: Vec<(u8, Blip)>,
}

/// The provider and the user.
struct Model;

impl ReferenceStateMachine for Model {
    type State = World;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<World> {
        let blip = prop_oneof![Just(Blip::Unavailable), Just(Blip::Lost), Just(Blip::Slow)];
        proptest::collection::vec((1_u8..5, blip), 0..3)
            .prop_map(|mut blips| {
                blips.sort_by_key(|(nth, _)| *nth);
                blips.dedup_by_key(|(nth, _)| *nth);
                World { connected: true, second: true, blips }
            })
            .boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Transition> {
        let second = if world.second { Second::Revoke } else { Second::Reconnect };
        let second = prop_oneof![
            2 => (1_u8..4).prop_map(Second::WorkAtOnce),
            2 => Just(Second::NeedRefresh),
            1 => Just(second),
        ];
        let at_any_time = prop_oneof![
            6 => second.prop_map(Transition::Second),
            6 => (1_u8..4).prop_map(Transition::Work),
            4 => (2_u8..5).prop_map(Transition::WorkAtOnce),
            6 => Just(Transition::NeedRefresh),
            3 => Just(Transition::Reconnect),
            1 => Just(Transition::Deny),
            2 => Just(Transition::Restart),
            2 => Just(Transition::Crash),
            1 => Just(Transition::RotateSecret),
            1 => Just(Transition::Wait),
        ];
        if world.connected {
            prop_oneof![6 => at_any_time, 1 => Just(Transition::Revoke), 1 => Just(Transition::Expire), 1 => Just(Transition::Disconnect)]
                .boxed()
        } else {
            prop_oneof![3 => at_any_time, 1 => Just(Transition::Reconnect)].boxed()
        }
    }

    fn apply(world: World, transition: &Transition) -> World {
        let second = match transition {
            Transition::Second(Second::Revoke) | Transition::Revoke | Transition::Expire => false,
            Transition::Second(Second::Reconnect) => true,
            _ => world.second,
        };
        let connected = match transition {
            Transition::Revoke | Transition::Expire | Transition::Disconnect => false,
            Transition::Reconnect => true,
            Transition::Work(_)
            | Transition::WorkAtOnce(_)
            | Transition::NeedRefresh
            | Transition::RotateSecret
            | Transition::Deny
            | Transition::Restart
            | Transition::Crash
            | Transition::Wait
            | Transition::Second(_) => world.connected,
        };
        World { connected, second, ..world }
    }

    fn preconditions(world: &World, transition: &Transition) -> bool {
        match transition {
            Transition::Revoke | Transition::Expire | Transition::Disconnect => world.connected,
            Transition::Second(Second::Revoke) => world.second,
            _ => true,
        }
    }
}

/// What the subject's manifest allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// The user can disconnect in it.
    pub disconnect: bool,
    /// It has processes that can be killed and started.
    pub restart: bool,
    /// It serves two companies.
    pub second: bool,
}

type Drawn = (World, Vec<Transition>, Option<Arc<AtomicUsize>>);

/// A sequence, and all the smaller ones that it can become.
pub struct Sequence {
    tree: Box<dyn ValueTree<Value = Drawn>>,
    wants: Wants,
    /// What it is now.
    draft: Draft,
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequence").field("draft", &self.draft).finish_non_exhaustive()
    }
}

impl Sequence {
    fn new(tree: Box<dyn ValueTree<Value = Drawn>>, wants: Wants) -> Self {
        let draft = drafted(&tree.current(), wants);
        Self { tree, wants, draft }
    }

    /// The story that it makes.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Becomes a smaller one; false: there is none.
    pub fn simplify(&mut self) -> bool {
        let changed = self.tree.simplify();
        self.draft = drafted(&self.tree.current(), self.wants);
        changed
    }

    /// Takes the last step of that back; false: there is nothing to take back.
    pub fn complicate(&mut self) -> bool {
        let changed = self.tree.complicate();
        self.draft = drafted(&self.tree.current(), self.wants);
        changed
    }
}

fn drafted((world, transitions, seen): &Drawn, wants: Wants) -> Draft {
    // All of them are told: what is not marked as seen would be taken away first, whatever it does.
    if let Some(seen) = seen {
        seen.store(transitions.len(), Ordering::SeqCst);
    }
    let mut steps = vec![DraftStep { awaits: None, acts: vec![one("add_work", 1)] }];
    let allowed = transitions.iter().filter(|it| match it {
        Transition::Disconnect => wants.disconnect,
        Transition::Restart | Transition::Crash | Transition::RotateSecret => wants.restart,
        Transition::Second(_) => wants.second,
        Transition::Work(_)
        | Transition::WorkAtOnce(_)
        | Transition::NeedRefresh
        | Transition::Expire
        | Transition::Revoke
        | Transition::Reconnect
        | Transition::Deny
        | Transition::Wait => true,
    });
    let allowed: Vec<Transition> = allowed.copied().collect();
    let two = allowed.iter().any(|it| matches!(it, Transition::Second(_)));
    steps.extend(allowed.into_iter().map(|transition| DraftStep::at_rest(acts(transition))));
    steps.extend(ending(two, false, false));
    Draft {
        title: "A sequence drawn at random".into(),
        about: "What the provider and the user do was drawn at random, and taken away again as far as the same still shows.".into(),
        connections: 1 + u32::from(two),
        processes: 1,
        provider: Table::new(),
        rules: world.blips.iter().map(|(nth, blip)| rule(*nth, *blip)).collect(),
        steps,
    }
}

fn acts(transition: Transition) -> Vec<Value> {
    let trigger = |times: u8, together: bool| {
        let mut how: Table = std::iter::once(("times".to_owned(), i64::from(times).into())).collect();
        if together {
            how.insert("together".into(), true.into());
        }
        one("trigger", how)
    };
    match transition {
        Transition::Work(times) => vec![one("add_work", 1), trigger(times, false)],
        Transition::WorkAtOnce(times) => vec![one("add_work", 1), trigger(times, true)],
        Transition::NeedRefresh => vec![one("need_refresh", "access"), trigger(1, false)],
        Transition::Expire => vec![one("expire", "refresh"), trigger(1, false)],
        Transition::Revoke => vec![one("revoke", "grant"), one("need_refresh", "access"), trigger(1, false)],
        Transition::RotateSecret => vec![one("rotate_secret", Value::Table(Table::new())), one("reload", 1)],
        Transition::Reconnect => vec![one("reconnect", Value::Table(Table::new())), one("add_work", 1), trigger(1, false)],
        Transition::Deny => vec![one("deny", 1)],
        Transition::Disconnect => vec![one("disconnect", 1), trigger(1, false)],
        Transition::Restart => vec![one("restart", 1), trigger(1, false)],
        Transition::Crash => vec![one("kill", 1), one("restart", 1), trigger(1, false)],
        Transition::Wait => vec![one("advance", "10m"), trigger(1, false)],
        Transition::Second(second) => acts_for_the_second(second),
    }
}

fn acts_for_the_second(second: Second) -> Vec<Value> {
    let its = || table([("connection", 2.into())]);
    let asked = one("trigger", table([("times", 1.into()), ("connection", 2.into())]));
    match second {
        Second::WorkAtOnce(times) => {
            let how = [("times", i64::from(times).into()), ("together", true.into()), ("every_connection", true.into())];
            vec![one("add_work", 1), one("trigger", table(how))]
        }
        Second::NeedRefresh => vec![one("need_refresh", its()), asked],
        Second::Revoke => vec![one("revoke", its()), one("need_refresh", its()), asked],
        Second::Reconnect => vec![one("reconnect", its()), one("add_work", 1), asked],
    }
}

fn rule(nth: u8, blip: Blip) -> Table {
    let on = table([("endpoint", "token".into()), ("grant", "refresh_token".into()), ("nth", i64::from(nth).into())]);
    let (at, fate) = match blip {
        Blip::Unavailable => ("arrived", one("status", table([("code", 503.into())]))),
        Blip::Lost => ("committed", Value::from("drop")),
        Blip::Slow => ("committed", one("delay", "400ms")),
    };
    [("on", on), ("at", at.into()), ("fate", fate)].into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Where sequences come from.
pub struct Sequences {
    runner: TestRunner,
    wants: Wants,
}

impl fmt::Debug for Sequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequences").field("wants", &self.wants).finish_non_exhaustive()
    }
}

impl Sequences {
    /// Always the same from the same seed.
    #[must_use]
    pub fn new(seed: u64, wants: Wants) -> Self {
        let mut bytes = [0_u8; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { failure_persistence: None, ..Config::default() };
        let runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        Self { runner, wants }
    }

    /// One more; none: nothing could be drawn.
    pub fn draw(&mut self) -> Option<Sequence> {
        let tree = Model::sequential_strategy(LENGTH).new_tree(&mut self.runner).ok()?;
        Some(Sequence::new(Box::new(tree), self.wants))
    }
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::fault::scenario::Scenario;

    use super::*;

    const ALL: Wants = Wants { disconnect: true, restart: true, second: true };

    #[test]
    fn what_is_drawn_is_a_scenario_and_the_same_again_from_the_same_seed() {
        let texts = |seed| {
            let mut sequences = Sequences::new(seed, ALL);
            (0..50).map(|_| sequences.draw().expect("one").draft().text(&["RACE-01"], &[])).collect::<Vec<_>>()
        };
        let drawn = texts(7);
        for text in &drawn {
            Scenario::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
        assert_eq!(drawn, texts(7));
        assert_ne!(drawn, texts(8));
    }

    #[test]
    fn what_the_subject_cannot_do_is_left_out() {
        let mut sequences = Sequences::new(3, Wants { disconnect: false, restart: false, second: false });
        let all: String = (0..50).map(|_| sequences.draw().expect("one").draft().text(&[], &[])).collect();
        let absent = ["disconnect", "kill", "restart", "connection = 2", "connections"];
        assert!(absent.iter().all(|word| !all.contains(word)) && all.contains("reconnect"));
    }

    #[test]
    fn a_sequence_shrinks_to_what_still_shows_the_same() {
        let mut sequences = Sequences::new(11, ALL);
        let shows = |draft: &Draft| {
            let text = draft.text(&[], &[]);
            text.find("revoke = ").is_some_and(|revoked| text[revoked..].contains("kill = 1"))
        };
        let mut found = (0..500).filter_map(|_| sequences.draw()).find(|sequence| shows(sequence.draft())).expect("one of so many");
        let before = found.draft().steps.len();
        let mut left = found.simplify();
        for _ in 0..1_000 {
            if !left {
                break;
            }
            left = if shows(found.draft()) { found.simplify() } else { found.complicate() };
        }
        let draft = found.draft();
        assert!(shows(draft) && draft.steps.len() <= before);
        // The beginning, the two that matter, the ending: proptest may not find the very least, but comes near.
        assert!(draft.steps.len() <= 6, "{}", draft.text(&[], &[]));
    }
}
