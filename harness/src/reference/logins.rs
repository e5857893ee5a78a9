//! Logins that were begun: each state is good once, for the browser it was given to, for ten minutes, also over a restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oauth2::PkceCodeVerifier;
use serde_json::{Value, json};

use super::{
    log::unix_millis,
    oauth::{Login, digest},
    store::Store,
};

/// A consent page is not left open for longer, in milliseconds.
const LIFE: i64 = 600_000;
/// The name of a login's note begins so.
const NOTE: &str = "login_";
/// More attempts at a time are none of honest users; the oldest give way.
const MOST: usize = 64;

/// Logins that were begun and did not come back yet; each has a sealed note in the store.
pub(crate) struct Logins {
    store: Arc<Store>,
    begun: Mutex<Vec<Begun>>,
}

/// A login that was begun.
pub(crate) struct Begun {
    state: String,
    session: String,
    /// In milliseconds since 1970.
    since: i64,
    pub(crate) verifier: Option<PkceCodeVerifier>,
    /// Where the user wanted to be.
    pub(crate) return_to: String,
}

impl Logins {
    /// Those that wait for their users still.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        let begun = store.notes(NOTE).unwrap_or_default().iter().filter_map(|(_, note)| Begun::read(note)).collect();
        Self { store, begun: Mutex::new(begun) }
    }

    /// Remembers an attempt of a browser's.
    pub(crate) fn begin(&self, session: &str, login: Login, return_to: String) {
        let mut begun = self.begun();
        let crowd = (begun.len() + 1).saturating_sub(MOST);
        let outdated: Vec<Begun> = begun.extract_if(.., |login| login.is_outdated()).collect();
        let crowd = crowd.min(begun.len());
        let oldest: Vec<Begun> = begun.drain(..crowd).collect();
        outdated.iter().chain(&oldest).for_each(|login| self.forget(login));
        let login = Begun { state: login.state, session: digest(session), since: unix_millis(), verifier: login.verifier, return_to };
        // Without its note it is merely lost with a restart.
        drop(self.store.set_sealed_note(&login.name(), &login.written()));
        begun.push(login);
    }

    fn forget(&self, login: &Begun) {
        drop(self.store.drop_note(&login.name()));
    }

    /// Whether an attempt waits for this state, in whatever browser.
    pub(crate) fn knows(&self, state: &str) -> bool {
        self.begun().iter().any(|login| login.state == state)
    }

    /// The attempt that a callback belongs to; it is forgotten, so that a second callback finds nothing.
    pub(crate) fn finish(&self, session: &str, state: &str) -> Option<Begun> {
        let session = digest(session);
        let mut begun = self.begun();
        let place = begun.iter().position(|login| login.state == state && login.session == session && !login.is_outdated())?;
        let login = begun.remove(place);
        self.forget(&login);
        Some(login)
    }

    /// Planted: the attempt that a callback belongs to, which stays as it is.
    pub(crate) fn look(&self, session: &str, state: &str) -> Option<Begun> {
        let session = digest(session);
        let begun = self.begun();
        let found = begun.iter().find(|login| login.state == state && login.session == session && !login.is_outdated())?;
        self.forget(found);
        let verifier = found.verifier.as_ref().map(|verifier| PkceCodeVerifier::new(verifier.secret().clone()));
        Some(Begun {
            state: found.state.clone(),
            session: found.session.clone(),
            since: found.since,
            verifier,
            return_to: found.return_to.clone(),
        })
    }

    /// Planted: whatever attempt was begun last.
    pub(crate) fn any(&self) -> Begun {
        let blank = || Begun { state: String::new(), session: String::new(), since: 0, verifier: None, return_to: "/".into() };
        self.begun().pop().unwrap_or_else(blank)
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    fn is_outdated(&self) -> bool {
        unix_millis() - self.since >= LIFE
    }

    fn name(&self) -> String {
        format!("{NOTE}{}", digest(&self.state))
    }

    fn written(&self) -> String {
        let verifier = self.verifier.as_ref().map(|verifier| verifier.secret().as_str());
        json!({ "state": self.state, "session": self.session, "since": self.since, "verifier": verifier, "return_to": self.return_to })
            .to_string()
    }

    fn read(note: &str) -> Option<Self> {
        let note: Value = serde_json::from_str(note).ok()?;
        let text = |name: &str| note.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            state: text("state")?,
            session: text("session")?,
            since: note.get("since").and_then(Value::as_i64)?,
            verifier: text("verifier").map(PkceCodeVerifier::new),
            return_to: text("return_to")?,
        })
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
    use crate::reference::store::Seal;

    fn logins(dir: &tempfile::TempDir) -> Logins {
        Logins::new(Arc::new(Store::open(dir.path(), Seal::new("a key")).expect("opens")))
    }

    fn begin(logins: &Logins, session: &str, state: &str) {
        logins.begin(session, Login { url: String::new(), state: state.into(), verifier: None }, "/".into());
    }

    #[test]
    fn a_state_is_good_once_and_for_its_own_browser() {
        let dir = tempfile::tempdir().expect("a directory");
        let logins = logins(&dir);
        begin(&logins, "mine", "s1");
        assert!(logins.finish("theirs", "s1").is_none());
        assert!(logins.finish("mine", "s2").is_none());
        assert!(logins.finish("mine", "s1").is_some());
        assert!(logins.finish("mine", "s1").is_none());
    }

    #[test]
    fn two_attempts_of_one_browser_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let logins = logins(&dir);
        begin(&logins, "mine", "s1");
        begin(&logins, "mine", "s2");
        assert!(logins.finish("mine", "s1").is_some());
        assert!(logins.finish("mine", "s2").is_some());
    }

    #[test]
    fn a_login_survives_a_restart_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        begin(&logins(&dir), "mine", "s1");
        assert!(logins(&dir).finish("mine", "s1").is_some());
        assert!(!logins(&dir).knows("s1"));
    }

    #[test]
    fn a_place_elsewhere_is_the_front_page() {
        assert_eq!(local(Some("/employees?sort=name")), "/employees?sort=name");
        for place in [None, Some(""), Some("https://evil.test/"), Some("//evil.test"), Some("/\\evil.test"), Some("/a\nb")] {
            assert_eq!(local(place), "/");
        }
    }
}
