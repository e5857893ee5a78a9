//! The steps of the machine: what may be done next.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;
use regrant_authority::{Cause, Dialect, Policy, Rotation, TokenState};

use crate::model::{Fact, Facts};

pub(crate) const CLIENTS: [&str; 3] = ["books", "till", KIOSK];
/// The one without a secret.
pub(crate) const KIOSK: &str = "kiosk";

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The user is asked and agrees.
    Approve {
        client: &'static str,
        challenge: bool,
    },
    Exchange {
        who: Who,
        code: String,
        verifier: Verifier,
        right_redirect: bool,
    },
    Refresh {
        who: Who,
        token: String,
        scope: Option<&'static str>,
    },
    Revoke {
        grant: u32,
        cause: Cause,
    },
    ExpireAccess {
        grant: u32,
    },
    ExpireRefresh {
        grant: u32,
    },
    RejectAccess {
        grant: u32,
    },
    RotateSecret {
        client: &'static str,
        value: String,
        overlap: Duration,
    },
    AddSecret {
        client: &'static str,
        value: String,
        /// Milliseconds from now.
        after: u64,
    },
    RetireSecret {
        client: &'static str,
        value: String,
        /// Milliseconds from now.
        after: u64,
    },
    RevokeSecret {
        client: &'static str,
        value: String,
    },
    Advance {
        by: u64,
    },
    Change {
        policy: Policy,
    },
}

/// A client and the secret it shows (empty for none), in the body or in the header.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) client: &'static str,
    pub(crate) secret: String,
    pub(crate) in_body: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verifier {
    Right,
    Wrong,
    Missing,
}

/// What a step answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Done(bool),
    /// Grant and code, or the error code of the redirect.
    Consent(Result<(u32, String), String>),
    Tokens(Result<Pair, Refused>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) grant: u32,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) expires_in: Duration,
    pub(crate) scopes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) state: Option<TokenState>,
}

/// The reference and its answer to the last step.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) facts: Facts,
    pub(crate) answer: Answer,
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        policy().prop_map(|policy| Self { facts: beginning(policy), answer: Answer::Nothing }).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let facts = &state.facts;
        let mut steps = vec![
            (
                4,
                (select(&CLIENTS[..]), prop::bool::weighted(0.9))
                    .prop_map(|(client, challenge)| Step::Approve { client, challenge })
                    .boxed(),
            ),
            (7, select(vec![1, 999, 1_000, 1_000, 2_000, 3_000, 5_000, 30_000]).prop_map(|by| Step::Advance { by }).boxed()),
            (2, policy().prop_map(|policy| Step::Change { policy }).boxed()),
            (2, rotate_secret(facts)),
            (2, change_secret(facts)),
        ];
        let grants: Vec<u32> = facts.grants().map(|grant| grant.0).collect();
        if !grants.is_empty() {
            let causes = vec![Cause::User, Cause::Security, Cause::Policy, Cause::CredentialRotation, Cause::Installation];
            steps.push((1, (select(grants.clone()), select(causes)).prop_map(|(grant, cause)| Step::Revoke { grant, cause }).boxed()));
            steps.push((2, select(grants.clone()).prop_map(|grant| Step::ExpireAccess { grant }).boxed()));
            steps.push((2, select(grants.clone()).prop_map(|grant| Step::ExpireRefresh { grant }).boxed()));
            steps.push((2, select(grants).prop_map(|grant| Step::RejectAccess { grant }).boxed()));
            steps.push((6, exchange(facts)));
        }
        if facts.births().next().is_some() {
            steps.push((30, refresh(facts)));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.answer = state.facts.expect(step);
        state
    }
}

fn beginning(policy: Policy) -> Facts {
    let mut facts = Facts { now: 1_000_000, list: Vec::new() };
    facts.note(Fact::Policy(policy));
    for client in CLIENTS.into_iter().filter(|&client| client != KIOSK) {
        facts.note(Fact::Secret { client, value: format!("{client}-secret-0"), overlap: Duration::ZERO });
    }
    facts
}

fn policy() -> BoxedStrategy<Policy> {
    let second = Duration::from_secs;
    let grace =
        (select(vec![0, 3, 10]), any::<bool>()).prop_map(move |(window, sibling)| Rotation::Grace { window: second(window), sibling });
    let rotation = prop_oneof![
        4 => Just(Rotation::StrictRevokeFamily),
        2 => Just(Rotation::Strict),
        4 => grace,
        1 => Just(Rotation::Lenient),
        1 => Just(Rotation::Off),
    ];
    let lifetimes = (select(vec![4, 10]), select(vec![5, 30, 60]), select(vec![2, 30]));
    let often = || prop::bool::weighted(0.8);
    let seldom = || prop::bool::weighted(0.1);
    let switches = (often(), often(), often(), often(), often(), seldom(), prop::bool::weighted(0.5), prop::bool::weighted(0.2));
    let error = select(vec!["invalid_grant", "invalid_token"]);
    (rotation, lifetimes, switches, error)
        .prop_map(move |(rotation, (access, refresh, code), (expired, reuse, kills, end_kills, pkce, strict_basic, bound, ends), error)| {
            Policy {
                access_lifetime: second(access),
                refresh_lifetime: second(refresh),
                code_lifetime: second(code),
                rotation,
                expired_ends_family: expired,
                reuse_ends_family: reuse,
                refresh_kills_access: kills,
                end_kills_access: end_kills,
                refresh_bound_to_secret: bound,
                rotation_ends_grants: ends,
                pkce_required: pkce,
                strict_basic,
                refused_with: Dialect { error: error.into(), ..Dialect::default() },
            }
        })
        .boxed()
}

fn rotate_secret(facts: &Facts) -> BoxedStrategy<Step> {
    let names: Vec<(&'static str, String)> =
        CLIENTS.into_iter().map(|client| (client, format!("{client}-secret-{}", facts.secrets(client).len()))).collect();
    (select(names), select(vec![0, 2, 10]))
        .prop_map(|((client, value), overlap)| Step::RotateSecret { client, value, overlap: Duration::from_secs(overlap) })
        .boxed()
}

/// A further secret, or the end of one.
fn change_secret(facts: &Facts) -> BoxedStrategy<Step> {
    let known: Vec<(&'static str, String)> = CLIENTS
        .into_iter()
        .flat_map(|client| facts.secrets(client).into_iter().map(move |secret| (client, secret.to_owned())).collect::<Vec<_>>())
        .chain([("books", "never-added".to_owned()), (KIOSK, "never-added".to_owned())])
        .collect();
    let names: Vec<(&'static str, String)> =
        CLIENTS.into_iter().map(|client| (client, format!("{client}-secret-{}", facts.secrets(client).len()))).collect();
    let span = || select(vec![0, 1_000, 5_000]);
    prop_oneof![
        3 => (select(names), span()).prop_map(|((client, value), after)| Step::AddSecret { client, value, after }),
        3 => (select(known.clone()), span()).prop_map(|((client, value), after)| Step::RetireSecret { client, value, after }),
        1 => select(known).prop_map(|(client, value)| Step::RevokeSecret { client, value }),
    ]
    .boxed()
}

/// Mostly a fresh code with all that belongs to it; else any code, any client, any mistake.
fn exchange(facts: &Facts) -> BoxedStrategy<Step> {
    let codes: Vec<(&'static str, String, bool)> = facts
        .codes()
        .map(|(grant, code, challenge)| (facts.owner(grant).expect("a code has a grant"), code.to_owned(), challenge))
        .collect();
    let newest = codes.last().cloned().expect("there is a grant, so there is a code");
    let fresh: Vec<_> = codes.iter().filter(|(_, code, _)| facts.state(code) == TokenState::Active).cloned().collect();
    let good = if fresh.is_empty() { vec![newest] } else { fresh };
    let code = prop_oneof![12 => select(good), 2 => select(codes), 1 => junk(facts).prop_map(|code| ("books", code, true))];
    let mistake = prop_oneof![1 => Just(Verifier::Right), 1 => Just(Verifier::Wrong), 1 => Just(Verifier::Missing)];
    let facts = facts.clone();
    (code, prop::option::weighted(0.1, mistake), prop::bool::weighted(0.95))
        .prop_flat_map(move |((owner, code, challenge), mistake, right_redirect)| {
            let verifier = mistake.unwrap_or(if challenge { Verifier::Right } else { Verifier::Missing });
            who(&facts, owner).prop_map(move |who| Step::Exchange { who, code: code.clone(), verifier, right_redirect })
        })
        .boxed()
}

/// Mostly the current token of a grant by its client; else any token of any age by anybody.
fn refresh(facts: &Facts) -> BoxedStrategy<Step> {
    let owned = |grant, token: &str| (facts.owner(grant).expect("a token has a grant"), token.to_owned());
    let all: Vec<_> = facts.births().map(|gift| owned(gift.grant, gift.pair)).collect();
    let lives = |grant| facts.end(grant).is_none();
    let living: Vec<_> = facts.births().filter(|gift| lives(gift.grant)).map(|gift| owned(gift.grant, gift.pair)).collect();
    let current: Vec<_> = facts
        .grants()
        .filter(|&(grant, ..)| lives(grant))
        .filter_map(|(grant, ..)| facts.newest(grant).map(|token| owned(grant, token)))
        .collect();
    let mut tokens = vec![(1, junk(facts).prop_map(|token| ("till", token)).boxed()), (2, select(all).boxed())];
    if !living.is_empty() {
        tokens.push((6, select(living).boxed()));
        tokens.push((10, select(current).boxed()));
    }
    let scope = prop_oneof![16 => Just(None), 2 => Just(Some("read")), 1 => Just(Some("write read")), 1 => Just(Some("admin"))];
    let facts = facts.clone();
    (proptest::strategy::Union::new_weighted(tokens), scope)
        .prop_flat_map(move |((owner, token), scope)| {
            who(&facts, owner).prop_map(move |who| Step::Refresh { who, token: token.clone(), scope })
        })
        .boxed()
}

/// What is no code or no refresh token, whichever is asked for.
fn junk(facts: &Facts) -> BoxedStrategy<String> {
    let mut strings = vec!["never-issued".to_owned()];
    strings.extend(facts.gifts().flat_map(|gift| [gift.access.to_owned(), gift.used.to_owned(), gift.pair.to_owned()]));
    select(strings).boxed()
}

/// Mostly the owner with the newest of its good secrets; else an old secret, a wrong one, none at all, or another client.
fn who(facts: &Facts, owner: &'static str) -> BoxedStrategy<Who> {
    let newest = |client: &str| {
        let all = facts.secrets(client);
        let good = all.iter().rfind(|secret| facts.knows(client, secret)).or(all.last());
        good.map_or(String::new(), |&secret| secret.to_owned())
    };
    let mut odd = vec![(owner, String::new()), (owner, "wrong".to_owned())];
    odd.extend(facts.secrets(owner).into_iter().map(|secret| (owner, secret.to_owned())));
    odd.extend(CLIENTS.into_iter().map(|client| (client, newest(client))));
    let shown = prop_oneof![12 => Just((owner, newest(owner))), 1 => select(odd)];
    (shown, any::<bool>()).prop_map(|((client, secret), in_body)| Who { client, secret, in_body }).boxed()
}
