//! One provider and one program that uses a library: they play the story, then both sides are compared.

mod curl;
mod oauth2_crate;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use regrant_mock_server::{
    Provider, ProviderConfig, TokenShape,
    authority::Cause,
    control::Target,
    journal::{AuthStyle, Decision, Endpoint, Presented, TokenOutcome, What},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

pub(crate) use curl::curl;
pub(crate) use oauth2_crate::oauth2_crate;

/// A library, and what was measured of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    /// How it authenticates the client when it exchanges the code, and when it refreshes.
    pub(crate) exchange: AuthStyle,
    pub(crate) refresh: AuthStyle,
    /// The type in which its user meets a refusal.
    pub(crate) surfaced_as: &'static str,
}

/// A program takes two seconds on an idle machine, most of it for starting.
const LIMIT: Duration = Duration::from_secs(120);
/// Nothing listens there: no program follows the last redirect.
const CALLBACK: &str = "http://127.0.0.1:9/callback";
const SCOPES: &str = "users:read companies:read";

/// Lets the program of a folder play the story with each library.
pub(crate) async fn tells_its_story(folder: &str, words: &[&str], libraries: &[Library]) {
    if is_left_out(folder) {
        return;
    }
    ensure(folder).await;
    for library in libraries {
        let bench = Bench::new(true).await;
        let told = tokio::time::timeout(LIMIT, bench.run(folder, words, library.name)).await.expect("in time");
        let expected = json!({"calls": [200, 200, 200], "error": "invalid_grant", "surfaced_as": library.surfaced_as});
        assert_eq!(told, expected, "{}", library.name);
        bench.assert_story(*library);
    }
}

/// Whether what a folder needs could not be installed, said aloud.
fn is_left_out(folder: &str) -> bool {
    let left_out = std::env::var("REGRANT_LEFT_OUT").unwrap_or_default();
    let is = left_out.split(',').any(|name| name.strip_prefix("clients-") == Some(folder));
    if is {
        println!("left out: clients-{folder}, since what it needs could not be installed");
    }
    is
}

/// Installs what a folder needs, unless that was done.
async fn ensure(folder: &str) {
    let script = clients().join("ensure.sh");
    let ended = Command::new("sh").arg(script).arg(folder).stdin(Stdio::null()).output().await.expect("sh runs");
    assert!(ended.status.success(), "what tests/clients/{folder} needs is not there: {}", String::from_utf8_lossy(&ended.stderr));
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A provider whose secrets, tokens and codes need care, and a folder for its certificate.
struct Bench {
    provider: Provider,
    folder: tempfile::TempDir,
    secret: String,
}

impl Bench {
    async fn new(tls: bool) -> Self {
        let provider = Provider::start(ProviderConfig { tls, ..ProviderConfig::local(4711) }).await.expect("it starts");
        provider.control().token_shape(TokenShape::Odd);
        let draw = |_| provider.control().rotate_secret(None, Duration::ZERO).expect("a confidential client").value;
        // A plus sign reads as a blank where it is taken for a form's.
        let secret = (0..100).map(draw).find(|secret| secret.contains('+')).expect("a secret that can be misread");
        let folder = tempfile::Builder::new().prefix("client-").tempdir().expect("a folder");
        if let Some(pem) = provider.ca_pem() {
            fs::write(folder.path().join("ca.pem"), pem).expect("written");
        }
        Self { provider, folder, secret }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn revoke(&self) {
        assert_eq!(self.provider.control().revoke(Target::Newest, Cause::User).len(), 1, "the grant was live");
    }

    /// Runs a program to its end; revokes the grant when it asks for that. Its last line is what it has to say.
    async fn run(&self, folder: &str, words: &[&str], library: &str) -> Value {
        let (urls, ca) = (self.provider.urls(), self.ca_file());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(library).current_dir(clients().join(folder)).kill_on_drop(true);
        command.env("AUTHORIZE_URL", &urls.authorize).env("TOKEN_URL", &urls.token).env("API_URL", &urls.api);
        command.env("CLIENT_ID", self.provider.client().0).env("CLIENT_SECRET", &self.secret);
        command.env("REDIRECT_URI", CALLBACK).env("SCOPES", SCOPES);
        for name in ["CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            command.env(name, &ca);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let (mut stdin, stdout) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line).await.expect("a line");
        assert_eq!(serde_json::from_str::<Value>(&line).ok(), Some(json!({"waits": "revocation"})), "{library} says {line:?}");
        self.revoke();
        stdin.write_all(b"\n").await.expect("it listens");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).await.expect("text");
        assert!(child.wait().await.expect("it ends").success(), "{library} says {rest}");
        serde_json::from_str(&rest).unwrap_or_else(|_| panic!("{library} says {rest:?}"))
    }

    /// What the provider saw: one code exchanged with its verifier, each refresh token used once, in order, then one refusal.
    fn assert_story(&self, library: Library) {
        let journal = self.provider.control().journal();
        let asked: Vec<String> = journal.iter().filter_map(|entry| authorize_query(&entry.what)).collect();
        assert_eq!(asked.len(), 1, "{library:?}: {asked:?}");
        assert!(asked[0].contains("code_challenge_method=S256"), "{library:?}: {asked:?}");
        let tokens: Vec<Value> = journal.iter().filter_map(|entry| token_decision(&entry.what)).collect();
        let (exchange, refresh) = (json!(library.exchange), json!(library.refresh));
        let refreshed = |n: u32, outcome: &str| json!(["refresh_token", refresh, format!("refresh#{n}"), outcome]);
        let expected = [
            json!(["authorization_code", exchange, "code#1", "issued"]),
            refreshed(1, "issued"),
            refreshed(2, "issued"),
            refreshed(3, "invalid_grant"),
        ];
        assert_eq!(tokens, expected, "{library:?}");
    }
}

fn authorize_query(what: &What) -> Option<String> {
    match what {
        What::Arrived(arrived) if arrived.endpoint == Endpoint::Authorize => arrived.query.clone(),
        _ => None,
    }
}

fn token_decision(what: &What) -> Option<Value> {
    let What::Decided { decision: Decision::Token { grant_type, auth, presented, outcome }, .. } = what else { return None };
    let name = presented.as_ref().and_then(|Presented { name, .. }| name.clone());
    let outcome = match outcome {
        TokenOutcome::Issued { .. } => "issued",
        TokenOutcome::Refused { error, .. } => error,
    };
    Some(json!([grant_type, auth, name, outcome]))
}
