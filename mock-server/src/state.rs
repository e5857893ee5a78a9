//! What the front, the control handle and the management listener share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use indexmap::IndexMap;
use regrant_authority::{Authority, Client, Consent, Kind, Secret, Time};

use crate::{
    ApiReply, ClientConfig, ConsentMode, ProviderConfig,
    clock::Clock,
    fault::{Gates, Rules},
    front::Store,
    journal::{Journal, What},
    mint::{Minting, Source},
    vault::{Canary, Vault},
};

/// One running provider. Locks are taken in the order state, gates, journal.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<Clock>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) gates: Gates,
    pub(crate) replies: Vec<ApiReply>,
    pub(crate) seed: u64,
    open: AtomicUsize,
    state: Mutex<State>,
}

/// All that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) authority: Authority,
    pub(crate) vault: Vault,
    pub(crate) source: Source,
    pub(crate) rules: Rules,
    pub(crate) consent: ConsentMode,
    pub(crate) store: Store,
    /// Who consents: an index into the store's companies.
    pub(crate) company: usize,
    /// Authorise requests whose page is shown, by ticket. The oldest are forgotten.
    pub(crate) tickets: IndexMap<String, Consent>,
    /// Ids of the clients in order of registration.
    pub(crate) clients: Vec<String>,
}

/// Counts a request as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Begun(Arc<Shared>);

impl Shared {
    pub(crate) fn new(config: &ProviderConfig) -> Self {
        let clock = Arc::new(Clock::new(config.epoch));
        let journal = Arc::new(Journal::new(clock.clone()));
        let mut source = Source::new(config.seed);
        let store = Store::new(&mut source);
        let mut authority = Authority::new(config.policy.clone(), source.keyed.clone());
        authority.remember_ended(config.remember.most());
        let state = State {
            authority,
            vault: Vault::new(config.remember),
            source,
            rules: Rules::default(),
            consent: config.consent,
            store,
            company: 0,
            tickets: IndexMap::new(),
            clients: Vec::new(),
        };
        let gates = Gates::new(journal.clone());
        let shared = Self {
            clock,
            journal,
            gates,
            replies: config.replies.clone(),
            seed: config.seed,
            open: AtomicUsize::new(0),
            state: Mutex::new(state),
        };
        let open_to_all = [ClientConfig::default()];
        let configured = if config.clients.is_empty() { &open_to_all[..] } else { &config.clients };
        for client in configured {
            shared.register(client, config.clients.is_empty());
        }
        shared
    }

    /// The state, locked. Never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Id and current secret of the first client.
    pub(crate) fn first_client(&self) -> (String, Option<String>) {
        let state = self.state();
        let id = state.clients.first().cloned().unwrap_or_default();
        let secret = state.authority.client(&id).and_then(|client| client.secrets.last()).map(|secret| secret.value.clone());
        (id, secret)
    }

    /// Requests begun and not ended.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Begun {
        self.open.fetch_add(1, Ordering::SeqCst);
        Begun(self.clone())
    }

    fn register(&self, config: &ClientConfig, any_loopback_redirect: bool) {
        let mut state = self.state();
        let id = config.id.clone().unwrap_or_else(|| state.source.uuid());
        let secret = match &config.secret {
            _ if config.public => None,
            Some(fixed) => Some(fixed.clone()),
            None => Some(state.secret(&self.journal).value),
        };
        state.authority.register(Client {
            id: id.clone(),
            secrets: secret.iter().map(|value| Secret::from(value, Time::default())).collect(),
            redirect_uris: config.redirect_uris.clone(),
            any_loopback_redirect,
            scopes: config.scopes.clone(),
            pkce_exempt: config.pkce_exempt,
        });
        state.clients.push(id);
    }
}

impl State {
    /// A new client secret, named and told to the journal.
    pub(crate) fn secret(&mut self, journal: &Journal) -> Canary {
        let value = self.source.secret();
        let canary = self.vault.enter(Kind::Secret, None, value).clone();
        journal.push(What::Minted { name: canary.name.clone() });
        canary
    }

    /// What a secret is called, and whose it is, however old.
    pub(crate) fn find(&self, value: &str) -> Option<Canary> {
        self.vault.find(&self.source.keyed, value)
    }

    /// The authority, and who is told of what it mints.
    pub(crate) fn minting<'a>(&'a mut self, journal: &'a Journal) -> (&'a mut Authority, Minting<'a>) {
        (&mut self.authority, Minting { vault: &mut self.vault, journal })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
