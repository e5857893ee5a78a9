//! From the provider's journal to evidence.
//!
//! Facts that depend on exact bytes (a token in a URL, which secret was presented) are established here, since the saved history
//! is redacted.

mod callers;
mod patience;
mod request;
mod strength;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use aho_corasick::AhoCorasick;
use regrant_mock_server::{
    SecretChange, Skew,
    authority::GrantId,
    control::Action,
    journal::{
        self, Arrived, AuthStyle, AuthorizeOutcome, Carried, Decision, Endpoint, Entry, Exchange, Presented, Side, TokenOutcome, WebhookEnd,
    },
};

use self::{callers::Callers, request::Parameters};
use super::{page::digest, shorten};
use crate::{
    canary::{CanarySet, Kind},
    evidence::{self, Authorized, Grant, Place, Presentation, Reply, TokenResult, What, micros},
};

/// The header by which the harness's own agent shows itself to the provider.
pub const AGENT_HEADER: &str = "x-regrant-agent";

/// Requests without an end that are remembered; more are open only in a flood.
const OPEN: usize = 10_000;
/// Text that a subject chose (a grant type, a scope) is shortened to so many bytes.
const WORDS: usize = 200;
/// A path is shortened to so many bytes.
const PATH: usize = 2_048;
/// A weaker `state` or verifier may be any word, and is not searched for.
const SEARCHABLE_BITS: u32 = 64;

/// Turns journal entries into events, in order, with the byte-exact facts found in them. One per provider.
pub struct WireCollector {
    agent_token: String,
    canaries: CanarySet,
    units: Vec<String>,
    finder: Option<AhoCorasick>,
    open: BTreeMap<Exchange, Open>,
    page: Option<Parameters>,
    callers: Callers,
}

/// What must be remembered of a request until its end.
struct Open {
    endpoint: Endpoint,
    parameters: Parameters,
    secret: Option<String>,
    decided: bool,
    presented: Option<Presentation>,
    auth: AuthStyle,
    carried: Carried,
    /// The export job that it reports of, and what.
    report: Option<(String, String)>,
}

impl WireCollector {
    /// `agent_token`: the value of [`AGENT_HEADER`] in requests of the harness's own agent.
    #[must_use]
    pub fn new(agent_token: impl Into<String>, canaries: CanarySet) -> Self {
        Self {
            agent_token: agent_token.into(),
            canaries,
            units: Vec::new(),
            finder: None,
            open: BTreeMap::new(),
            page: None,
            callers: Callers::default(),
        }
    }

    /// Each of these ports of the provider was made known to one instance of the subject only, in their order.
    #[must_use]
    pub fn with_doors(mut self, ports: impl IntoIterator<Item = Vec<u16>>) -> Self {
        self.callers = Callers::at(ports);
        self
    }

    /// From now on these ids of units of work are recognised in requests. Those of `WorkAdded` are known by themselves.
    pub fn know_units<S: Into<String>>(&mut self, units: impl IntoIterator<Item = S>) {
        for unit in units.into_iter().map(Into::into) {
            if !unit.is_empty() && !self.units.contains(&unit) {
                self.units.push(unit);
                self.finder = None;
            }
        }
    }

    /// The events of one entry, each with its time since the provider's epoch (`began` counts from there too). Entries must
    /// come in order. In a `CanarySeen`, `seen` is 0: the caller puts the number of the first event of this batch there.
    pub fn translate(&mut self, entry: &Entry) -> Vec<(Duration, What)> {
        self.events(&entry.what).into_iter().map(|what| (entry.at, what)).collect()
    }

    fn events(&mut self, what: &journal::What) -> Vec<What> {
        match what {
            journal::What::Opened { conn, local, .. } => {
                self.callers.came(*conn, local.port());
                Vec::new()
            }
            journal::What::Closed { .. } | journal::What::Proxied { .. } | journal::What::Minted { .. } => Vec::new(),
            journal::What::WebhookSent(sent) => {
                let (delivery, told) = (sent.delivery, self.words(&sent.event_type));
                vec![What::WebhookSent { delivery, told, units: sent.units.clone() }]
            }
            journal::What::WebhookEnded { delivery, end } => {
                let status = if let WebhookEnd::Answered(status) = end { Some(*status) } else { None };
                vec![What::WebhookAnswered { delivery: *delivery, status }]
            }
            journal::What::Arrived(arrived) => self.arrived(arrived),
            journal::What::Decided { exchange, decision } => self.decided(*exchange, decision),
            journal::What::Held { exchange, gate, at: _ } => vec![What::Held { exchange: *exchange, gate: gate.clone() }],
            journal::What::Released { exchange, gate: _, dropped } => vec![What::Released { exchange: *exchange, dropped: *dropped }],
            journal::What::Faulted { exchange, rule, fate } => {
                let committed = self.open.get(exchange).is_some_and(|open| open.decided);
                vec![What::Faulted { exchange: *exchange, fate: self.words(fate), committed, rule: Some(*rule) }]
            }
            journal::What::Replied(replied) => {
                let open = self.open.remove(&replied.exchange);
                let of_token = open.as_ref().is_some_and(|open| open.endpoint == Endpoint::Token);
                let mut events =
                    open.and_then(|open| self.undecided(replied.exchange, &open, replied.status)).into_iter().collect::<Vec<_>>();
                let reply = if of_token {
                    evidence::classify(replied.status, &replied.body, |value| self.canaries.name_of(value))
                } else {
                    Reply::Plain
                };
                events.extend(patience::asked_to_wait(replied));
                events.push(What::Replied { exchange: replied.exchange, status: replied.status, reply });
                events
            }
            // Without a number nothing was awaited.
            journal::What::GateTimedOut { wanted: None, .. } => Vec::new(),
            journal::What::GateTimedOut { wanted: Some(_), story, .. } => vec![What::Awaited { what: self.words(story), came: false }],
            journal::What::Read { exchange } => vec![What::Read { exchange: *exchange }],
            journal::What::ReadUnknown { exchange } => vec![What::ReadUnknown { exchange: *exchange }],
            journal::What::Aborted { exchange, by, written: _ } => {
                let open = self.open.remove(exchange);
                let mut events = open.and_then(|open| self.undecided(*exchange, &open, 0)).into_iter().collect::<Vec<_>>();
                events.push(What::Aborted { exchange: *exchange, by_subject: *by == Side::Peer });
                events
            }
            journal::What::Controlled(action) => self.controlled(action),
        }
    }

    fn arrived(&mut self, arrived: &Arrived) -> Vec<What> {
        let parameters = request::parameters(arrived);
        self.learn(arrived.endpoint, &parameters);
        let by_agent = request::header(arrived, AGENT_HEADER) == Some(self.agent_token.as_str());
        let mut events = vec![What::Requested {
            exchange: arrived.exchange,
            conn: arrived.conn,
            began: micros(arrived.began),
            endpoint: arrived.endpoint,
            method: self.words(&arrived.method),
            path: shorten(self.canaries.redact(&request::path_and_names(arrived)), PATH),
            content_type: request::content_type(arrived).map(|t| self.words(&t)),
            units: self.units_in(arrived),
            by_agent,
            instance: self.callers.of(arrived.conn).filter(|_| !by_agent),
        }];
        events.extend(self.seen(arrived));
        let secret = request::secrets(arrived, &parameters).iter().find_map(|value| self.canaries.name_of(value));
        let open = Open {
            endpoint: arrived.endpoint,
            secret,
            decided: false,
            presented: arrived.presented.as_ref().map(presentation),
            auth: request::auth_style(arrived, &parameters),
            carried: request::carried(arrived),
            report: request::job_report(arrived).map(|(job, report)| (self.words(&job), self.words(&report))),
            parameters,
        };
        self.open.insert(arrived.exchange, open);
        if self.open.len() > OPEN {
            self.open.pop_first();
        }
        events
    }

    /// The subject's own secrets are canaries from the moment the provider sees them.
    fn learn(&self, endpoint: Endpoint, parameters: &Parameters) {
        let own = match endpoint {
            Endpoint::Token => parameters.get("code_verifier").map(|value| (Kind::Verifier, value)),
            Endpoint::Authorize => parameters.get("state").map(|value| (Kind::State, value)),
            Endpoint::Introspect | Endpoint::Api | Endpoint::Unknown => None,
        };
        if let Some((kind, value)) = own.filter(|(_, value)| strength::bits(value) >= SEARCHABLE_BITS) {
            self.canaries.add_own(kind, value);
        }
    }

    /// Codes and states belong into URLs; a code does not belong into a `Referer`.
    fn seen(&self, arrived: &Arrived) -> Vec<What> {
        let url = super::found_of(&self.canaries.find(&request::searched_url(arrived)), &Place::Url, |kind| match kind {
            Kind::Access | Kind::Refresh | Kind::Secret | Kind::Verifier => true,
            Kind::Code | Kind::State => false,
        });
        let referer = request::header(arrived, "referer").unwrap_or_default();
        let referer = super::found_of(&self.canaries.find(referer.as_bytes()), &Place::Referer, |kind| match kind {
            Kind::Access | Kind::Refresh | Kind::Secret | Kind::Verifier | Kind::Code => true,
            Kind::State => false,
        });
        url.into_iter().chain(referer).map(|found| What::CanarySeen { found, seen: 0 }).collect()
    }

    fn units_in(&mut self, arrived: &Arrived) -> Vec<String> {
        if self.finder.is_none() && !self.units.is_empty() {
            self.finder = AhoCorasick::new(&self.units).ok();
        }
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut units = Vec::new();
        for part in [arrived.path.as_bytes(), arrived.query.as_deref().unwrap_or_default().as_bytes(), &arrived.body] {
            for hit in finder.find_overlapping_iter(part) {
                let unit = &self.units[hit.pattern().as_usize()];
                if !units.contains(unit) {
                    units.push(unit.clone());
                }
            }
        }
        units
    }

    fn decided(&mut self, exchange: Exchange, decision: &Decision) -> Vec<What> {
        if let Some(open) = self.open.get_mut(&exchange) {
            open.decided = true;
        }
        match decision {
            Decision::Token { grant_type, auth, presented, outcome } => {
                let open = self.open.get(&exchange);
                vec![What::Token {
                    exchange,
                    grant_type: grant_type.as_deref().map(|g| self.words(g)),
                    auth: *auth,
                    secret: open.and_then(|o| o.secret.clone()),
                    presented: presented.as_ref().map(presentation),
                    verifier: open.is_some_and(|o| o.parameters.get("code_verifier").is_some()),
                    result: token_result(outcome),
                }]
            }
            Decision::Authorize { outcome } => vec![self.authorize(exchange, outcome)],
            Decision::Introspect { presented: _, active: _ } => vec![What::Introspected { exchange }],
            Decision::Api { presented, carried, status, handed_out, delivered, documented } => {
                self.know_units(handed_out.iter().chain(delivered));
                let mut events = vec![What::Api {
                    exchange,
                    presented: presented.as_ref().map(presentation),
                    carried: *carried,
                    status: *status,
                    handed_out: handed_out.clone(),
                    delivered: delivered.clone(),
                }];
                if let Some((job, report)) = self.open.get(&exchange).and_then(|open| open.report.clone()) {
                    events.push(What::JobReported { exchange, job, report, accepted: (200..300).contains(status) });
                }
                if !documented {
                    events.push(What::Undocumented { exchange });
                }
                events
            }
            Decision::Unknown => vec![What::Undocumented { exchange }],
        }
    }

    /// A request whose end came before the provider's decision: what it presented is told all the same.
    fn undecided(&self, exchange: Exchange, open: &Open, status: u16) -> Option<What> {
        if open.decided {
            return None;
        }
        match open.endpoint {
            Endpoint::Token => Some(What::Token {
                exchange,
                grant_type: open.parameters.get("grant_type").map(|g| self.words(g)),
                auth: open.auth,
                secret: open.secret.clone(),
                presented: open.presented.clone(),
                verifier: open.parameters.get("code_verifier").is_some(),
                result: TokenResult::Undecided,
            }),
            Endpoint::Api => Some(What::Api {
                exchange,
                presented: open.presented.clone(),
                carried: open.carried,
                status,
                handed_out: Vec::new(),
                delivered: Vec::new(),
            }),
            Endpoint::Authorize | Endpoint::Introspect | Endpoint::Unknown => None,
        }
    }

    /// A consent that was given on the page stands for the authorise request that led to the page.
    fn authorize(&mut self, exchange: Exchange, outcome: &AuthorizeOutcome) -> What {
        let own = self.open.get(&exchange).map(|open| open.parameters.clone()).unwrap_or_default();
        let asks = own.get("response_type").is_some() || own.get("redirect_uri").is_some() || own.get("state").is_some();
        let parameters = if asks { own } else { self.page.clone().unwrap_or(own) };
        let text = |name: &str| parameters.get(name).map(|value| shorten(self.canaries.redact(value), PATH));
        let event = What::Authorize {
            exchange,
            response_type: text("response_type"),
            redirect_uri: text("redirect_uri").unwrap_or_default(),
            scopes: text("scope").map(|s| s.split_whitespace().map(str::to_owned).collect()).unwrap_or_default(),
            state: parameters.get("state").map(|value| digest(value.as_bytes())),
            state_bits: parameters.get("state").map_or(0, strength::bits),
            challenge: parameters.get("code_challenge").map(|value| digest(value.as_bytes())),
            method: text("code_challenge_method"),
            result: match outcome {
                AuthorizeOutcome::Page => Authorized::Page,
                AuthorizeOutcome::Code { name, grant } => Authorized::Code { code: name.clone(), grant: grant.0 },
                AuthorizeOutcome::Sent(error) => Authorized::Sent(self.words(error)),
                AuthorizeOutcome::Shown(error) => Authorized::Shown(self.words(error)),
            },
        };
        if *outcome == AuthorizeOutcome::Page {
            self.page = Some(parameters);
        }
        event
    }

    fn controlled(&mut self, action: &Action) -> Vec<What> {
        match action {
            Action::Revoked { grants, cause } => vec![What::Revoked { grants: numbers(grants), cause: *cause }],
            Action::AccessExpired { grants } => vec![What::Expired { grants: numbers(grants), refresh: false }],
            Action::RefreshExpired { grants } => vec![What::Expired { grants: numbers(grants), refresh: true }],
            Action::AccessRejected { grants } => vec![What::AccessRejected { grants: numbers(grants) }],
            Action::SecretRotated { client: _, secret, odd } => vec![What::SecretRotated { secret: self.words(secret), odd: *odd }],
            Action::ClockMoved { by } => vec![What::ClockMoved { by: micros(*by) }],
            Action::WorkAdded { units } => {
                self.know_units(units);
                vec![What::WorkAdded { units: units.clone() }]
            }
            Action::RuleInstalled { rule } => vec![What::RuleBegan { rule: *rule }],
            Action::RuleRemoved { rule } => vec![What::RuleEnded { rule: *rule }],
            Action::SecretChanged { client: _, secret, change: SecretChange::Added } => {
                vec![What::SecretAdded { secret: self.words(secret) }]
            }
            Action::SecretChanged { client: _, secret, change: SecretChange::Retired | SecretChange::Revoked } => {
                vec![What::SecretEnds { secret: self.words(secret) }]
            }
            Action::ClockSkewed { api } => vec![What::ApiClockSet { ahead: ahead(*api) }],
            Action::ConsentSet { .. } | Action::PolicyChanged | Action::GateSet { .. } | Action::Reset | Action::Connected { .. } => {
                Vec::new()
            }
        }
    }

    fn words(&self, text: &str) -> String {
        shorten(self.canaries.redact(text), WORDS)
    }
}

fn presentation(presented: &Presented) -> Presentation {
    Presentation { token: presented.name.clone(), grant: presented.grant.map(|g| g.0), state: presented.state }
}

fn ahead(api: Skew) -> i64 {
    let signed = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    match api {
        Skew::Ahead(span) => signed(span),
        Skew::Behind(span) => -signed(span),
    }
}

fn token_result(outcome: &TokenOutcome) -> TokenResult {
    match outcome {
        TokenOutcome::Issued { grant, access, refresh } => {
            TokenResult::Issued { grant: grant.0, access: access.clone(), refresh: refresh.clone() }
        }
        TokenOutcome::Refused { error, status } => TokenResult::Refused { error: error.clone(), status: *status },
    }
}

fn numbers(grants: &[GrantId]) -> Vec<Grant> {
    grants.iter().map(|g| g.0).collect()
}
