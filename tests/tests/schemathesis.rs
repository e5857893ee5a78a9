//! schemathesis asks both ports of `regrant serve` whatever their OpenAPI documents allow, and a good deal that they do not: no answer
//! may be a server error, or one of which the document knows nothing.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use acceptance::Bench;
use oauth2::url::{Url, form_urlencoded};
use rustix::process::Signal;
use serde_json::Value;

/// It is up within a second; a busy machine takes longer.
const UP: Duration = Duration::from_secs(30);
/// Of each operation, in each phase. More finds little more and costs a minute.
const MOST_EXAMPLES: &str = "12";
/// The client that `subject.yaml` names.
const CLIENT: [&str; 2] = ["schemathesis", "any-tester"];
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// What must hold of every answer. Whether a body is refused for what the document says of it is the document's affair.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method";

#[tokio::test]
async fn no_request_makes_either_port_fail() {
    if std::env::var("REGRANT_LEFT_OUT").unwrap_or_default().split(',').any(|name| name == "clients-schemathesis") {
        return println!("left out: clients-schemathesis, since it could not be installed");
    }
    let ready = Command::new("sh").arg(clients().join("ensure.sh")).arg("schemathesis").stdin(Stdio::null()).output().expect("sh runs");
    assert!(ready.status.success(), "schemathesis is not there: {}", String::from_utf8_lossy(&ready.stderr));

    let bench = Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    let client = format!("{}:{}@{CALLBACK}", CLIENT[0], CLIENT[1]);
    let (file, any) = (bench.path("ready.json").to_string_lossy().into_owned(), "127.0.0.1:0");
    let words = ["serve", "--listen", any, "--management", any, "--consent", "auto", "--client", &client, "--ready-file", &file];
    let provider = bench.start(&words);
    assert!(bench.until(UP, || !bench.text("ready.json").is_empty()), "it is up: {}", bench.stderr());
    let urls: Value = serde_json::from_str(&bench.text("ready.json")).expect("JSON");
    let url = |name: &str| urls[name].as_str().expect("a URL").to_owned();

    let bearer = format!("Authorization: Bearer {}", token(&url("authorize_url"), &url("token_url")).await);
    let subject = clients().join("schemathesis/subject.yaml").to_string_lossy().into_owned();
    let api = url("api_url");
    asked(&bench, &[&subject, "--url", &api, "--include-path-regex", "^/oauth/"]);
    asked(&bench, &[&subject, "--url", &api, "--exclude-path-regex", "^/oauth/", "--header", &bearer]);
    let document = format!("{}/v1/openapi.json", url("management_url"));
    // What goes on for as long as somebody reads would only run into the time limit.
    asked(&bench, &[&document, "--exclude-path-regex", "journal|stream|follow|wait"]);

    // Secrets were rotated, rules installed and clocks moved: back to the start.
    let reset = http().post(format!("{}/v1/reset", url("management_url"))).send().await.expect("an answer").status();
    let unknown = http().get(format!("{}/v2/employees", url("api_url"))).send().await.expect("an answer").status();
    assert_eq!((reset.as_u16(), unknown.as_u16()), (200, 401), "both ports serve");
    provider.signal(Signal::INT);
    provider.ended(UP).assert(0, &[]);
}

/// Lets schemathesis ask, in the bench's folder, and fails with all it has to say.
fn asked(bench: &Bench, words: &[&str]) {
    let mut command = Command::new(clients().join("schemathesis/.venv/bin/schemathesis"));
    command.args(["run"]).args(words).args(["--checks", CHECKS, "--max-examples", MOST_EXAMPLES, "--seed", "1"]);
    // A document may be slow to make examples from; that is no defect of the provider.
    command.args(["--request-timeout", "10", "--suppress-health-check", "all", "--warnings", "off", "--no-color"]);
    command.current_dir(bench.path("tmp")).stdin(Stdio::null()).env("NO_PROXY", "*");
    command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", clients().join("schemathesis")).env("PYTHONDONTWRITEBYTECODE", "1");
    let Output { status, stdout, stderr } = command.output().expect("schemathesis runs");
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{words:?}\n{said}\n{}", String::from_utf8_lossy(&stderr));
    assert!(said.contains("No issues found"), "{said}");
}

/// Connects, and gives the access token.
async fn token(authorize: &str, token: &str) -> String {
    let http = http();
    let query = [("response_type", "code"), ("client_id", CLIENT[0]), ("redirect_uri", CALLBACK), ("code_challenge", CHALLENGE)];
    let asked = Url::parse_with_params(authorize, query.iter().chain(&[("code_challenge_method", "S256")])).expect("a URL");
    let sent_back = http.get(asked).send().await.expect("an answer");
    let location = Url::parse(sent_back.headers()["location"].to_str().expect("text")).expect("a URL");
    let code = location.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http.post(token).basic_auth(CLIENT[0], Some(CLIENT[1])).header("content-type", "application/x-www-form-urlencoded");
    let answer: Value = request.body(body).send().await.expect("an answer").json().await.expect("JSON");
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn http() -> reqwest::Client {
    // reqwest wants it, though nothing here is encrypted; after the first time it is there already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client")
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}
