//! What the front, the control handle and the management listener share.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use regrant_authority::{Authority, Client, Consent, Kind, Secret, Time};
use tokio::sync::Notify;

use crate::{
    ApiReply, ClientConfig, ConsentMode, ProviderConfig, Urls,
    clock::Clock,
    fault::{Gates, Moment, Reach, RuleCount, Rules},
    front::Store,
    journal::{Journal, What},
    mint::{Minting, Source},
    telling::Telling,
    tenants::{self, Origin, Tenants},
    vault::{Canary, Vault},
    webhook::Deliveries,
};

/// One tenant of a running provider. Locks are taken in the order state, gates, journal.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    /// Where it is reached on the provider's port.
    pub(crate) urls: Urls,
    /// The other tenants; only the default tenant knows of them.
    pub(crate) tenants: Option<Tenants>,
    /// What it was set up with.
    pub(crate) config: ProviderConfig,
    pub(crate) clock: Arc<Clock>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) gates: Gates,
    /// The story that is being told, if one was loaded.
    pub(crate) telling: Telling,
    pub(crate) replies: Vec<ApiReply>,
    pub(crate) seed: u64,
    /// What the door in front of it can carry out.
    pub(crate) reach: Reach,
    /// Asked at every point of every request's way.
    pub(crate) rule_count: RuleCount,
    /// A story that waits goes on.
    pub(crate) go_on: Notify,
    /// Webhooks under way.
    pub(crate) deliveries: Deliveries,
    /// What signs messages to those that did not subscribe.
    pub(crate) webhook_secret: String,
    open: Mutex<OpenRequests>,
    ended: Condvar,
    state: Mutex<State>,
}

/// Requests begun and not ended.
#[derive(Debug, Default)]
struct OpenRequests {
    count: usize,
    /// So many threads wait for one to end.
    awaited: usize,
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

/// A client that was registered at the start. Every tenant has the same.
#[derive(Debug, Clone)]
pub(crate) struct Founder {
    /// With id and secret, once it is registered.
    config: ClientConfig,
    /// Its secret is a canary.
    minted: bool,
    any_loopback_redirect: bool,
}

/// Counts a request as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Begun(Arc<Shared>);

impl Shared {
    /// The default tenant, and what others are made from, their clients included.
    pub(crate) fn first(mut origin: Origin) -> Self {
        let mut shared = Self::empty(tenants::DEFAULT, origin.config.seed, origin.urls.clone(), &origin);
        let open_to_all = [ClientConfig::default()];
        let configured = if origin.config.clients.is_empty() { &open_to_all[..] } else { &origin.config.clients };
        let any_loopback_redirect = origin.config.clients.is_empty();
        let founders = configured.iter().map(|client| {
            let minted = client.secret.is_none() && !client.public;
            shared.register(Founder { config: client.clone(), minted, any_loopback_redirect })
        });
        origin.founders = founders.collect();
        shared.tenants = Some(Tenants::new(origin));
        shared
    }

    /// Another tenant.
    pub(crate) fn tenant(name: &str, origin: &Origin) -> Self {
        let (prefix, base) = (tenants::prefix(name), &origin.urls);
        let below = |url: &str| url.strip_prefix(&base.api).map_or_else(String::new, |path| format!("{}{prefix}{path}", base.api));
        let urls = Urls {
            authorize: below(&base.authorize),
            token: below(&base.token),
            introspect: below(&base.introspect),
            api: below(&base.api),
            management: base.management.as_ref().map(|base| format!("{base}/v1/tenants/{name}")),
            // It answers for the default tenant alone.
            proxy: None,
        };
        let shared = Self::empty(name, tenants::seed(origin.config.seed, name), urls, origin);
        for founder in &origin.founders {
            shared.register(founder.clone());
        }
        shared
    }

    fn empty(name: &str, seed: u64, urls: Urls, origin: &Origin) -> Self {
        let config = &origin.config;
        let clock = Arc::new(Clock::new(config.epoch));
        let journal = Arc::new(Journal::new(clock.clone(), config.journal));
        let mut source = Source::new(seed);
        let webhook_secret = source.webhook_secret();
        let store = Store::new(&mut source);
        let mut authority = Authority::new(config.policy.clone(), source.keyed.clone());
        authority.remember_ended(config.remember.most());
        let state = State {
            authority,
            vault: Vault::new(config.remember, source.keyed.clone()),
            source,
            rules: Rules::new(seed),
            consent: config.consent,
            store,
            company: 0,
            tickets: IndexMap::new(),
            clients: Vec::new(),
        };
        let gates = Gates::new(journal.clone(), seed);
        Self {
            name: name.to_owned(),
            urls,
            tenants: None,
            config: config.clone(),
            clock,
            journal,
            gates,
            telling: Telling::default(),
            replies: config.replies.clone(),
            seed,
            reach: origin.reach,
            rule_count: state.rules.count(),
            go_on: Notify::new(),
            deliveries: Deliveries::default(),
            webhook_secret,
            open: Mutex::default(),
            ended: Condvar::new(),
            state: Mutex::new(state),
        }
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
        self.open_requests().count
    }

    /// Blocks until every request that was begun has ended or is held at a gate, so that the journal has all that a client can
    /// know of; false if that was not so within `limit`. Not for the thread that serves.
    pub(crate) fn settle(&self, limit: Duration) -> bool {
        // That a request came to a gate is told to nobody here.
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        let begun = Instant::now();
        loop {
            let held: usize = self.gates.all().iter().map(|gate| gate.held.len()).sum();
            let open = self.open_requests();
            if open.count <= held {
                return true;
            }
            if begun.elapsed() >= limit {
                return false;
            }
            self.wait_for_an_end(open, LOOK_AGAIN);
        }
    }

    fn wait_for_an_end(&self, mut open: MutexGuard<'_, OpenRequests>, limit: Duration) {
        open.awaited += 1;
        let (mut open, _) = self.ended.wait_timeout(open, limit).unwrap_or_else(PoisonError::into_inner);
        open.awaited -= 1;
    }

    fn open_requests(&self) -> MutexGuard<'_, OpenRequests> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Begun {
        self.open_requests().count += 1;
        Begun(self.clone())
    }

    /// Registers a client, and gives it back with the id and the secret that it has now.
    fn register(&self, mut founder: Founder) -> Founder {
        let mut state = self.state();
        let id = founder.config.id.get_or_insert_with(|| state.source.uuid()).clone();
        if founder.minted {
            let value = founder.config.secret.get_or_insert_with(|| state.source.secret()).clone();
            state.name_secret(&self.journal, value);
        }
        let secret = founder.config.secret.clone().filter(|_| !founder.config.public);
        state.authority.register(Client {
            id: id.clone(),
            secrets: secret.iter().map(|value| Secret::from(value, Time::default())).collect(),
            redirect_uris: founder.config.redirect_uris.clone(),
            any_loopback_redirect: founder.any_loopback_redirect,
            scopes: founder.config.scopes.clone(),
            pkce_exempt: founder.config.pkce_exempt,
        });
        state.clients.push(id);
        founder
    }
}

impl State {
    /// A new client secret, named and told to the journal.
    pub(crate) fn secret(&mut self, journal: &Journal) -> Canary {
        let value = self.source.secret();
        self.name_secret(journal, value)
    }

    /// One that has each of the characters beside letters and digits that a secret may have.
    pub(crate) fn odd_secret(&mut self, journal: &Journal) -> Canary {
        let value = self.source.odd_secret();
        self.name_secret(journal, value)
    }

    fn name_secret(&mut self, journal: &Journal, value: String) -> Canary {
        let canary = self.vault.enter(Kind::Secret, None, value).clone();
        journal.push(What::Minted { name: canary.name.clone() });
        canary
    }

    /// The authority, and who is told of what it mints.
    pub(crate) fn minting<'a>(&'a mut self, journal: &'a Journal) -> (&'a mut Authority, Minting<'a>) {
        (&mut self.authority, Minting { vault: &mut self.vault, journal })
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut open = self.0.open_requests();
        open.count -= 1;
        // Telling nobody would cost a system call for each request.
        if open.awaited > 0 {
            self.0.ended.notify_all();
        }
    }
}
