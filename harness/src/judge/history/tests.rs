//! The checker against the enumeration of all orders, and by hand.

use proptest::prelude::*;

use super::*;

// --- all orders ---

/// What was found among the orders that the spans allow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Orders {
    clean: bool,
    broken: bool,
}

impl Orders {
    fn note(&mut self, broken: bool) {
        *(if broken { &mut self.broken } else { &mut self.clean }) = true;
    }

    /// A branch in which the invariant is broken already can tell nothing new.
    fn is_known(self, broken: bool) -> bool {
        self.broken && (broken || self.clean)
    }
}

impl From<Answer> for Orders {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Holds => Self { clean: true, broken: false },
            Answer::Violated(..) => Self { clean: false, broken: true },
            Answer::Ambiguous(..) => Self { clean: true, broken: true },
        }
    }
}

/// The moments that may come next: those that no other open one must precede.
fn next(open: &[(usize, Span)]) -> Vec<usize> {
    let may = |place: usize| open.iter().enumerate().all(|(other, (_, span))| other == place || open[place].1.earliest <= span.latest);
    (0..open.len()).filter(|place| may(*place)).collect()
}

/// Tells every order of beginnings and ends; `open` holds the beginnings at even numbers, the ends at odd ones.
fn every_refresh(refreshes: &[(Refresh, u8)], open: &[(usize, Span)], flying: &[usize], broken: bool, orders: &mut Orders) {
    if orders.is_known(broken) {
        return;
    }
    if open.is_empty() {
        return orders.note(broken);
    }
    for place in next(open) {
        let (point, _) = open[place];
        let (which, is_end) = (point / 2, point % 2 == 1);
        if is_end && !flying.contains(&which) {
            continue;
        }
        let rest: Vec<_> = open.iter().copied().filter(|(other, _)| *other != point).collect();
        let mut now: Vec<_> = flying.iter().copied().filter(|other| *other != which).collect();
        let clash = !is_end && now.iter().any(|other| refreshes[*other].1 == refreshes[which].1);
        if !is_end {
            now.push(which);
        }
        every_refresh(refreshes, &rest, &now, broken || clash, orders);
    }
}

fn all_refreshes(refreshes: &[(Refresh, u8)]) -> Orders {
    let points = refreshes
        .iter()
        .enumerate()
        .flat_map(|(which, (refresh, _))| [(which * 2, Span::new(refresh.began, refresh.began)), (which * 2 + 1, refresh.ended)]);
    let mut orders = Orders::default();
    every_refresh(refreshes, &points.collect::<Vec<_>>(), &[], false, &mut orders);
    orders
}

/// Tells every order of what was kept, with every age that each may have had.
fn every_kept(
    kept: &[Kept],
    ages: &[Age],
    key: fn(Age) -> (u32, u32),
    open: &[(usize, Span)],
    newest: Option<Age>,
    broken: bool,
    orders: &mut Orders,
) {
    if orders.is_known(broken) {
        return;
    }
    if open.is_empty() {
        return orders.note(broken);
    }
    for place in next(open) {
        let (which, _) = open[place];
        let rest: Vec<_> = open.iter().copied().filter(|(other, _)| *other != which).collect();
        for age in ages.iter().copied().filter(|age| *age >= kept[which].oldest && *age <= kept[which].newest) {
            let back = newest.is_some_and(|newest| key(newest) > key(age));
            let newest = newest.into_iter().chain([age]).max();
            every_kept(kept, ages, key, &rest, newest, broken || back, orders);
        }
    }
}

fn all_kept(kept: &[Kept], key: fn(Age) -> (u32, u32)) -> Orders {
    let ages: Vec<Age> = (0..3).flat_map(|grant| (0..3).map(move |turn| Age { grant, turn })).collect();
    let open: Vec<_> = kept.iter().map(|kept| kept.span).enumerate().collect();
    let mut orders = Orders::default();
    every_kept(kept, &ages, key, &open, None, false, &mut orders);
    orders
}

// --- histories at random ---

fn any_span() -> impl Strategy<Value = Span> {
    (0u64..10, prop_oneof![2 => Just(0u64), 3 => 0u64..3, 1 => 0u64..8]).prop_map(|(earliest, wide)| Span::new(earliest, earliest + wide))
}

fn any_refresh() -> impl Strategy<Value = (Refresh, u8)> {
    (0u64..10, 0u64..4, prop_oneof![2 => Just(0u64), 2 => 0u64..4], 0u8..2).prop_map(|(began, took, wide, token)| {
        let earliest = began + took;
        (Refresh { began, ended: Span::new(earliest, earliest + wide) }, token)
    })
}

fn any_kept() -> impl Strategy<Value = Kept> {
    let age = || (0u32..3, 0u32..3).prop_map(|(grant, turn)| Age { grant, turn });
    (age(), prop_oneof![3 => Just(None), 1 => age().prop_map(Some)], any_span()).prop_map(|(one, other, span)| {
        let other = other.unwrap_or(one);
        Kept { oldest: one.min(other), newest: one.max(other), span }
    })
}

/// The two operations that are blamed are enough for the blame.
fn blamed<T: Copy>(all: &[T], answer: Answer) -> Option<[T; 2]> {
    match answer {
        Answer::Violated(first, second) => Some([all[first], all[second]]),
        Answer::Holds | Answer::Ambiguous(..) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn refreshes_overlap_in_every_order_in_none_or_in_some_as_the_checker_says(all in proptest::collection::vec(any_refresh(), 0..5)) {
        let refreshes: Vec<Refresh> = all.iter().map(|(refresh, _)| *refresh).collect();
        let answer = one_at_a_time(&refreshes, |one, other| all[one].1 == all[other].1);
        prop_assert_eq!(Orders::from(answer), all_refreshes(&all), "{:?}", answer);
        if let Some(two) = blamed(&all, answer) {
            prop_assert_eq!(all_refreshes(&two), Orders { clean: false, broken: true });
        }
    }

    #[test]
    fn an_older_pair_follows_a_newer_one_as_the_checker_says(all in proptest::collection::vec(any_kept(), 0..7)) {
        let answer = never_older(&all);
        let key = |age: Age| (age.grant, age.turn);
        prop_assert_eq!(Orders::from(answer), all_kept(&all, key), "{:?}", answer);
        if let Some(two) = blamed(&all, answer) {
            prop_assert_eq!(all_kept(&two, key), Orders { clean: false, broken: true });
        }
    }

    #[test]
    fn a_recovery_is_undone_as_the_checker_says(all in proptest::collection::vec(any_kept(), 0..7)) {
        let answer = never_undone(&all);
        let key = |age: Age| (age.grant, 0);
        prop_assert_eq!(Orders::from(answer), all_kept(&all, key), "{:?}", answer);
        if let Some(two) = blamed(&all, answer) {
            prop_assert_eq!(all_kept(&two, key), Orders { clean: false, broken: true });
        }
    }
}

// --- by hand ---

fn refresh(began: Micros, earliest: Micros, latest: Micros) -> Refresh {
    Refresh { began, ended: Span::new(earliest, latest) }
}

fn kept(grant: u32, turn: u32, earliest: Micros, latest: Micros) -> Kept {
    let age = Age { grant, turn };
    Kept { oldest: age, newest: age, span: Span::new(earliest, latest) }
}

#[test]
fn a_refresh_that_begins_between_writing_and_reading_of_a_reply_is_ambiguous() {
    let first = refresh(0, 10, 20);
    let answer = |began| one_at_a_time(&[first, refresh(began, 30, 30)], |_, _| true);
    assert_eq!(answer(9), Answer::Violated(0, 1));
    assert_eq!(answer(15), Answer::Ambiguous(0, 1));
    assert_eq!(answer(21), Answer::Holds);
    assert_eq!(one_at_a_time(&[first, refresh(9, 30, 30)], |_, _| false), Answer::Holds);
}

#[test]
fn of_three_refreshes_the_two_that_overlap_are_named() {
    let all = [refresh(30, 40, 40), refresh(0, 10, 10), refresh(5, 8, 9)];
    assert_eq!(one_at_a_time(&all, |_, _| true), Answer::Violated(1, 2));
}

#[test]
fn an_older_pair_seen_after_a_newer_one_was_written_over_it() {
    assert_eq!(never_older(&[kept(0, 1, 0, 5), kept(0, 2, 6, 9), kept(0, 1, 10, 12)]), Answer::Violated(1, 2));
    assert_eq!(never_older(&[kept(0, 1, 0, 5), kept(0, 2, 6, 11), kept(0, 1, 10, 12)]), Answer::Ambiguous(1, 2));
    assert_eq!(never_older(&[kept(0, 1, 0, 5), kept(0, 1, 10, 12), kept(0, 2, 13, 14)]), Answer::Holds);
}

#[test]
fn the_end_of_an_old_grant_may_come_before_a_recovery_and_not_after_it() {
    let (ended, recovered) = (|at| kept(0, u32::MAX, at, at), kept(1, 0, 10, 12));
    assert_eq!(never_undone(&[kept(0, 4, 0, 0), ended(5), recovered]), Answer::Holds);
    assert_eq!(never_undone(&[recovered, ended(15)]), Answer::Violated(0, 1));
    assert_eq!(never_undone(&[recovered, ended(11)]), Answer::Ambiguous(0, 1));
    assert_eq!(never_undone(&[recovered, kept(1, u32::MAX, 15, 15)]), Answer::Holds, "its own grant may end");
    // Whose end it was is not known.
    let unknown = Kept { oldest: Age { grant: 0, turn: 1 }, newest: Age { grant: 1, turn: 1 }, span: Span::new(15, 15) };
    assert_eq!(never_undone(&[recovered, unknown]), Answer::Ambiguous(0, 1));
}
