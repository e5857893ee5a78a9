//! One provider and one reference subject beside each other, and a browser.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use regrant_mock_server::{
    Control, Provider, ProviderConfig,
    authority::{Cause, Kind},
    control::Target,
    fault::{Fate, Match, Point, Rule},
    journal::{Arrived, Endpoint, What},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// How long something that should happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this long without it, something that a defect prevents is taken not to happen.
const SILENCE: Duration = Duration::from_millis(1_500);

pub struct Bench {
    pub control: Control,
    provider: Provider,
    dir: tempfile::TempDir,
    port: u16,
    defects: Vec<&'static str>,
    secret: String,
    child: Child,
    lines: Lines,
    agent: reqwest::Client,
}

/// What the subject said, over all its lives.
#[derive(Clone)]
struct Lines {
    said: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Bench {
    /// Both are up; nothing is connected.
    pub async fn start(defects: &[&'static str]) -> Self {
        Self::beside(ProviderConfig::local(7), defects).await
    }

    /// The same over TLS, under an authority of the provider's own.
    pub async fn over_tls() -> Self {
        Self::beside(ProviderConfig { tls: true, ..ProviderConfig::local(7) }, &[]).await
    }

    async fn beside(config: ProviderConfig, defects: &[&'static str]) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let provider = Provider::start(config).await.expect("the provider starts");
        let port = free_port();
        let (_, secret) = provider.client();
        let dir = tempfile::tempdir().expect("a directory");
        let lines = Lines { said: Arc::default(), count: watch::Sender::new(0) };
        let mut agent = reqwest::Client::builder().cookie_store(true).timeout(Duration::from_secs(4));
        if let Some(pem) = provider.ca_pem() {
            std::fs::write(dir.path().join("ca.pem"), pem).expect("writes");
            agent = agent.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem.as_bytes()).expect("certificates"));
        }
        let agent = agent.build().expect("an agent");
        let secret = secret.expect("a secret");
        let child = spawn(&provider, &dir, port, defects, &secret, &lines);
        let bench =
            Self { control: provider.control().clone(), provider, dir, port, defects: defects.to_vec(), secret, child, lines, agent };
        bench.said(0, &["started"]).await.expect("the subject starts");
        bench
    }

    /// A subject that is connected and has done some work.
    pub async fn connected(defects: &[&'static str]) -> Self {
        let bench = Self::start(defects).await;
        assert_eq!(bench.get("/connect").await.map(|(status, _)| status), Some(200), "the first login works");
        bench.control.add_work(regrant_mock_server::control::UnitKind::Export, 2);
        assert_eq!(bench.trigger().await.as_deref(), Some("work_done"), "the first work is done");
        bench
    }

    /// Ends the subject, by SIGKILL or SIGTERM, and starts it again; with a new secret if one is given.
    pub async fn restart(&mut self, kill: bool, secret: Option<String>) {
        self.end(kill).await;
        self.secret = secret.unwrap_or_else(|| self.secret.clone());
        let from = self.lines.count();
        self.child = spawn(&self.provider, &self.dir, self.port, &self.defects, &self.secret, &self.lines);
        self.said(from, &["started"]).await.expect("the subject starts again");
    }

    /// Ends the subject; the status of its exit.
    pub async fn end(&mut self, kill: bool) -> Option<i32> {
        if kill {
            self.child.start_kill().ok();
        } else if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
        }
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it is waited for").code()
    }

    /// Has it died on its own?
    pub fn is_dead(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// One page, redirects followed.
    pub async fn get(&self, place: &str) -> Option<(u16, String)> {
        let response = self.agent.get(self.url(place)).send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    }

    /// Where a page that is followed to its end leads.
    pub async fn leads_to(&self, place: &str) -> Option<String> {
        let response = self.agent.get(self.url(place)).send().await.ok()?;
        Some(response.url().to_string().replace(&self.url(""), ""))
    }

    pub async fn post(&self, place: &str, body: &str) -> Option<u16> {
        let request = self.agent.post(self.url(place)).header("content-type", "application/json").body(body.to_owned());
        Some(request.send().await.ok()?.status().as_u16())
    }

    /// The status word.
    pub async fn status(&self) -> Option<String> {
        let (_, body) = self.get("/status").await?;
        serde_json::from_str::<Value>(&body).ok()?["state"].as_str().map(str::to_owned)
    }

    /// Asks for work and tells what became of it: `work_done`, `work_held`, or nothing.
    pub async fn trigger(&self) -> Option<String> {
        self.work("/sync").await
    }

    pub async fn work(&self, place: &str) -> Option<String> {
        let from = self.lines.count();
        let signed = self.control.sign_webhook(&self.url(place), 0, b"{}").expect("signed");
        let mut request = self.agent.post(self.url(place)).body("{}");
        for (name, value) in signed.headers() {
            request = request.header(name, value);
        }
        let accepted = request.send().await.ok()?.text().await.ok()?;
        let number = serde_json::from_str::<Value>(&accepted).ok()?["work"].clone();
        let its = |line: &Value| line["work"].as_array().is_some_and(|work| work.contains(&number));
        Some(self.line(from, its).await?["event"].as_str()?.to_owned())
    }

    /// Sends a webhook with these headers; the status of the answer.
    pub async fn webhook(&self, headers: &[(&str, String)], body: &'static str) -> u16 {
        let request = headers.iter().fold(self.agent.post(self.url("/webhook")), |request, (name, value)| request.header(*name, value));
        request.body(body).send().await.expect("answered").status().as_u16()
    }

    /// Waits for a line of one of these events after the first `from` lines.
    pub async fn said(&self, from: usize, events: &[&str]) -> Option<String> {
        let its = |line: &Value| line["event"].as_str().is_some_and(|event| events.contains(&event));
        Some(self.line(from, its).await?["event"].as_str()?.to_owned())
    }

    async fn line(&self, from: usize, its: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut count = self.lines.count.subscribe();
        let limit = if self.defects.is_empty() { PATIENCE } else { SILENCE };
        let found = async {
            loop {
                count.borrow_and_update();
                if let Some(line) = self.said_lines(from).into_iter().find(|line| its(line)) {
                    return line;
                }
                count.changed().await.expect("the sender lives");
            }
        };
        timeout(limit, found).await.ok()
    }

    /// Waits until a gate holds a request; upright subjects get there.
    pub async fn held(&self, gate: &str) {
        let held = timeout(SILENCE, self.control.until_held(gate, 1)).await.is_ok();
        assert!(held || !self.defects.is_empty(), "{gate} holds a refresh");
    }

    pub fn line_count(&self) -> usize {
        self.lines.count()
    }

    pub fn events(&self, from: usize) -> Vec<String> {
        self.said_lines(from).iter().filter_map(|line| Some(line["event"].as_str()?.to_owned())).collect()
    }

    pub fn said_lines(&self, from: usize) -> Vec<Value> {
        self.log().iter().skip(from).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn log(&self) -> Vec<String> {
        self.lines.said.lock().expect("no panic").clone()
    }

    /// Requests to one part of the provider, from line `since` of the journal on.
    pub fn requests(&self, endpoint: Endpoint, since: u64) -> Vec<Arrived> {
        let entries = self.control.journal();
        let arrived = entries.into_iter().filter(|entry| entry.n > since).filter_map(|entry| match entry.what {
            What::Arrived(arrived) => Some((*arrived).clone()),
            _ => None,
        });
        arrived.filter(|arrived| arrived.endpoint == endpoint).collect()
    }

    /// Token requests that present a refresh token.
    pub fn refreshes(&self, since: u64) -> Vec<Arrived> {
        let requests = self.requests(Endpoint::Token, since).into_iter();
        requests.filter(|request| String::from_utf8_lossy(&request.body).contains("refresh_token")).collect()
    }

    /// The end of the journal now.
    pub fn mark(&self) -> u64 {
        self.control.journal().last().map_or(0, |entry| entry.n)
    }

    /// The newest secret of a kind.
    pub fn newest(&self, kind: Kind) -> String {
        self.control.canaries().into_iter().rfind(|canary| canary.kind == kind).expect("there is one").value
    }

    pub fn revoke(&self) {
        self.control.revoke(Target::All, Cause::User);
    }

    pub fn reject(&self) {
        self.control.reject_access(Target::All);
    }

    /// Installs a rule for refreshes.
    pub fn on_refresh(&self, at: Point, times: Option<u32>, fate: Fate) -> u32 {
        let on = Match { endpoint: Some(Endpoint::Token), grant: Some("refresh_token".into()), times, ..Match::default() };
        self.control.install(Rule { on, at, fate, until: None })
    }

    /// Does a secret stand in one of the subject's files?
    pub fn stores(&self, secret: &str) -> bool {
        let files = std::fs::read_dir(self.state_dir()).expect("a directory");
        let mut bytes = files.map(|file| std::fs::read(file.expect("a file").path()).expect("reads"));
        bytes.any(|bytes| bytes.windows(secret.len()).any(|part| part == secret.as_bytes())) || self.dump().contains(secret)
    }

    /// What the subject itself reads in its store, which is sealed.
    fn dump(&self) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regrant"));
        command.env_clear();
        // It calls nobody, and wants to be configured all the same.
        for name in ["AUTHORIZE_URL", "TOKEN_URL", "API_URL", "REDIRECT_URI"] {
            command.env(name, "http://127.0.0.1:1/");
        }
        let command = command.env("CLIENT_ID", "id").env("CLIENT_SECRET", "secret").env("PORT", "1");
        let shown = command.args(["subject", "--dump"]).env("STATE_DIR", self.state_dir()).env("STORE_KEY", STORE_KEY).output();
        String::from_utf8(shown.expect("the subject is there").stdout).expect("text")
    }

    /// Does it stand in a live row of the database, or in another file?
    pub fn keeps(&self, secret: &str) -> bool {
        let aside = std::fs::read_dir(self.state_dir()).expect("a directory").map(|file| file.expect("a file").path());
        let mut others =
            aside.filter(|path| !path.to_string_lossy().contains("app.db")).map(|path| std::fs::read_to_string(path).unwrap_or_default());
        let db = rusqlite::Connection::open(self.state_dir().join("app.db")).expect("opens");
        let mut rows = ["SELECT coalesce(access, '') || ' ' || coalesce(refresh, '') FROM connection", "SELECT value FROM note"]
            .into_iter()
            .flat_map(|query| {
                let mut query = db.prepare(query).expect("a query");
                query.query_map([], |row| row.get::<_, String>(0)).expect("rows").map(|row| row.expect("a row")).collect::<Vec<_>>()
            });
        rows.any(|row| row.contains(secret)) || others.any(|text| text.contains(secret)) || self.dump().contains(secret)
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn client(&self) -> (String, Option<String>) {
        self.provider.client()
    }

    pub fn url(&self, place: &str) -> String {
        format!("http://127.0.0.1:{}{place}", self.port)
    }
}

impl Lines {
    fn count(&self) -> usize {
        *self.count.borrow()
    }

    fn say(&self, line: String) {
        let mut said = self.said.lock().expect("no panic");
        said.push(line);
        self.count.send_replace(said.len());
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// What a null subject answers; nothing, once it has exited with 0.
pub async fn null(name: &str, place: &str) -> Option<(u16, String)> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrant"));
    command.args(["subject", "--null", name]).env_clear().env("PORT", port.to_string()).kill_on_drop(true);
    let mut child = command.spawn().expect("the subject is there");
    for _ in 0..1_000 {
        if let Some(status) = child.try_wait().expect("it is waited for") {
            assert_eq!(status.code(), Some(0));
            return None;
        }
        if let Ok(response) = reqwest::get(format!("http://127.0.0.1:{port}{place}")).await {
            return Some((response.status().as_u16(), response.text().await.expect("a body")));
        }
        // It does not say when it listens.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} neither answers nor exits");
}

/// What the subject's store is sealed with.
const STORE_KEY: &str = "a key for this test";

fn spawn(provider: &Provider, dir: &tempfile::TempDir, port: u16, defects: &[&str], secret: &str, lines: &Lines) -> Child {
    let urls = provider.urls();
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrant"));
    command.env_clear();
    if provider.ca_pem().is_some() {
        command.env("SSL_CERT_FILE", dir.path().join("ca.pem"));
    }
    let mut child = command
        .arg("subject")
        .args(defects.iter().flat_map(|defect| ["--defect", defect]))
        .env("AUTHORIZE_URL", &urls.authorize)
        .env("TOKEN_URL", &urls.token)
        .env("API_URL", &urls.api)
        .env("CLIENT_ID", provider.client().0)
        .env("CLIENT_SECRET", secret)
        .env("REDIRECT_URI", format!("http://127.0.0.1:{port}/callback"))
        .env("PORT", port.to_string())
        .env("STATE_DIR", dir.path().join("state"))
        .env("STORE_KEY", STORE_KEY)
        .env("WEBHOOK_SECRET", provider.control().webhook_secret())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the subject is there");
    let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
    let lines = lines.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = output.next_line().await {
            lines.say(line);
        }
    });
    child
}
