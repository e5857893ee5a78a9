//! The authority alone: what a live grant weighs, and how many refreshes one core makes, with few grants and with many.
//!
//! Measured in a process of its own, whose memory is then that of the grants.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use regrant_authority::{Authority, Client, ClientAuth, Consent, Key, Policy, Stamp, Time, TokenGrant, TokenRequest};

use crate::{error::BenchError, process};

const ID: &str = "bench";
const SECRET: &str = "bench-secret";

/// What so many grants showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grants {
    pub(crate) count: u32,
    /// Bytes of each, tokens included.
    pub(crate) weight: f64,
    /// Refreshes a second.
    pub(crate) rate: f64,
}

/// Measures in a process of its own.
///
/// # Errors
/// It cannot be started or says something else.
pub(crate) fn ask(count: u32, seconds: u64) -> Result<Grants, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::io("looking for this program"))?;
    let output = Command::new(program).args(["grants", &count.to_string(), &seconds.to_string()]).output();
    let said = String::from_utf8_lossy(&output.map_err(BenchError::io("starting an authority"))?.stdout).into_owned();
    let figures: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match figures[..] {
        [weight, rate] => Ok(Grants { count, weight, rate }),
        _ => Err(BenchError::Answer(format!("the authority said: {said}"))),
    }
}

/// Makes `count` grants, refreshes for some seconds, and prints weight and rate.
///
/// # Errors
/// The authority refuses what it should not.
#[allow(clippy::cast_precision_loss, reason = "some millions")]
pub(crate) fn measure(count: u32, seconds: u64) -> Result<(), BenchError> {
    let before = process::resident("self");
    let mut bench = Bench::new();
    let mut tokens = (0..count).map(|user| bench.grant(user)).collect::<Result<Vec<_>, _>>()?;
    // The list of newest tokens is the benchmark's and not the authority's.
    let ours: usize = tokens.iter().map(|token| token.capacity() + size_of::<String>()).sum();
    let weight = process::resident("self").saturating_sub(before).saturating_sub(ours as u64) as f64 / f64::from(count);
    let (began, span) = (Instant::now(), Duration::from_secs(seconds));
    let mut refreshes = 0_u64;
    'all: loop {
        for token in &mut tokens {
            if refreshes.is_multiple_of(256) && began.elapsed() > span {
                break 'all;
            }
            *token = bench.refresh(std::mem::take(token))?;
            refreshes += 1;
        }
    }
    println!("{weight:.1} {:.0}", refreshes as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

struct Bench {
    authority: Authority,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        let mut authority = Authority::new(Policy::default(), Arc::new(Key::from_seed(b"bench")));
        authority.register(Client::confidential(ID, SECRET));
        Self { authority, now: Time(1_800_000_000_000) }
    }

    /// A grant whose code was exchanged; its refresh token.
    fn grant(&mut self, user: u32) -> Result<String, BenchError> {
        let consent = Consent {
            client_id: ID.into(),
            redirect_uri: "http://127.0.0.1:9/callback".into(),
            redirect_uri_sent: true,
            scopes: vec!["users:read".into(), "export:write".into()],
            state: None,
            challenge: None,
            user: format!("00000000-0000-4000-8000-{user:012}"),
            company: "00000000-0000-4000-8000-c0ffeec0ffee".into(),
        };
        let (_, code) = self.authority.approve(self.now, &consent, &mut |_: &Stamp, _: &str| {});
        let redirect_uri = Some(consent.redirect_uri);
        self.token(TokenGrant::AuthorizationCode { code: Some(code), redirect_uri, code_verifier: None })
    }

    fn refresh(&mut self, token: String) -> Result<String, BenchError> {
        self.now = self.now.plus(Duration::from_millis(1));
        self.token(TokenGrant::RefreshToken { refresh_token: Some(token), scope: None })
    }

    fn token(&mut self, grant: TokenGrant) -> Result<String, BenchError> {
        let credentials = (ID.to_owned(), SECRET.to_owned());
        let auth = ClientAuth::Basic { decoded: credentials.clone(), raw: credentials };
        let request = TokenRequest { auth, grant, repeated: None };
        let issued = self.authority.token(self.now, &request, &mut |_: &Stamp, _: &str| {});
        let refused = || BenchError::Answer("the authority refused a good token".into());
        issued.ok().and_then(|issued| issued.refresh_token).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    #[test]
    fn a_grant_is_refreshed_again_and_again() {
        let mut bench = Bench::new();
        let first = bench.grant(1).expect("a grant");
        let second = bench.refresh(first.clone()).expect("refreshed");
        assert_ne!(first, second);
        let third = bench.refresh(second).expect("refreshed");
        assert_eq!(third.len(), 43);
        assert!(bench.refresh(first).is_err(), "spent");
        assert!(bench.refresh(third).is_err(), "its family has ended with that");
    }
}
