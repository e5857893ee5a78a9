//! What a grant costs in memory, and how fast tokens are swapped beside a thousand and beside a million others.
//!
//! Time is that of the processor alone, so that a busy machine does not count.
//!
//! `cargo run --release -p regrant-authority --example million [-- GRANTS]` prints one line of JSON; Linux only.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement that cannot be taken has nothing to say")]

use std::sync::Arc;

use regrant_authority::{
    Authority, AuthorizeRequest, Challenge, Client, ClientAuth, GrantId, Key, Policy, Stamp, Time, TokenGrant, TokenRequest,
};

const CLIENT: (&str, &str) = ("books", "a secret");
const CALLBACK: &str = "https://app.example.test/callback";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";
const NOW: Time = Time(1_700_000_000_000);
/// Refreshes per measurement, in parts: the requests of one part are written before the clock runs.
const PARTS: u32 = 400;
const PART: u32 = 1_000;

fn main() {
    let many: u32 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    let mut authority = Authority::new(Policy::default(), Arc::new(Key::from_seed(b"million")));
    authority.register(Client {
        redirect_uris: vec![CALLBACK.into()],
        scopes: vec!["export-jobs:read".into(), "export-jobs:write".into()],
        ..Client::confidential(CLIENT.0, CLIENT.1)
    });
    let few = many.min(1_000);
    let empty = resident();
    fill(&mut authority, 0, few);
    let beside_few = throughput(&mut authority, few);
    fill(&mut authority, few, many);
    let bytes = resident().saturating_sub(empty) / u64::from(many.max(1));
    let beside_many = throughput(&mut authority, many);
    println!(
        "{{\"grants\": {many}, \"bytes_per_grant\": {bytes}, \"refreshes_per_second\": {{\"{few}\": {beside_few:.0}, \"{many}\": {beside_many:.0}}}, \"ratio\": {:.3}}}",
        beside_many / beside_few
    );
}

/// Grants of as many users and companies, each with its first pair.
fn fill(authority: &mut Authority, from: u32, to: u32) {
    for number in from..to {
        let person = |what: u32| format!("{number:08x}-{what:04x}-4000-8000-0000{number:08x}");
        let request = AuthorizeRequest {
            client_id: Some(CLIENT.0.into()),
            redirect_uri: Some(CALLBACK.into()),
            response_type: Some("code".into()),
            code_challenge: Some(Challenge::of(VERIFIER).0),
            code_challenge_method: Some("S256".into()),
            ..AuthorizeRequest::default()
        };
        let consent = authority.authorize(&request, person(1), person(2)).expect("the request is good");
        let (_, code) = authority.approve(NOW, &consent, &mut |_: &Stamp, _: &str| ());
        let grant =
            TokenGrant::AuthorizationCode { code: Some(code), redirect_uri: Some(CALLBACK.into()), code_verifier: Some(VERIFIER.into()) };
        authority.token(NOW, &asked(grant), &mut |_: &Stamp, _: &str| ()).expect("the code is good");
    }
}

/// Refreshes per second, each of another grant, in no order.
fn throughput(authority: &mut Authority, grants: u32) -> f64 {
    let mut clients: Vec<String> = (1..=grants).filter_map(|grant| authority.current(GrantId(grant))?.1).collect();
    let mut spent = 0.0;
    let mut place = 0;
    for _ in 0..PARTS {
        let part: Vec<(usize, TokenRequest)> = (0..PART)
            .map(|_| {
                // A step that shares no factor with powers of two or ten visits all before it returns.
                place = (place + 611_953) % clients.len();
                (place, asked(TokenGrant::RefreshToken { refresh_token: Some(clients[place].clone()), scope: None }))
            })
            .take(clients.len())
            .collect();
        let mut answers = Vec::with_capacity(part.len());
        let start = processor_seconds();
        for (_, request) in &part {
            answers.push(authority.token(NOW, request, &mut |_: &Stamp, _: &str| ()));
        }
        spent += (processor_seconds() - start) / f64::from(u32::try_from(part.len()).expect("it is short"));
        for ((place, _), answer) in part.iter().zip(answers) {
            clients[*place] = answer.expect("the token is good").refresh_token.expect("it was rotated");
        }
    }
    f64::from(PARTS) / spent
}

fn asked(grant: TokenGrant) -> TokenRequest {
    TokenRequest { auth: ClientAuth::Body { id: CLIENT.0.into(), secret: CLIENT.1.into() }, grant, repeated: None }
}

/// Seconds that this thread has had a processor.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).expect("the kernel tells");
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}
