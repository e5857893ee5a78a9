//! The authority against a naive reference, over random histories.
//!
//! The reference ([`model`]) is written in another style on purpose: a list of facts that is read anew for each question.
//! Both must give the same answer to every step, and after every step agree on every code and token there ever was.

mod expect;
mod model;
mod steps;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestRunner},
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use regrant_authority::{
    AccessRefusal, Authority, AuthorizeError, AuthorizeRequest, Cause, Challenge, Client, ClientAuth, GrantId, Issued, Mint, Refusal,
    Rotation, Stamp, Time, TokenGrant, TokenRequest, TokenState,
};

use crate::{
    model::{Fact, Facts},
    steps::{Answer, CLIENTS, KIOSK, Pair, Reference, Refused, Step, Verifier, Who},
};

prop_state_machine! {
    #![proptest_config(Config { cases: 1_000, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() })]

    #[test]
    fn the_authority_does_what_the_facts_say(sequential 1..60 => System);
}

/// Without this, agreement could mean that nothing ever happened.
#[test]
fn the_histories_come_to_every_state_and_every_end() {
    let mut runner = TestRunner::deterministic();
    let histories = Reference::sequential_strategy(1..60);
    let mut seen = BTreeMap::<String, usize>::new();
    for _ in 0..1_000 {
        let (mut reference, steps, _) = histories.new_tree(&mut runner).expect("nothing is filtered out").current();
        for step in &steps {
            let before = reference.facts.clone();
            reference = Reference::apply(reference, step);
            for corner in corners(step, &reference, &before) {
                *seen.entry(corner).or_default() += 1;
            }
        }
    }
    for corner in CORNERS {
        assert!(seen.get(corner).is_some_and(|&times| times >= 20), "{corner} is too rare in {seen:#?}");
    }
}

const CORNERS: [&str; 24] = [
    "a refresh token died with its secret",
    "a rotation of the secret ended grants",
    "a code gave a pair",
    "a refresh token gave a pair",
    "a refresh token gave an access token",
    "an answer was repeated",
    "an old refresh token was good",
    "Exchange refused Active",
    "Exchange refused Expired",
    "Exchange refused Revoked",
    "Exchange refused Unknown",
    "Exchange refused Used",
    "Exchange refused invalid_client",
    "Refresh refused Expired",
    "Refresh refused FamilyEnded",
    "Refresh refused Revoked",
    "Refresh refused Superseded",
    "Refresh refused Unknown",
    "Refresh refused invalid_client",
    "Refresh refused invalid_scope",
    "ended by CodeReuse",
    "ended by ExpiredReplay",
    "ended by Reuse",
    "ended by Revoked",
];

/// What is remarkable about a step.
fn corners(step: &Step, after: &Reference, before: &Facts) -> Vec<String> {
    let word = |debug: String| debug.split([' ', '(']).next().unwrap_or_default().to_owned();
    let mut corners = Vec::new();
    match (&after.answer, step) {
        (Answer::Tokens(Err(refused)), Step::Refresh { token, .. })
            if refused.state == Some(TokenState::Revoked(Cause::CredentialRotation))
                && before.births().any(|gift| gift.pair == token && before.end(gift.grant).is_none()) =>
        {
            corners.push("a refresh token died with its secret".to_owned());
        }
        (Answer::Done(true), Step::RotateSecret { .. }) if after.facts.list.len() > before.list.len() + 1 => {
            corners.push("a rotation of the secret ended grants".to_owned());
        }
        (Answer::Tokens(Err(refused)), _) => {
            let why = refused.state.map_or(refused.error.clone(), |state| word(format!("{state:?}")));
            corners.push(format!("{} refused {why}", word(format!("{step:?}"))));
        }
        (Answer::Tokens(Ok(pair)), Step::Refresh { token, .. }) => {
            corners.push(match &pair.refresh {
                Some(_) if tokens(before).contains(&pair.access) => "an answer was repeated".to_owned(),
                Some(_) => "a refresh token gave a pair".to_owned(),
                None => "a refresh token gave an access token".to_owned(),
            });
            if before.newest(pair.grant) != Some(token) {
                corners.push("an old refresh token was good".to_owned());
            }
        }
        (Answer::Tokens(Ok(_)), _) => corners.push("a code gave a pair".to_owned()),
        (Answer::Nothing | Answer::Done(_) | Answer::Consent(_), _) => {}
    }
    match after.facts.list.last() {
        Some((_, Fact::Ended { by, .. })) if after.facts.list.len() > before.list.len() => {
            corners.push(format!("ended by {}", word(format!("{by:?}"))));
        }
        _ => {}
    }
    corners
}

const CALLBACK: &str = "https://app.example.test/callback";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";

/// The authority under test, and what was seen of it.
struct System {
    authority: Authority,
    now: Time,
    /// Every token that was ever given out.
    handed_out: HashSet<String>,
}

impl StateMachineTest for System {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Self {
        let mut authority = Authority::new(reference.facts.policy().clone(), Arc::new(Names::default()));
        for id in CLIENTS {
            let client = if id == KIOSK { Client::public(id) } else { Client::confidential(id, &format!("{id}-secret-0")) };
            authority.register(Client { redirect_uris: vec![CALLBACK.into()], scopes: vec!["read".into(), "write".into()], ..client });
        }
        Self { authority, now: Time(reference.facts.now), handed_out: HashSet::new() }
    }

    fn apply(mut system: Self, reference: &Reference, step: Step) -> Self {
        let answer = system.answer(step);
        assert_eq!(answer, reference.answer, "the authority (left) and the reference (right) answer differently");
        if let Answer::Tokens(Ok(pair)) = &answer {
            system.check_gift(pair, &reference.facts);
        }
        system
    }

    fn check_invariants(system: &Self, reference: &Reference) {
        system.agrees(&reference.facts);
        system.is_sound(&reference.facts);
    }
}

impl System {
    fn answer(&mut self, step: Step) -> Answer {
        match step {
            Step::Approve { client, challenge } => Answer::Consent(self.approve(client, challenge)),
            Step::Exchange { who, code, verifier, right_redirect } => {
                let verifier = match verifier {
                    Verifier::Right => Some(VERIFIER.to_owned()),
                    Verifier::Wrong => Some(VERIFIER.to_uppercase()),
                    Verifier::Missing => None,
                };
                let redirect_uri = if right_redirect { CALLBACK.to_owned() } else { format!("{CALLBACK}/") };
                self.token(
                    who,
                    TokenGrant::AuthorizationCode { code: Some(code), redirect_uri: Some(redirect_uri), code_verifier: verifier },
                )
            }
            Step::Refresh { who, token, scope } => {
                self.token(who, TokenGrant::RefreshToken { refresh_token: Some(token), scope: scope.map(str::to_owned) })
            }
            Step::Revoke { grant, cause } => Answer::Done(self.authority.revoke(self.now, GrantId(grant), cause)),
            Step::ExpireAccess { grant } => Answer::Done(self.authority.expire_access(self.now, GrantId(grant))),
            Step::ExpireRefresh { grant } => Answer::Done(self.authority.expire_refresh(self.now, GrantId(grant))),
            Step::RejectAccess { grant } => Answer::Done(self.authority.reject_access(GrantId(grant))),
            Step::RotateSecret { client, value, overlap } => {
                Answer::Done(self.authority.rotate_secret(self.now, client, value, overlap).is_ok())
            }
            Step::AddSecret { client, value, after } => {
                Answer::Done(self.authority.add_secret(client, &value, Time(self.now.0 + after)).is_ok())
            }
            Step::RetireSecret { client, value, after } => {
                Answer::Done(self.authority.retire_secret(self.now, client, &value, Time(self.now.0 + after)).is_ok())
            }
            Step::RevokeSecret { client, value } => Answer::Done(self.authority.revoke_secret(self.now, client, &value).is_ok()),
            Step::Advance { by } => {
                self.now.0 += by;
                Answer::Nothing
            }
            Step::Change { policy } => {
                *self.authority.policy_mut() = policy;
                Answer::Nothing
            }
        }
    }

    fn approve(&mut self, client: &str, challenge: bool) -> Result<(u32, String), String> {
        let request = AuthorizeRequest {
            client_id: Some(client.into()),
            redirect_uri: Some(CALLBACK.into()),
            response_type: Some("code".into()),
            code_challenge: challenge.then(|| Challenge::of(VERIFIER).0),
            code_challenge_method: challenge.then(|| "S256".into()),
            ..AuthorizeRequest::default()
        };
        let consent = self.authority.authorize(&request, "user".into(), "company".into()).map_err(|fault| match fault {
            AuthorizeError::Page { reason } => reason,
            AuthorizeError::Redirect { error, .. } => error.to_owned(),
        })?;
        let (grant, code) = self.authority.approve(self.now, &consent, &mut |_: &Stamp, _: &str| ());
        Ok((grant.0, code))
    }

    fn token(&mut self, who: Who, grant: TokenGrant) -> Answer {
        let request = TokenRequest { auth: auth(who), grant, repeated: None };
        let answer = self.authority.token(self.now, &request, &mut |_: &Stamp, _: &str| ());
        Answer::Tokens(answer.map(pair).map_err(refused))
    }

    /// What is given is good, and was never given before unless it is the repeated answer of a grace window.
    fn check_gift(&mut self, pair: &Pair, facts: &Facts) {
        let may_repeat = matches!(facts.policy().rotation, Rotation::Grace { sibling: false, .. });
        for token in std::iter::once(&pair.access).chain(&pair.refresh) {
            assert_eq!(self.authority.state(self.now, token), TokenState::Active, "{token} was just given");
            assert!(self.handed_out.insert(token.clone()) || may_repeat, "{token} was given twice");
        }
    }

    /// The authority and the reference see the same in every code, token and grant.
    fn agrees(&self, facts: &Facts) {
        for token in tokens(facts) {
            assert_eq!(self.authority.state(self.now, &token), facts.state(&token), "{token}");
        }
        for gift in facts.gifts() {
            let expected = match facts.state(gift.access) {
                TokenState::Active => Ok(GrantId(gift.grant)),
                dead => Err(AccessRefusal(dead)),
            };
            assert_eq!(self.authority.access(self.now, gift.access).map(|grant| grant.id), expected, "{}", gift.access);
            if facts.state(gift.access) == TokenState::Active {
                assert_eq!(self.authority.access_scopes(gift.access), Some(gift.scopes), "{}", gift.access);
            }
            assert_eq!(self.authority.access(self.now, gift.pair), Err(AccessRefusal(TokenState::Unknown)), "{}", gift.pair);
        }
        let seen: Vec<_> = self
            .authority
            .grants()
            .into_iter()
            .map(|grant| (grant.id.0, grant.client_id, grant.since.0, grant.generation, grant.ended))
            .collect();
        let expected: Vec<_> = facts
            .grants()
            .map(|(grant, client, since)| {
                let births = facts.births().filter(|gift| gift.grant == grant).count();
                let generation = u32::try_from(births.saturating_sub(1)).expect("few tokens");
                (grant, client.to_owned(), since, generation, facts.end(grant).map(|(time, by, _)| (Time(time), by)))
            })
            .collect();
        assert_eq!(seen, expected);
        for (grant, ..) in facts.grants() {
            let newest = facts.newest(grant).filter(|_| facts.end(grant).is_none());
            let current = newest.and_then(|refresh| Some((facts.partner(refresh, usize::MAX)?.to_owned(), Some(refresh.to_owned()))));
            assert_eq!(self.authority.current(GrantId(grant)), current, "grant {grant}");
        }
    }

    /// What must hold of the authority whatever the reference thinks.
    fn is_sound(&self, facts: &Facts) {
        let active = |token: &str| self.authority.state(self.now, token) == TokenState::Active;
        let strict = matches!(facts.policy().rotation, Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Off);
        for grant in self.authority.grants() {
            let refresh = facts.births().filter(|gift| gift.grant == grant.id.0 && active(gift.pair)).count();
            let access = facts.gifts().filter(|gift| gift.grant == grant.id.0 && active(gift.access)).count();
            let code = facts.codes().filter(|&(known, code, _)| known == grant.id.0 && active(code)).count();
            if strict {
                assert!(refresh <= 1, "{refresh} active refresh tokens in {grant:?}");
            }
            if strict && facts.policy().refresh_kills_access && !facts.policy_was_changed() {
                assert!(access <= 1, "{access} active access tokens in {grant:?}");
            }
            if grant.ended.is_some() {
                assert_eq!((refresh, code), (0, 0), "something outlived the end of {grant:?}");
                if facts.policy().end_kills_access && !facts.policy_was_changed() {
                    assert_eq!(access, 0, "an access token outlived the end of {grant:?}");
                }
            }
        }
    }
}

fn tokens(facts: &Facts) -> HashSet<String> {
    let codes = facts.codes().map(|(_, code, _)| code.to_owned());
    codes.chain(facts.gifts().flat_map(|gift| [gift.access.to_owned(), gift.pair.to_owned()])).chain(["never-issued".to_owned()]).collect()
}

/// Names in the order of issue, which the reference can tell in advance.
#[derive(Debug, Default)]
struct Names(Mutex<HashMap<String, Stamp>>);

impl Mint for Names {
    fn write(&self, stamp: &Stamp) -> String {
        let name = format!("{:?}-{}", stamp.kind, stamp.number);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), *stamp);
        name
    }

    fn read(&self, secret: &str) -> Option<Stamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(secret).copied()
    }
}

fn auth(who: Who) -> ClientAuth {
    let id = who.client.to_owned();
    if who.secret.is_empty() {
        ClientAuth::None { id: Some(id) }
    } else if who.in_body {
        ClientAuth::Body { id, secret: who.secret }
    } else {
        ClientAuth::Basic { decoded: (id.clone(), who.secret.clone()), raw: (id, who.secret) }
    }
}

fn pair(issued: Issued) -> Pair {
    Pair {
        grant: issued.grant.0,
        access: issued.access_token,
        refresh: issued.refresh_token,
        expires_in: issued.expires_in,
        scopes: issued.scopes.to_vec(),
    }
}

fn refused(refusal: Refusal) -> Refused {
    Refused { status: refusal.status, error: refusal.error, state: refusal.state }
}
