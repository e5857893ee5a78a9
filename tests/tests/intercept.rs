//! Subjects with Pleo's addresses hard-coded: judged without a change where they heed the proxy, and told what they lack where not.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use acceptance::{Bench, Ended};
use rustix::process::Signal;
use serde_json::Value;

const QUICK: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(300);
/// The JVM and the Go compiler take their time on a busy machine.
const PATIENCE: &str = "100";

fn subject() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/intercepted")
}

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"))
}

fn check(bench: &Bench, sets: &[&str]) -> Ended {
    let folder = subject();
    // It keeps its tokens in a plain file, which is not what is looked at here.
    let skipped = "SECRET-04,SECRET-05,SECRET-08";
    let mut words = vec!["check", folder.to_str().expect("a path"), "--only", "user_revokes_access", "--skip", skipped, "--seed", "7"];
    words.extend(sets.iter().flat_map(|set| ["--set", set]));
    bench.run(&words, LIMIT)
}

#[test]
fn a_subject_with_hard_coded_addresses_is_judged() {
    let bench = bench();
    check(&bench, &[]).assert(4, &["ok    user_revokes_access"]);
    let verdicts = bench.verdicts("regrant-out");
    for id in ["DETECT-01", "STOP-01", "PURGE-02", "MARK-01", "PROMPT-01", "REAUTH-01"] {
        let found = verdicts["requirements"].as_array().expect("requirements").iter().find(|r| r["id"] == id);
        assert_eq!(found.expect(id)["verdict"], "pass", "{found:?}");
    }
}

#[test]
fn a_subject_behind_https_is_judged_too() {
    let bench = bench();
    check(&bench, &["start.https=true", "start.env.BEHIND=https"]).assert(4, &["ok    user_revokes_access"]);
    let judged = bench.verdicts("regrant-out")["counts"]["error"]["pass"].as_u64();
    assert!(judged.is_some_and(|passed| passed > 10), "{judged:?}");
}

#[test]
fn one_that_ignores_the_proxy_is_told_so() {
    let ended = check(&bench(), &["start.env.PROXY=ignored"]);
    ended.assert(
        3,
        &[
            "no request for auth.pleo.io or external.pleo.io came through the proxy",
            "did not come to the proxy at all",
            "aiohttp does with trust_env=True",
        ],
    );
}

#[test]
fn one_that_does_not_trust_the_authority_is_told_so() {
    check(&bench(), &["start.env.SSL_CERT_FILE=/dev/null"]).assert(3, &["does not trust the run's authority"]);
}

#[test]
fn fetch_in_node_is_told_what_it_needs() {
    // As it is by default in all versions, and always before 22.21.
    let sets = ["start.run=[\"node\", \"fetch.mjs\"]", "start.env.NODE_USE_ENV_PROXY=0"];
    check(&bench(), &sets).assert(3, &["did not come to the proxy at all", "EnvHttpProxyAgent"]);
}

#[test]
fn a_host_that_is_not_pleos_is_refused_with_its_line() {
    let ended = check(&bench(), &["intercept.hosts=[\"api.example.com\"]"]);
    ended.assert(2, &["none of Pleo's hosts", "auth.staging.pleo.io"]);
}

#[test]
fn curl_comes_through_the_proxy_with_the_variables_handed_over() {
    reaches_pleo(&["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code}\n"]);
}

#[test]
fn python_comes_through_the_proxy_with_the_variables_handed_over() {
    reaches_pleo(&["python3", "ask.py"]);
}

#[test]
fn node_comes_through_the_proxy_with_the_variables_handed_over() {
    reaches_pleo(&["node", "ask.mjs"]);
}

#[test]
fn java_comes_through_the_proxy_with_the_variables_handed_over() {
    reaches_pleo(&["java", "Ask.java"]);
}

#[test]
fn go_comes_through_the_proxy_with_the_variables_handed_over() {
    reaches_pleo(&["go", "run", "ask.go"]);
}

/// A program prints the status of a call without a token, and of a path that only the other host has.
fn reaches_pleo(words: &[&str]) {
    if left_out(words[0]) {
        println!("left out: {}, which is not installed", words[0]);
        return;
    }
    let bench = bench();
    let options = ["--listen=127.0.0.1:0", "--management=127.0.0.1:0", "--intercept=127.0.0.1:0", "--http2", "--ready-file=ready.json"];
    let serving = bench.start(&[&["serve"], &options[..]].concat());
    assert!(bench.until(QUICK, || bench.path("ready.json").exists()), "{}{}", bench.stdout(), bench.stderr());
    let ready: Value = serde_json::from_str(&bench.text("ready.json")).expect("the ready file");
    let variables = ready["environment"].as_object().expect("an environment").iter();
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).args(words).args(["https://external.pleo.io/v2/employees", "https://auth.pleo.io/v2/employees"]);
    // No other proxy, and no other trust: what is handed over must be enough.
    for name in ["ALL_PROXY", "all_proxy", "SSL_CERT_DIR", "GOFLAGS", "NODE_OPTIONS", "JDK_JAVA_OPTIONS"] {
        command.env_remove(name);
    }
    command.current_dir(subject()).envs(variables.map(|(name, value)| (name, value.as_str().expect("text"))));
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["401", "404"], "{}", String::from_utf8_lossy(&output.stderr));
    serving.signal(Signal::TERM);
    serving.ended(QUICK).assert(0, &[]);
}

/// What `cargo xtask test` found not to be there.
fn left_out(program: &str) -> bool {
    std::env::var("REGRANT_LEFT_OUT").unwrap_or_default().split(',').any(|name| name == program)
}

#[test]
fn the_page_shows_what_the_subject_here_has() {
    let page = include_str!("../../docs/interception.md");
    let (_, rest) = page.split_once("```toml manifest\n").expect("a block of the manifest");
    let (shown, _) = rest.split_once("```").expect("its end");
    assert!(include_str!("../subjects/intercepted/regrant.toml").ends_with(shown), "{shown}");
}
