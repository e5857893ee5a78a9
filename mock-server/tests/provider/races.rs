//! 64 requests with one refresh token, let go together, a thousand times: exactly as many win as the policy says, and the journal tells who.

use std::{collections::HashSet, time::Duration};

use bytes::BytesMut;
use regrant_mock_server::{
    Control, Provider,
    authority::{Cause, EndedBy, Rotation, TokenState},
    control::Target,
    fault::{Fate, Match, Point, Rule},
    journal::{Decision, Endpoint, Entry, Exchange, TokenOutcome, What},
    lineage::{FamilyState, Lineage},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{PATIENCE, Tokens, connect, provider_with, refresh};

const RACERS: usize = 64;
/// One thousand over the six policies and the two grace windows that are over.
const ROUNDS: usize = 1_000;
/// A provider tells so many rounds, so that its journal stays short.
const ROUNDS_EACH: usize = 25;
const WINDOW: Duration = Duration::from_secs(5);
const GATE: &str = "start";

#[tokio::test]
async fn of_64_requests_with_one_refresh_token_as_many_win_as_the_policy_says() {
    let races = [
        Race { rotation: Rotation::StrictRevokeFamily, late: false },
        Race { rotation: Rotation::Strict, late: false },
        Race { rotation: Rotation::Grace { window: WINDOW, sibling: false }, late: false },
        Race { rotation: Rotation::Grace { window: WINDOW, sibling: true }, late: false },
        Race { rotation: Rotation::Lenient, late: false },
        Race { rotation: Rotation::Off, late: false },
        Race { rotation: Rotation::Grace { window: WINDOW, sibling: false }, late: true },
        Race { rotation: Rotation::Grace { window: WINDOW, sibling: true }, late: true },
    ];
    let mut told = 0;
    for race in races.iter().cycle().take(ROUNDS / ROUNDS_EACH) {
        let provider = provider_with(|config| config.policy.rotation = race.rotation).await;
        let mut racers = Vec::new();
        for _ in 0..RACERS {
            racers.push(Racer::at(&provider).await);
        }
        for _ in 0..ROUNDS_EACH {
            race.run(&provider, &mut racers).await;
            told += 1;
        }
        is_a_total_order(&provider.control().journal());
        provider.stop().await;
    }
    assert_eq!(told, ROUNDS);
}

/// One way to race.
struct Race {
    rotation: Rotation,
    /// The token was rotated before, and its grace window is over.
    late: bool,
}

impl Race {
    async fn run(&self, provider: &Provider, racers: &mut [Racer]) {
        let control = provider.control();
        let first = connect(provider).await;
        let grant = control.grants().last().expect("just connected").id;
        if self.late {
            assert_eq!(racers[0].ask(&refresh(provider, &first.refresh)).await.0, 200);
            control.advance(WINDOW);
        }
        let answers = together(provider, racers, &refresh(provider, &first.refresh)).await;
        let winners: Vec<&Tokens> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, tokens)| tokens).collect();
        let refused = answers.iter().filter(|(status, _)| *status == 400).count();
        assert_eq!(winners.len() + refused, RACERS, "{:?}: every request was answered", self.rotation);
        let lineage = control.lineage(grant).expect("there is such a grant");
        self.judge(&lineage, &winners);
        follows_the_journal(&lineage, &control.journal());
        names_its_winners(&lineage, &winners, control);
        control.revoke(Target::Grant(grant), Cause::User);
    }

    fn judge(&self, lineage: &Lineage, winners: &[&Tokens]) {
        let distinct = |of: fn(&Tokens) -> &String| winners.iter().map(|tokens| of(tokens)).collect::<HashSet<_>>().len();
        let pairs = (distinct(|tokens| &tokens.refresh), distinct(|tokens| &tokens.access));
        let generations: Vec<u32> = lineage.nodes.iter().map(|pair| pair.generation).collect();
        let repeated = lineage.edges.iter().filter(|edge| edge.repeated).count();
        let lost: Vec<TokenState> = lineage.losers.iter().map(|loser| loser.state).collect();
        let told = (self.rotation, self.late);
        assert!(lineage.complete, "{told:?}: {lineage:?}");
        match (self.rotation, self.late) {
            (Rotation::StrictRevokeFamily, _) => {
                assert_eq!((winners.len(), generations.as_slice(), lineage.generation), (1, &[0, 1][..], 1), "{told:?}");
                assert!(matches!(lineage.state, FamilyState::Ended { by: EndedBy::Reuse, .. }), "{told:?}: {:?}", lineage.state);
                // The second to come ends the family; all who follow find it ended.
                assert_eq!((lost.first(), lost.len()), (Some(&TokenState::Superseded), RACERS - 1), "{told:?}");
                assert!(lost.iter().skip(1).all(|state| *state == TokenState::FamilyEnded), "{told:?}: {lost:?}");
            }
            (Rotation::Strict, _) => {
                assert_eq!((winners.len(), generations.as_slice(), lineage.generation), (1, &[0, 1][..], 1), "{told:?}");
                assert_eq!((lineage.state, lost), (FamilyState::Live, vec![TokenState::Superseded; RACERS - 1]), "{told:?}");
            }
            (Rotation::Grace { sibling: false, .. }, false) => {
                assert_eq!((winners.len(), pairs, repeated), (RACERS, (1, 1), RACERS - 1), "{told:?}");
                assert_eq!((generations.as_slice(), lineage.generation, lost.len()), (&[0, 1][..], 1, 0), "{told:?}");
            }
            (Rotation::Grace { sibling: true, .. } | Rotation::Lenient, false) => {
                assert_eq!((winners.len(), pairs, repeated), (RACERS, (RACERS, RACERS), 0), "{told:?}");
                assert_eq!(generations, [vec![0], vec![1; RACERS]].concat(), "{told:?}: all are children of the first pair");
                assert!(lineage.edges.iter().skip(1).all(|edge| edge.from == Some(0)), "{told:?}");
                assert_eq!((lineage.generation as usize, lost.len()), (RACERS, 0), "{told:?}");
            }
            (Rotation::Off, _) => {
                assert_eq!((winners.len(), pairs, repeated), (RACERS, (1, RACERS), 0), "{told:?}: no refresh token in any answer");
                assert_eq!((generations, lineage.generation, lost.len()), (vec![0; RACERS + 1], 0, 0), "{told:?}");
            }
            (Rotation::Grace { .. } | Rotation::Lenient, true) => {
                assert_eq!((winners.len(), generations.as_slice(), lineage.generation), (0, &[0, 1][..], 1), "{told:?}");
                assert_eq!((lineage.state, lost), (FamilyState::Live, vec![TokenState::Superseded; RACERS]), "{told:?}");
            }
        }
    }
}

/// Sends one request over every connection, waits until all stand at the gate, and lets them go.
async fn together(provider: &Provider, racers: &mut [Racer], request: &str) -> Vec<(u16, Tokens)> {
    let control = provider.control();
    let on = Match { endpoint: Some(Endpoint::Token), ..Match::default() };
    let rule = control.install(Rule { on, at: Point::Authenticated, fate: Fate::Hold(GATE.into()), until: None });
    for racer in racers.iter_mut() {
        racer.send(request).await;
    }
    tokio::time::timeout(PATIENCE, control.until_held(GATE, RACERS)).await.expect("all arrive");
    assert!(control.remove(rule));
    assert_eq!(control.release(GATE), RACERS);
    let mut answers = Vec::new();
    for racer in racers.iter_mut() {
        answers.push(racer.receive().await);
    }
    answers
}

/// A connection that is kept, read in large pieces.
struct Racer {
    tcp: TcpStream,
    buffer: BytesMut,
}

impl Racer {
    async fn at(provider: &Provider) -> Self {
        let address = provider.urls().api.split_once("//").expect("a URL").1.to_owned();
        Self { tcp: TcpStream::connect(address).await.expect("connected"), buffer: BytesMut::new() }
    }

    async fn send(&mut self, request: &str) {
        self.tcp.write_all(request.as_bytes()).await.expect("sent");
    }

    async fn ask(&mut self, request: &str) -> (u16, Tokens) {
        self.send(request).await;
        self.receive().await
    }

    async fn receive(&mut self) -> (u16, Tokens) {
        loop {
            if let Some((length, status, body)) = whole(&self.buffer) {
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                let answer = (status, Tokens { access: text("access_token"), refresh: text("refresh_token") });
                drop(self.buffer.split_to(length));
                return answer;
            }
            let read = tokio::time::timeout(PATIENCE, self.tcp.read_buf(&mut self.buffer)).await.expect("in time");
            assert_ne!(read.expect("readable"), 0, "the connection is kept");
        }
    }
}

/// The length of a whole reply, its status and its body.
fn whole(bytes: &[u8]) -> Option<(usize, u16, serde_json::Value)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut reply = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = reply.parse(bytes).expect("a reply") else { return None };
    let length = reply.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length")).expect("a length");
    let length: usize = std::str::from_utf8(length.value).expect("a number").parse().expect("a number");
    let body = bytes.get(head..head + length)?;
    Some((head + length, reply.code.expect("a status"), serde_json::from_slice(body).expect("JSON")))
}

/// The lines are numbered without gaps, and each exchange arrives, is decided once and is answered, in this order.
fn is_a_total_order(journal: &[Entry]) {
    let mut arrived = HashSet::<Exchange>::new();
    let (mut decided, mut replied) = (HashSet::<Exchange>::new(), HashSet::<Exchange>::new());
    for (n, entry) in (1..).zip(journal) {
        assert_eq!(entry.n, n, "no gap and no double");
        match &entry.what {
            What::Arrived(request) => assert!(arrived.insert(request.exchange)),
            What::Decided { exchange, .. } => assert!(arrived.contains(exchange) && decided.insert(*exchange)),
            What::Replied(reply) => assert!(decided.contains(&reply.exchange) && replied.insert(reply.exchange)),
            _ => {}
        }
    }
    assert_eq!((arrived.len(), decided.len()), (replied.len(), replied.len()), "nothing is lost");
}

/// Each token was made just before the decision that the lineage names, and each answer and each loss stands there.
fn follows_the_journal(lineage: &Lineage, journal: &[Entry]) {
    let decided = |exchange: Exchange| {
        let place = journal.iter().position(|entry| matches!(&entry.what, What::Decided { exchange: one, .. } if *one == exchange));
        let place = place.expect("it was decided");
        let What::Decided { decision: Decision::Token { outcome, presented, .. }, .. } = &journal[place].what else {
            panic!("a token request: {:?}", journal[place])
        };
        (place, outcome.clone(), presented.clone().expect("a token was presented"))
    };
    for pair in &lineage.nodes {
        let (place, outcome, _) = decided(pair.exchange);
        assert_eq!(pair.n, journal[place].n);
        let mut before = journal[..place].iter().rev().map_while(|entry| match &entry.what {
            What::Minted { name } => Some(name.as_str()),
            _ => None,
        });
        let TokenOutcome::Issued { access, refresh, .. } = outcome else { panic!("{outcome:?}") };
        assert!(refresh.is_none() || before.next() == refresh.as_deref(), "made in the same step as it was given: {pair:?}");
        assert_eq!(before.next(), Some(access.as_str()));
    }
    for edge in &lineage.edges {
        let (_, outcome, presented) = decided(edge.exchange);
        assert!(matches!(outcome, TokenOutcome::Issued { access, .. } if access == lineage.nodes[edge.to].access));
        assert_eq!((presented.name.as_ref(), Some(presented.state)), (edge.presented.as_ref(), edge.state));
        if let Some(from) = edge.from {
            assert_eq!(presented.name, lineage.nodes[from].refresh, "made from the token that was presented");
        }
    }
    for loser in &lineage.losers {
        let (_, outcome, presented) = decided(loser.exchange);
        assert_eq!(outcome, TokenOutcome::Refused { error: loser.error.clone(), status: loser.status });
        assert_eq!((presented.name, presented.state), (loser.presented.clone(), loser.state));
    }
    let lines: Vec<u64> = lineage.edges.iter().map(|edge| edge.n).collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

/// What the wire gave is what the lineage names.
fn names_its_winners(lineage: &Lineage, winners: &[&Tokens], control: &Control) {
    let names: HashSet<&str> = lineage.nodes.iter().map(|pair| pair.access.as_str()).collect();
    let given: HashSet<String> = winners.iter().map(|tokens| tokens.access.clone()).collect();
    let named = control.canaries().into_iter().filter(|canary| given.contains(&canary.value)).map(|canary| canary.name);
    let named: Vec<String> = named.collect();
    assert_eq!(named.len(), given.len());
    assert!(named.iter().all(|name| names.contains(name.as_str())), "{named:?} {names:?}");
}
