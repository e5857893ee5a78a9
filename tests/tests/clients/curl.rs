//! curl, as a person would use it: in the clear and under TLS, over HTTP/1.1 and HTTP/1.0.

use std::process::Stdio;

use regrant_mock_server::journal::AuthStyle::{BasicRaw, Body};
use serde_json::Value;
use tokio::process::Command;

use super::{Bench, CALLBACK, Library, SCOPES, ensure, is_left_out};

/// The verifier and challenge of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Plays the story.
pub(crate) async fn curl() {
    if is_left_out("curl") {
        return;
    }
    ensure("curl").await;
    for (tls, version) in [(false, "--http1.1"), (true, "--http1.1"), (false, "--http1.0"), (true, "--http1.0")] {
        let bench = Bench::new(tls).await;
        story(&bench, version).await;
        bench.assert_story(Library { name: "curl", exchange: BasicRaw, refresh: Body, surfaced_as: "text" });
    }
}

async fn story(bench: &Bench, version: &str) {
    let (id, secret) = (bench.provider.client().0, bench.secret.as_str());
    let (urls, credentials) = (bench.provider.urls(), format!("{id}:{secret}"));
    let curl = async |words: &[&str]| run(bench, &[&[version], words].concat()).await;
    let fields = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let post = async |pairs: &[(&str, &str)], more: &[&str]| {
        let fields = fields(pairs);
        let encoded = fields.iter().flat_map(|field| ["--data-urlencode", field.as_str()]);
        let words: Vec<&str> = more.iter().copied().chain(encoded).chain([urls.token.as_str()]).collect();
        serde_json::from_str::<Value>(&curl(&words).await).expect("JSON")
    };
    let employees = format!("{}/v2/employees", urls.api);
    let call = async |pair: &Value| {
        let bearer = format!("Authorization: Bearer {}", pair["access_token"].as_str().expect("a token"));
        curl(&["--output", "/dev/null", "--write-out", "%{http_code} %{http_version}", "--header", &bearer, &employees]).await
    };

    let query =
        [("client_id", id.as_str()), ("redirect_uri", CALLBACK), ("response_type", "code"), ("state", "a state"), ("scope", SCOPES)];
    let query = [&query[..], &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]].concat();
    let encoded = fields(&query);
    let words: Vec<&str> = encoded.iter().flat_map(|field| ["--data-urlencode", field.as_str()]).collect();
    let words = [&["--get", "--write-out", "%{redirect_url}", urls.authorize.as_str()], &words[..]].concat();
    let back = oauth2::url::Url::parse(&curl(&words).await).expect("a redirect");
    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();

    let exchange = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let mut pair = post(&exchange, &["--user", &credentials]).await;
    for turn in 0..3 {
        // A reply names the server's own version, also to an older client (RFC 9110 section 2.5).
        assert_eq!(call(&pair).await, "200 1.1", "{version}");
        if turn == 2 {
            bench.revoke();
        }
        let refresh = pair["refresh_token"].as_str().expect("a refresh token").to_owned();
        let body = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", &id), ("client_secret", secret)];
        pair = post(&body, &[]).await;
    }
    assert_eq!(pair["error"], "invalid_grant");
}

async fn run(bench: &Bench, words: &[&str]) -> String {
    let mut command = Command::new("curl");
    // No configuration of the person's own, and no proxy of the surroundings.
    command.args(["--disable", "--silent", "--show-error", "--max-time", "60", "--noproxy", "*"]);
    if bench.provider.ca_pem().is_some() {
        command.arg("--cacert").arg(bench.ca_file());
    }
    let ended = command.args(words).stdin(Stdio::null()).kill_on_drop(true).output().await.expect("curl runs");
    assert!(ended.status.success(), "curl {words:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("text")
}
