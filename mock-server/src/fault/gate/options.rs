//! How a gate opens: by itself or not, in which order, after what time.

use std::time::Duration;

use rand::Rng as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{scenario::maybe_duration, words::span};

/// How a gate opens. The default: only when it is released, in order of arrival. As TOML, `[gate.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateOptions {
    /// It opens by itself when it holds so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<u32>,
    /// In which order those that it holds go on: each when the one before it has had its effect.
    pub order: Order,
    /// So long after the first that it holds it opens all the same.
    #[serde(deserialize_with = "maybe_duration", serialize_with = "span", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// What becomes then of those that it holds.
    pub then: OnTimeout,
    /// When it has opened by number or by time, it closes again behind those that it let go.
    pub rearm: bool,
}

/// An order of release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// First come, first served.
    #[default]
    Arrival,
    /// Last come, first served.
    Reverse,
    /// Shuffled by the provider's seed, the gate's name and how often it has opened.
    Seeded,
}

/// What becomes of those that a gate holds when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// They go on.
    #[default]
    Open,
    /// Their connections are dropped.
    Drop,
}

impl Order {
    pub(super) fn sort<T>(self, mut held: Vec<T>, seed: u64, gate: &str, opening: u64) -> Vec<T> {
        match self {
            Self::Arrival => {}
            Self::Reverse => held.reverse(),
            Self::Seeded => shuffle(&mut held, seed, gate, opening),
        }
        held
    }
}

/// Fisher and Yates. The modulo's bias is far below what anybody could notice.
fn shuffle<T>(held: &mut [T], seed: u64, gate: &str, opening: u64) {
    let mut dice = ChaCha20Rng::seed_from_u64(seed);
    // A stream of the gate's own, high above those of rules.
    let name = gate.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    dice.set_stream((1 << 63) | name.wrapping_mul(65_537).wrapping_add(opening));
    for last in (1..held.len()).rev() {
        let other = usize::try_from(dice.next_u64() % (last as u64 + 1)).unwrap_or(last);
        held.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_what_they_say() {
        let sort = |order: Order, seed, opening| order.sort((0..8).collect::<Vec<u32>>(), seed, "gate-a", opening);
        assert_eq!(sort(Order::Arrival, 7, 1), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(sort(Order::Reverse, 7, 1), [7, 6, 5, 4, 3, 2, 1, 0]);
        let seeded = sort(Order::Seeded, 7, 1);
        assert_eq!(seeded, sort(Order::Seeded, 7, 1), "the same seed, the same order");
        assert_ne!(seeded, sort(Order::Seeded, 8, 1));
        assert_ne!(seeded, sort(Order::Seeded, 7, 2), "the next time another");
        let mut all = seeded;
        all.sort_unstable();
        assert_eq!(all, sort(Order::Arrival, 7, 1), "nobody is lost");
    }
}
