//! The reference subject against the mock provider: upright it misses nothing, and each planted defect shows itself.
#![cfg(feature = "reference")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub, reason = "tests say what they expect")]

mod bench;
mod stories;

use std::pin::Pin;

use futures::{StreamExt, stream};
use regrant::reference::{Defect, defects};
use stories::Misses;

type Telling = Pin<Box<dyn Future<Output = Misses> + Send>>;

/// A story by its name, and the requirements it can see missed.
struct Story {
    name: &'static str,
    sees: &'static [&'static str],
    tell: fn(Vec<&'static str>) -> Telling,
}

macro_rules! story {
    ($name:ident: $($id:literal)*) => {
        Story { name: stringify!($name), sees: &[$($id),*], tell: |defects| Box::pin(async move { stories::$name(&defects).await }) }
    };
}

const STORIES: &[Story] = &[
    story!(outage: "DETECT-01" "DETECT-04" "DETECT-07" "STOP-01" "STOP-02" "STOP-03" "STOP-04" "STOP-06" "PURGE-01" "PURGE-02" "PURGE-03" "PURGE-04" "PURGE-05"
        "PURGE-08" "MARK-01" "MARK-02" "MARK-03" "PROMPT-01" "PROMPT-02" "REAUTH-01" "REAUTH-02" "REAUTH-03" "REAUTH-04" "REAUTH-05" "REAUTH-08"
        "REAUTH-09" "REAUTH-11" "RECOVER-01" "RECOVER-02" "RECOVER-03" "RECOVER-04" "RECOVER-05" "RECOVER-08" "RECOVER-09" "LOG-01" "LOG-02" "LOG-03"
        "LOG-05" "LOG-06" "LOG-07" "SECRET-01" "SECRET-02" "SECRET-03" "SECRET-05" "SECRET-06" "SECRET-07" "REFRESH-01" "REFRESH-02" "REFRESH-08"
        "REFRESH-09" "REFRESH-10" "REFRESH-12"),
    story!(blips: "RETRY-01" "RETRY-02" "RETRY-03" "RETRY-04" "RETRY-07" "PROMPT-03" "DETECT-08"),
    story!(races: "RACE-01" "RACE-03" "RACE-05" "RACE-06" "RACE-11" "RECOVER-07"),
    story!(killed: "REFRESH-03"),
    story!(rotated: "ROTATE-01" "ROTATE-02" "ROTATE-03" "ROTATE-04" "ROTATE-07"),
    story!(refusals: "DETECT-02" "DETECT-03" "DETECT-05" "DETECT-06"),
    story!(logins: "REAUTH-06" "REAUTH-07" "REAUTH-10" "RECOVER-06" "PURGE-09"),
    story!(shapes: "REFRESH-04" "REFRESH-05" "REFRESH-06" "REFRESH-07"),
    story!(hanging: "RETRY-05"),
];

/// Broken ways that these stories cannot see.
const UNSEEN: &[&str] = &["RETRY-06", "PURGE-07", "MARK-04", "RACE-08", "STOP-07", "SECRET-08"];

/// Defects that only the suite's own stories show: the kill matrix judges them.
const ELSEWHERE: &[&str] = &[
    "keeps-prompting",
    "report-is-not-repeated",
    "ends-with-its-caller",
    "writes-all-back",
    "hammers-on-403",
    "believes-jwt",
    "clear-text-store",
    "logs-once",
    "nags",
    "long-way-back",
    "keeps-unless-heard",
    "encodes-secret-twice",
    "drops-expired-at-start",
    "keeps-first-expiry",
    "loser-purges",
    "keeps-states",
    "new-secret-new-login",
    "caches-secret",
    // It needs a kill with the answer to a refresh just read.
    "saves-in-two-steps",
    // They need two processes.
    "locks-in-process-only",
    "remembers-in-process-only",
    "lease-without-fencing",
];

/// The null subjects, and what a browser gets from them.
#[tokio::test]
async fn null_subjects_do_nothing() {
    assert_eq!(bench::null("exits", "/").await, None);
    assert_eq!(bench::null("mute", "/status").await, Some((200, "ok\n".into())));
    let (status, page) = bench::null("yes-man", "/").await.expect("an answer");
    assert!(status == 200 && page.contains("/connect"), "{page}");
    assert_eq!(bench::null("yes-man", "/status").await, Some((200, r#"{"state":"connected"}"#.into())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_loses_nothing() {
    stories::kills().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_tls_to_a_provider_whose_authority_it_is_told_to_trust() {
    let bench = bench::Bench::over_tls().await;
    assert_eq!(bench.leads_to("/connect").await.as_deref(), Some("/"));
    assert_eq!(bench.trigger().await.as_deref(), Some("work_done"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_takes_no_webhook_that_pleo_did_not_sign() {
    let bench = bench::Bench::connected(&[]).await;
    let good = bench.control.sign_webhook("", 0, b"{}").expect("signed").headers();
    let mark = bench.mark();
    let other = regrant_mock_server::webhook::sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &good[0].1, 1_614_265_330, b"{}");
    assert_eq!(bench.webhook(&[], "{}").await, 401, "unsigned");
    assert_eq!(bench.webhook(&other.expect("signed").headers(), "{}").await, 401, "signed with another secret, long ago");
    assert_eq!(bench.webhook(&good, "{ }").await, 401, "another body");
    assert!(bench.requests(regrant_mock_server::journal::Endpoint::Api, mark).is_empty(), "nothing of it was done");
    assert_eq!(bench.webhook(&good, "{}").await, 202);
    assert_eq!(bench.work("/webhook").await.as_deref(), Some("work_done"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upright_it_misses_nothing() {
    for story in STORIES {
        assert_eq!((story.tell)(Vec::new()).await, Misses::new(), "{}", story.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_planted_defect_shows_itself_and_nothing_undeclared() {
    let told = defects().iter().filter(|defect| !ELSEWHERE.contains(&defect.name));
    let wrong: Vec<String> = stream::iter(told).map(verdict).buffer_unordered(4).filter_map(std::future::ready).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a defect, if anything.
async fn verdict(defect: &'static Defect) -> Option<String> {
    let mut missed = Misses::new();
    for story in STORIES.iter().filter(|story| defect.breaks.iter().any(|id| story.sees.contains(id))) {
        match tokio::spawn((story.tell)(vec![defect.name])).await {
            Ok(more) => missed.extend(more),
            Err(error) => return Some(format!("{}: {} broke off: {error}", defect.name, story.name)),
        }
    }
    let hidden: Vec<_> = defect.breaks.iter().filter(|id| !UNSEEN.contains(id) && !missed.contains(*id)).collect();
    let surprising: Vec<_> = missed.iter().filter(|id| !defect.breaks.contains(id) && !defect.may.contains(id)).collect();
    let fine = hidden.is_empty() && surprising.is_empty();
    (!fine).then(|| format!("{}: should have broken {hidden:?}, broke {surprising:?} undeclared", defect.name))
}
