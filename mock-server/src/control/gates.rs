//! Gates, from Rust: how they open, what they hold, and who may go.

use std::time::Duration;

use super::{Action, Control};
use crate::{
    fault::{
        GateOptions, GateView, Missing, Order, Which,
        scenario::{Release, ReleaseSome},
    },
    journal::Exchange,
};

impl Control {
    /// Says how a gate opens from now on, and closes it. What it holds stays held, unless it is as many as the gate opens at.
    pub fn gate(&self, name: &str, options: GateOptions) {
        self.told(Action::GateSet { gate: name.to_owned() });
        self.shared.gates.set(name, options);
    }

    /// All gates that were named so far.
    #[must_use]
    pub fn gates(&self) -> Vec<GateView> {
        self.shared.gates.all()
    }

    /// How many requests or replies a gate holds now.
    #[must_use]
    pub fn held(&self, gate: &str) -> usize {
        self.shared.gates.held(gate)
    }

    /// Waits until a gate holds at least `count`.
    pub async fn until_held(&self, gate: &str, count: usize) {
        self.shared.gates.until_held(gate, count).await;
    }

    /// Waits until a gate holds at least `count`, but not longer than `within`.
    ///
    /// # Errors
    /// What did not come.
    pub async fn until_held_within(&self, gate: &str, count: usize, within: Duration) -> Result<(), Missing> {
        tokio::time::timeout(within, self.until_held(gate, count)).await.map_err(|_| Missing {
            gate: gate.to_owned(),
            came: self.held(gate),
            wanted: count,
            within,
            why: self.shared.why_nobody_comes(gate),
        })
    }

    /// How many requests or replies all gates hold now.
    #[must_use]
    pub fn held_anywhere(&self) -> usize {
        self.shared.gates.all().iter().map(|gate| gate.held.len()).sum()
    }

    /// Ends the rules that are in force until this name; lets go of all that a gate of this name holds, in the gate's order (that of arrival
    /// unless told otherwise), and opens it for good. Returns how many were held.
    ///
    /// Each goes on when the one before has had its effect: a request when that one was decided, a reply when that one was fully written.
    pub fn release(&self, gate: &str) -> usize {
        self.end_rules_until(gate);
        self.shared.gates.open(gate, None, false)
    }

    /// [`Control::release`] in this order.
    pub fn release_in(&self, gate: &str, order: Order) -> usize {
        self.end_rules_until(gate);
        self.shared.gates.open(gate, Some(order), false)
    }

    /// Lets go as a scenario says it. Returns how many.
    pub fn release_as(&self, release: &Release) -> usize {
        match release {
            Release::All(gate) | Release::Some(ReleaseSome { gate, order: None, nth: None }) => self.release(gate),
            Release::Some(ReleaseSome { gate, order: Some(order), .. }) => self.release_in(gate, *order),
            Release::Some(ReleaseSome { gate, order: None, nth: Some(nth) }) => {
                usize::from(self.release_nth(gate, usize::try_from(*nth).unwrap_or(usize::MAX)))
            }
        }
    }

    /// Lets the one go that came first; the gate stays closed. False if it holds none.
    pub fn release_one(&self, gate: &str) -> bool {
        self.release_nth(gate, 1)
    }

    /// Lets the `nth` of those go that are held now, from 1 in order of arrival; the gate stays closed. False if it does not hold as many.
    pub fn release_nth(&self, gate: &str, nth: usize) -> bool {
        self.shared.gates.let_go(gate, Which::Nth(nth), false)
    }

    /// Lets this request or its reply go; the gate stays closed. False if it is not held there.
    pub fn release_exchange(&self, gate: &str, exchange: Exchange) -> bool {
        self.shared.gates.let_go(gate, Which::Exchange(exchange), false)
    }

    /// Drops the connection of the `nth` of those that are held now; the gate stays closed. False if it does not hold as many.
    pub fn drop_nth(&self, gate: &str, nth: usize) -> bool {
        self.shared.gates.let_go(gate, Which::Nth(nth), true)
    }

    /// Drops the connections of all that a gate holds, and opens it for good. Returns how many.
    pub fn drop_held(&self, gate: &str) -> usize {
        self.shared.gates.open(gate, None, true)
    }

    fn end_rules_until(&self, name: &str) {
        let ended = self.shared.state().rules.until(name);
        for rule in ended {
            self.remove(rule);
        }
    }
}
