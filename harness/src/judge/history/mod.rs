//! Operations whose moments are known only within bounds: does an invariant hold in whatever order they took place, in none, or is that not known?
//!
//! A reply has been read some time after it was written; a write is seen at the next look. So each operation has a [`Span`], and a
//! history stands for all orders that its spans allow. An invariant is [`Answer::Violated`] if each of these orders breaks it,
//! [`Answer::Holds`] if none does, and [`Answer::Ambiguous`] otherwise: nobody is convicted of an order that was merely possible.
//!
//! All orders need not be looked at. For each of the invariants, if every two operations can be put in order, all of them can be at once,
//! so that two operations are witness enough; `tests.rs` compares this with the enumeration of all orders. What of a recorded story
//! becomes which operation is told in `observed.rs`.

mod observed;
#[cfg(test)]
mod tests;

pub use observed::{Lineage, in_flight};

use crate::evidence::Micros;

/// The bounds of a moment, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Not before.
    pub earliest: Micros,
    /// Not after.
    pub latest: Micros,
}

impl Span {
    /// Between these two; a later bound before the earlier one counts for nothing.
    #[must_use]
    pub fn new(earliest: Micros, latest: Micros) -> Self {
        Self { earliest, latest: latest.max(earliest) }
    }
}

/// A refresh of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// Its first byte.
    pub began: Micros,
    /// Its reply was read, its connection closed, or its process killed.
    pub ended: Span,
}

/// How new tokens are: by the order of the grants, then by the order in which the provider issued them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// Which grant of the connection.
    pub grant: u32,
    /// Which pair of that grant. The end of a grant is newer than its last pair, and older than the next grant.
    pub turn: u32,
}

/// At a moment within the span a connection's place in the store held tokens, or the mark that there are none: they were written, or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// They are not older than that.
    pub oldest: Age,
    /// They are not newer than that.
    pub newest: Age,
    /// When.
    pub span: Span,
}

/// What the orders say that a history may have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// None of them breaks the invariant.
    Holds,
    /// Each of them does, because of these two operations (by their places): the first, and the one that should not have been.
    Violated(usize, usize),
    /// Some do; for example because of these two.
    Ambiguous(usize, usize),
}

/// One refresh at a time: of two rivals the second begins when the first has ended. `rivals` says of two places whether they are.
#[must_use]
pub fn one_at_a_time(refreshes: &[Refresh], rivals: impl Fn(usize, usize) -> bool) -> Answer {
    let mut order: Vec<usize> = (0..refreshes.len()).collect();
    order.sort_by_key(|place| refreshes[*place].began);
    let mut possible = None;
    for (index, &first) in order.iter().enumerate() {
        let one = &refreshes[first];
        let open = order[index + 1..].iter().copied().take_while(|second| refreshes[*second].began <= one.ended.latest);
        for second in open.filter(|second| rivals(first, *second)) {
            let other = &refreshes[second];
            if other.began < one.ended.earliest && one.began < other.ended.earliest {
                return Answer::Violated(first, second);
            }
            possible = possible.or(Some((first, second)));
        }
    }
    possible.map_or(Answer::Holds, |(first, second)| Answer::Ambiguous(first, second))
}

/// No pair is written after a newer one.
#[must_use]
pub fn never_older(kept: &[Kept]) -> Answer {
    never_back(kept, |age| age)
}

/// Nothing of an earlier grant, neither tokens nor its end, takes the place of a later grant: a recovery is not undone.
#[must_use]
pub fn never_undone(kept: &[Kept]) -> Answer {
    never_back(kept, |age| age.grant)
}

fn never_back<K: Ord + Copy>(kept: &[Kept], key: impl Fn(Age) -> K) -> Answer {
    let mut starts: Vec<usize> = (0..kept.len()).collect();
    let mut ends = starts.clone();
    starts.sort_by_key(|place| kept[*place].span.earliest);
    ends.sort_by_key(|place| kept[*place].span.latest);
    if let Some((first, second)) = certainly_back(kept, &key, &starts, &ends) {
        return Answer::Violated(first, second);
    }
    possibly_back(kept, &key, &starts, &ends).map_or(Answer::Holds, |(first, second)| Answer::Ambiguous(first, second))
}

/// Something that is older for certain, and certainly comes after.
fn certainly_back<K: Ord>(kept: &[Kept], key: impl Fn(Age) -> K, starts: &[usize], ends: &[usize]) -> Option<(usize, usize)> {
    let mut over = ends.iter().copied().peekable();
    let mut newest: Option<usize> = None;
    starts.iter().copied().find_map(|later| {
        while let Some(before) = over.next_if(|before| kept[*before].span.latest < kept[later].span.earliest) {
            newest = newest.into_iter().chain([before]).max_by_key(|place| key(kept[*place].oldest));
        }
        let before = newest.filter(|before| key(kept[*before].oldest) > key(kept[later].newest))?;
        Some((before, later))
    })
}

/// Something that may be older, and may come after.
fn possibly_back<K: Ord>(kept: &[Kept], key: impl Fn(Age) -> K, starts: &[usize], ends: &[usize]) -> Option<(usize, usize)> {
    let mut begun = starts.iter().copied().peekable();
    // The newest two, since nothing comes after itself.
    let mut newest: Vec<usize> = Vec::new();
    ends.iter().copied().find_map(|later| {
        while let Some(before) = begun.next_if(|before| kept[*before].span.earliest <= kept[later].span.latest) {
            newest.push(before);
            newest.sort_by_key(|place| std::cmp::Reverse(key(kept[*place].newest)));
            newest.truncate(2);
        }
        let before = newest.iter().copied().find(|before| *before != later)?;
        (key(kept[before].newest) > key(kept[later].oldest)).then_some((before, later))
    })
}
