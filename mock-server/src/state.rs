//! What the front, the control handle and the management listener share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use indexmap::IndexMap;
use regrant_authority::{Authority, Client, Consent, Kind, Secret};

use crate::{
    ApiReply, ClientConfig, ConsentMode, ProviderConfig,
    clock::Clock,
    fault::{Gates, Moment, RuleCount, Rules},
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
    /// HTTP/2 is spoken too.
    pub(crate) http2: bool,
    /// Asked at every point of every request's way.
    pub(crate) rule_count: RuleCount,
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
        let state = State {
            authority: Authority::new(config.policy.clone()),
            vault: Vault::default(),
            source,
            rules: Rules::new(config.seed),
            consent: config.consent,
            store,
            company: 0,
            tickets: IndexMap::new(),
            clients: Vec::new(),
        };
        let gates = Gates::new(journal.clone(), config.seed);
        let shared = Self {
            clock,
            journal,
            gates,
            replies: config.replies.clone(),
            seed: config.seed,
            http2: config.http2,
            rule_count: state.rules.count(),
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

    /// Now, by both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment { real: self.clock.at(), provider: self.clock.now() }
    }

    /// What is known of those that do not come to a gate.
    pub(crate) fn why_nobody_comes(&self, gate: &str) -> String {
        let now = self.clock.at();
        let state = self.state();
        let rules = state.rules.holding_at(gate).map(|one| match one.last {
            None => format!("rule {} matched no request", one.id),
            Some(last) => {
                let ago = std::time::Duration::from_millis(millis(now.saturating_sub(last)));
                format!("no request matched rule {} in the last {ago:?}", one.id)
            }
        });
        let known: Vec<String> = rules.collect();
        if known.is_empty() { "no rule holds anything there".to_owned() } else { known.join(", ") }
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
        let from = regrant_authority::Time::default();
        state.authority.register(Client {
            id: id.clone(),
            secrets: secret.into_iter().map(|value| Secret { value, from, until: None }).collect(),
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
        let value = self.source.secret(Kind::Secret);
        let canary = self.vault.enter(Kind::Secret, None, value).clone();
        journal.push(What::Minted { name: canary.name.clone() });
        canary
    }

    /// The authority, with all it needs to mint.
    pub(crate) fn minting<'a>(&'a mut self, journal: &'a Journal) -> (&'a mut Authority, Minting<'a>) {
        (&mut self.authority, Minting { source: &mut self.source, vault: &mut self.vault, journal })
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
