//! What a test expects of its client, looked at when the expectation is dropped.

use std::{fmt, thread};

use super::{
    Call, Count, Pleo,
    verdict::{self, Expected},
    watch::Watch,
};
use crate::journal::Endpoint;

/// Something that is expected of the client from the moment it was made. Dropping it panics if it was not met, unless the test
/// panics already.
///
/// ```should_panic
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pleo = regrant_mock_server::PleoServer::builder().start_blocking()?;
/// let _once = pleo.expect_refreshes(1);
/// // a client that never refreshes
/// # Ok(())
/// # }
/// ```
#[must_use = "bind it to a name such as `_once`: it looks when it is dropped"]
pub struct Expectation {
    expected: Expected,
    watch: Watch,
    seed: u64,
    /// Someone has looked.
    settled: bool,
}

/// What was seen instead of what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What was expected, and how much was seen.
    pub sentence: String,
    /// The client's requests since the expectation was made.
    pub calls: Vec<Call>,
    /// Which of them it rests on, by place.
    pub rests_on: Vec<usize>,
    /// The seed of the Pleo.
    pub seed: u64,
}

impl Pleo {
    /// So many refresh requests are sent, whatever comes of them: `1`, `1..=2`, `..`.
    pub fn expect_refreshes(&self, count: impl Into<Count>) -> Expectation {
        self.expect(Expected::Refreshes(count.into()))
    }

    /// So many requests are sent to a part of the provider.
    pub fn expect_calls(&self, endpoint: Endpoint, count: impl Into<Count>) -> Expectation {
        self.expect(Expected::Calls(endpoint, count.into()))
    }

    /// No refresh token that was replaced, and no code that was used, is presented again. A client whose refreshes run into each
    /// other, or that lost the new token, does that.
    pub fn expect_no_replay(&self) -> Expectation {
        self.expect(Expected::NoReplay)
    }

    /// Once a refresh was refused for good, no API request carries a token of its grant. Counted is what begins after the client
    /// has the refusal; a request that was under way is not.
    pub fn expect_no_calls_after_refusal(&self) -> Expectation {
        self.expect(Expected::NoCallsAfterRefusal)
    }

    /// Once a refresh was refused for good, no refresh token of its grant is sent again.
    pub fn expect_no_refresh_after_refusal(&self) -> Expectation {
        self.expect(Expected::NoRefreshAfterRefusal)
    }

    fn expect(&self, expected: Expected) -> Expectation {
        Expectation { expected, watch: Watch::from_now(self.control()), seed: self.seed(), settled: false }
    }
}

impl Expectation {
    /// Looks, without an end: whether it is met so far.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self) -> Result<(), Unmet> {
        let calls = self.watch.seen();
        match verdict::fault(self.expected, &calls) {
            None => Ok(()),
            Some(fault) => Err(Unmet { sentence: fault.sentence, calls, rests_on: fault.rests_on, seed: self.seed }),
        }
    }

    /// Looks and ends; unlike a drop, the panic points at this line of the test.
    ///
    /// # Panics
    /// If it is not met.
    #[track_caller]
    pub fn verify(mut self) {
        self.settled = true;
        if let Err(unmet) = self.check() {
            panic!("{unmet}");
        }
    }

    /// Ends without a look.
    pub fn dismiss(mut self) {
        self.settled = true;
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        // A panic while another unwinds would abort the whole test binary.
        if self.settled || thread::panicking() {
            return;
        }
        if let Err(unmet) = self.check() {
            panic!("{unmet}");
        }
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectation").field("expected", &self.expected).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (seed {})", self.sentence, self.seed)?;
        if self.calls.is_empty() {
            return f.write_str("  the client sent nothing");
        }
        for (place, call) in self.calls.iter().enumerate() {
            let mark = if self.rests_on.contains(&place) { '>' } else { ' ' };
            writeln!(f, "{mark} {call}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unmet {}
