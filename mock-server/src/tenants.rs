//! Tenants: providers beside the provider. Each has its own grants, clock, journal, rules and gates, and the same clients.
//!
//! A tenant is reached below `/t/NAME` on the provider's port, and comes to be when it is first used there; it may have ports of
//! its own as well, on which it stands at the root. Nothing that happens in one can be seen in another.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::ServerConfig;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    Control, ProviderConfig, StartError, Urls,
    fault::Reach,
    front::{self, Listener},
    journal::JournalFile,
    provider,
    state::{Founder, Shared},
};

/// The name of the tenant that is there from the start, at the root.
pub(crate) const DEFAULT: &str = "default";

/// A tenant, for Rust.
#[derive(Clone)]
pub struct Tenant {
    shared: Arc<Shared>,
}

impl Tenant {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What the user and the owner can do there, and only there.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { shared: self.shared.clone() }
    }

    /// Where it is reached on the provider's port.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.shared.urls
    }

    /// Id and secret of the first client (secret `None` if public): the same in all tenants, until one of them rotates it.
    #[must_use]
    pub fn client(&self) -> (String, Option<String>) {
        self.shared.first_client()
    }
}

/// Why there is no such tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// The name cannot stand in a path.
    #[error("{0:?} is no name for a tenant: 1 to 63 of a-z, 0-9, - and _, a letter or digit first, and not \"default\"")]
    Name(String),
    /// There are as many as may be.
    #[error("there are {0} tenants already, and no more are allowed (regrant serve --tenants N); delete one that is no longer used")]
    Full(usize),
}

/// Why a tenant has no port of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    #[error("there is no such tenant")]
    Unknown,
    #[error(transparent)]
    Start(#[from] StartError),
}

/// All tenants but the default one.
pub(crate) struct Tenants {
    origin: Origin,
    known: Mutex<BTreeMap<String, House>>,
}

/// What a new tenant is made from.
pub(crate) struct Origin {
    pub(crate) config: ProviderConfig,
    pub(crate) urls: Urls,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) file: Option<Arc<JournalFile>>,
    pub(crate) founders: Vec<Founder>,
    /// `None`: journals are not written to a file.
    pub(crate) runtime: Option<Handle>,
    pub(crate) reach: Reach,
}

struct House {
    shared: Arc<Shared>,
    doors: Vec<(Urls, Listener)>,
    recorder: Option<JoinHandle<()>>,
}

/// A tenant as seen from outside.
#[derive(Debug, Clone)]
pub(crate) struct TenantView {
    pub(crate) control: Control,
    /// Where else it is reached.
    pub(crate) ports: Vec<Urls>,
}

/// What still runs after tenants were let go.
pub(crate) struct Leftovers {
    listeners: Vec<Listener>,
    recorders: Vec<JoinHandle<()>>,
}

impl Tenants {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, known: Mutex::default() }
    }

    /// A tenant that is there.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Shared>> {
        self.known().get(name).map(|house| house.shared.clone())
    }

    /// The tenant of that name, made if it is not there yet; and whether it was made.
    pub(crate) fn enter(&self, name: &str) -> Result<(Arc<Shared>, bool), TenantError> {
        let mut known = self.known();
        if let Some(house) = known.get(name) {
            return Ok((house.shared.clone(), false));
        }
        if !is_name(name) {
            return Err(TenantError::Name(name.to_owned()));
        }
        if known.len() >= self.origin.config.tenants {
            return Err(TenantError::Full(self.origin.config.tenants));
        }
        let shared = Arc::new(Shared::tenant(name, &self.origin));
        let recorder = self.origin.record(&shared);
        known.insert(name.to_owned(), House { shared: shared.clone(), doors: Vec::new(), recorder });
        Ok((shared, true))
    }

    /// Opens a port on which a tenant stands at the root.
    pub(crate) async fn open(&self, name: &str, listen: SocketAddr) -> Result<Urls, DoorError> {
        let shared = self.find(name).ok_or(DoorError::Unknown)?;
        provider::check_address(listen, &self.origin.config)?;
        let (listener, bound) = front::bind(listen).await?;
        let urls = Urls { management: shared.urls.management.clone(), ..provider::urls(&self.origin.config, bound, None) };
        let mut known = self.known();
        // It may have been deleted meanwhile.
        let house = known.get_mut(name).ok_or(DoorError::Unknown)?;
        house.doors.push((urls.clone(), Listener::serve(house.shared.clone(), listener, self.origin.tls.clone())));
        Ok(urls)
    }

    /// All that are there, by name.
    pub(crate) fn all(&self) -> Vec<TenantView> {
        self.known().values().map(House::view).collect()
    }

    /// One that is there.
    pub(crate) fn view(&self, name: &str) -> Option<TenantView> {
        self.known().get(name).map(House::view)
    }

    /// Ends a tenant: what it holds is dropped, who follows it is let go. False if there was none.
    pub(crate) fn delete(&self, name: &str) -> bool {
        let house = self.known().remove(name);
        house.is_some_and(|house| {
            house.shared.gates.drop_all();
            house.shared.deliveries.end();
            house.shared.journal.close();
            true
        })
    }

    /// Lets all go.
    pub(crate) fn close(&self) -> Leftovers {
        let mut left = Leftovers { listeners: Vec::new(), recorders: Vec::new() };
        for (_, house) in std::mem::take(&mut *self.known()) {
            left.listeners.extend(house.doors.into_iter().map(|(_, listener)| listener));
            left.recorders.extend(house.recorder);
            house.shared.deliveries.end();
            house.shared.journal.close();
        }
        left
    }

    /// Why the file that all journals are written to is not complete.
    pub(crate) fn file_trouble(&self) -> Option<&str> {
        self.origin.file.as_ref().and_then(|file| file.trouble())
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, House>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origin {
    /// Writes a tenant's journal to the file, if there is one.
    pub(crate) fn record(&self, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
        let file = self.file.clone()?;
        Some(self.runtime.as_ref()?.spawn(file.record(shared.clone(), shared.journal.follow())))
    }
}

impl House {
    fn view(&self) -> TenantView {
        let control = Control { shared: self.shared.clone() };
        TenantView { control, ports: self.doors.iter().map(|(urls, _)| urls.clone()).collect() }
    }
}

impl Leftovers {
    /// Ends every connection, and waits until all is written down.
    pub(crate) async fn end(self) {
        for listener in self.listeners {
            listener.stop().await;
        }
        for recorder in self.recorders {
            // Only a panic could be in it, and that was told where it happened.
            let _ended = recorder.await;
        }
    }
}

impl Shared {
    /// Whom a path is meant for: the tenant it names and the rest of it. `None`: the one who was asked.
    pub(crate) fn resolve<'p>(&self, path: &'p str) -> Result<Option<(Arc<Shared>, &'p str)>, TenantError> {
        let Some(tenants) = self.tenants_in_paths() else { return Ok(None) };
        let Some((name, rest)) = split(path) else { return Ok(None) };
        Ok(Some((tenants.enter(name)?.0, rest)))
    }

    /// A path without the prefix that names a tenant, if it has one. No tenant comes to be by it.
    #[cfg(feature = "wiremock")]
    pub(crate) fn below<'p>(&self, path: &'p str) -> &'p str {
        self.tenants_in_paths().and_then(|_| split(path)).map_or(path, |(_, rest)| rest)
    }

    fn tenants_in_paths(&self) -> Option<&Tenants> {
        self.tenants.as_ref().filter(|tenants| tenants.origin.config.tenants > 0)
    }
}

impl From<Arc<Shared>> for Tenant {
    fn from(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants").field("names", &self.known().keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// The prefix below which a tenant is reached.
pub(crate) fn prefix(name: &str) -> String {
    format!("/t/{name}")
}

/// A tenant's name and what follows; `None`: the path names no tenant.
fn split(path: &str) -> Option<(&str, &str)> {
    let named = path.strip_prefix("/t/")?;
    let end = named.find('/').unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    is_name(name).then_some((name, if rest.is_empty() { "/" } else { rest }))
}

fn is_name(name: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name != DEFAULT
        && (1..=63).contains(&name.len())
        && name.bytes().next().is_some_and(fine)
        && name.bytes().all(|b| fine(b) || b"-_".contains(&b))
}

/// The seed of a tenant: the same for the same name, another for each other.
pub(crate) fn seed(seed: u64, name: &str) -> u64 {
    // FNV-1a; the generator that it feeds does the mixing.
    name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_tenant_or_does_not() {
        assert_eq!(split("/t/a-1/oauth/token"), Some(("a-1", "/oauth/token")));
        assert_eq!(split("/t/a"), Some(("a", "/")));
        for path in ["/t/", "/t//x", "/T/a/x", "/t/A/x", "/t/a%20b/x", "/t/-a/x", "/tt/a", "/oauth/token", "/t/default/x"] {
            assert_eq!(split(path), None, "{path}");
        }
        assert_eq!(split(&format!("/t/{}/x", "a".repeat(64))), None);
    }

    #[test]
    fn each_tenant_has_a_seed_of_its_own() {
        assert_eq!(seed(7, "a"), seed(7, "a"));
        assert_ne!(seed(7, "a"), seed(7, "b"));
        assert_ne!(seed(7, "a"), seed(8, "a"));
    }
}
