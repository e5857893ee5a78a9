//! Logins that were begun: each state is good once, for the browser it was given to, for ten minutes.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oauth2::PkceCodeVerifier;

use super::oauth::{Login, digest};

/// A consent page is not left open for longer.
const LIFE: Duration = Duration::from_secs(600);
/// More attempts at a time are none of honest users; the oldest give way.
const MOST: usize = 64;

/// Logins that were begun and did not come back yet.
#[derive(Default)]
pub(crate) struct Logins(Mutex<Vec<Begun>>);

/// A login that was begun.
pub(crate) struct Begun {
    /// Only its digest: the state itself need not be known to compare it.
    state: String,
    session: String,
    since: Instant,
    pub(crate) verifier: Option<PkceCodeVerifier>,
    /// Where the user wanted to be.
    pub(crate) return_to: String,
}

impl Logins {
    /// Remembers an attempt of a browser's.
    pub(crate) fn begin(&self, session: &str, login: Login, return_to: String) {
        let mut begun = self.begun();
        begun.retain(|login| login.since.elapsed() < LIFE);
        if begun.len() >= MOST {
            begun.remove(0);
        }
        begun.push(Begun {
            state: digest(&login.state),
            session: digest(session),
            since: Instant::now(),
            verifier: login.verifier,
            return_to,
        });
    }

    /// Whether an attempt waits for this state, in whatever browser.
    pub(crate) fn knows(&self, state: &str) -> bool {
        let state = digest(state);
        self.begun().iter().any(|login| login.state == state)
    }

    /// The attempt that a callback belongs to; it is forgotten, so that a second callback finds nothing.
    pub(crate) fn finish(&self, session: &str, state: &str) -> Option<Begun> {
        let (session, state) = (digest(session), digest(state));
        let mut begun = self.begun();
        let place = begun.iter().position(|login| login.state == state && login.session == session && login.since.elapsed() < LIFE)?;
        Some(begun.remove(place))
    }

    /// Planted: the attempt that a callback belongs to, which stays as it is.
    pub(crate) fn look(&self, session: &str, state: &str) -> Option<Begun> {
        let found = self.finish(session, state)?;
        let verifier = found.verifier.as_ref().map(|verifier| PkceCodeVerifier::new(verifier.secret().clone()));
        let copy = Begun {
            state: found.state.clone(),
            session: found.session.clone(),
            since: found.since,
            verifier,
            return_to: found.return_to.clone(),
        };
        self.begun().push(found);
        Some(copy)
    }

    /// Planted: whatever attempt was begun last.
    pub(crate) fn any(&self) -> Begun {
        let blank = || Begun { state: String::new(), session: String::new(), since: Instant::now(), verifier: None, return_to: "/".into() };
        self.begun().pop().unwrap_or_else(blank)
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in this program to come back to; anything else is the front page.
pub(crate) fn local(place: Option<&str>) -> String {
    let fine =
        |place: &&str| place.starts_with('/') && !place.starts_with("//") && place.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    place.filter(fine).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(logins: &Logins, session: &str, state: &str) {
        logins.begin(session, Login { url: String::new(), state: state.into(), verifier: None }, "/".into());
    }

    #[test]
    fn a_state_is_good_once_and_for_its_own_browser() {
        let logins = Logins::default();
        begin(&logins, "mine", "s1");
        assert!(logins.finish("theirs", "s1").is_none());
        assert!(logins.finish("mine", "s2").is_none());
        assert!(logins.finish("mine", "s1").is_some());
        assert!(logins.finish("mine", "s1").is_none());
    }

    #[test]
    fn two_attempts_of_one_browser_do_not_disturb_each_other() {
        let logins = Logins::default();
        begin(&logins, "mine", "s1");
        begin(&logins, "mine", "s2");
        assert!(logins.finish("mine", "s1").is_some());
        assert!(logins.finish("mine", "s2").is_some());
    }

    #[test]
    fn a_place_elsewhere_is_the_front_page() {
        assert_eq!(local(Some("/employees?sort=name")), "/employees?sort=name");
        for place in [None, Some(""), Some("https://evil.test/"), Some("//evil.test"), Some("/\\evil.test"), Some("/a\nb")] {
            assert_eq!(local(place), "/");
        }
    }
}
