//! The reference subject: an integration with Pleo that does everything right, unless a planted defect is switched on.
//!
//! It is a program of its own (`regrant subject [--defect NAME]… | --null NAME | --dump`), knows nothing of the harness, and takes all it
//! needs from its environment ([`MANIFEST`] says what). Requests come in through `pages`, accepted work waits in `store` until `work`
//! does it through `api`, and `tokens` is the one place where access tokens come from.

mod alone;
mod answer;
mod api;
mod config;
mod connect;
mod dump;
mod export;
mod flaw;
mod flight;
mod lease;
mod log;
mod logins;
mod neighbours;
mod notices;
mod null;
mod oauth;
mod pages;
mod signature;
mod spoil;
mod stop;
mod store;
mod tokens;
mod work;

use std::{
    io::Write,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;

pub use flaw::{Defect, defects};
pub use null::NULLS;

use alone::Alone;
use api::Api;
use config::{Config, ConfigError};
use flaw::{Flaw, Flaws};
use log::Level;
use logins::Logins;
use notices::Notices;
use oauth::Pleo;
use signature::WebhookSecret;
use store::{Seal, Store, StoreError};
use tokens::Tokens;
use work::Queue;

/// The reference subject's own manifest; `{regrant}` stands for the path of this program.
pub const MANIFEST: &str = include_str!("regrant.toml");

/// How long a stop waits for a refresh in flight, so that its answer is not lost.
const LAST_REFRESH: Duration = Duration::from_millis(700);

/// Everything a request or a worker of one connection may need.
struct App {
    /// The connection's name.
    name: String,
    store: Arc<Store>,
    pleo: Arc<Pleo>,
    tokens: Arc<Tokens>,
    api: Api,
    logins: Logins,
    queue: Queue,
    notices: Notices,
    /// Pleo wants one export at a time.
    exporting: Alone,
    /// Why the last work was held, other than for want of a connection.
    problem: Mutex<Option<String>>,
    secure_cookies: bool,
    webhook_secret: Option<WebhookSecret>,
    flaws: Flaws,
}

/// Why the subject did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a URL in the environment is none: {0}")]
    Url(#[from] url::ParseError),
    #[error("cannot make an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    #[error("cannot read the trusted certificates: {0}")]
    Roots(std::io::Error),
    #[error("cannot make the folder of a connection: {0}")]
    Folder(std::io::Error),
    #[error("cannot listen on port {0}: {1}")]
    Listen(u16, std::io::Error),
}

/// Runs the subject until it is asked to stop; `args` are the words after `subject`.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    let Some(mode) = parse(args) else {
        complain("usage: regrant subject [--defect NAME]... | --null NAME | --dump");
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(mode));
    // Work that is cut short here is still in the queue.
    runtime.shutdown_background();
    code
}

enum Mode {
    Subject(Flaws),
    Null(String),
    /// Show what is kept, to an operator with the key.
    Dump,
}

fn parse(mut args: impl Iterator<Item = String>) -> Option<Mode> {
    let mut flaws = Flaws::default();
    while let Some(word) = args.next() {
        match (word.as_str(), args.next()) {
            ("--dump", None) => return Some(Mode::Dump),
            ("--defect", Some(name)) if flaws.plant(&name) => {}
            ("--null", Some(name)) if NULLS.iter().any(|(known, _)| *known == name) => return Some(Mode::Null(name)),
            _ => return None,
        }
    }
    Some(Mode::Subject(flaws))
}

async fn run(mode: Mode) -> ExitCode {
    match mode {
        Mode::Null(name) => null::run(&name).await.unwrap_or(ExitCode::from(2)),
        Mode::Dump => match dump::show() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.to_string());
                ExitCode::FAILURE
            }
        },
        Mode::Subject(flaws) => match serve(flaws).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.to_string());
                ExitCode::FAILURE
            }
        },
    }
}

async fn serve(flaws: Flaws) -> Result<(), StartError> {
    let config = Config::from_env()?;
    let apps = neighbours::apps(&config, flaws)?;
    let address = SocketAddr::from(([127, 0, 0, 1], config.port));
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| StartError::Listen(config.port, error))?;
    let stop = stop::asked();
    for app in &apps {
        work::start(app);
    }
    log::line(Level::Info, "started", "listening", serde_json::json!({ "port": config.port }));
    tokio::select! {
        _ = axum::serve(listener, neighbours::router(&apps)) => {}
        () = stop => {}
    }
    let at_rest = futures::future::join_all(apps.iter().map(|app| app.tokens.at_rest()));
    drop(tokio::time::timeout(LAST_REFRESH, at_rest).await);
    if flaws.has(Flaw::SavesLate) || flaws.has(Flaw::SavesInTwoSteps) {
        apps.iter().try_for_each(|app| app.store.flush())?;
    }
    log::line(Level::Info, "stopped", "stopping as asked", Value::Null);
    Ok(())
}

impl App {
    fn new(name: &str, config: &Config, flaws: Flaws) -> Result<Self, StartError> {
        let sealed = ![Flaw::ClearTextStore, Flaw::LeavesResidue, Flaw::WorldReadable].into_iter().any(|flaw| flaws.has(flaw));
        let seal = if sealed { Seal::new(&config.store_key) } else { Seal::none() };
        let store = Arc::new(Store::open(&config.state_dir, seal)?.of_process(config.process));
        if flaws.has(Flaw::WorldReadable) {
            use std::os::unix::fs::PermissionsExt;
            drop(std::fs::set_permissions(config.state_dir.join("app.db"), std::fs::Permissions::from_mode(0o644)));
        }
        if flaws.has(Flaw::LeavesResidue) {
            store.overwrite_nothing()?;
        }
        let http = http_client(config, flaws)?;
        let pleo = Arc::new(Pleo::new(&spoil::configured(flaws, &store, config)?, http.clone(), flaws)?);
        let tokens = Arc::new(Tokens::new(Arc::clone(&store), Arc::clone(&pleo), config.state_dir.clone(), flaws));
        if spoil::is_another_client(flaws, &store, pleo.fingerprint())? {
            tokens.discard("another client secret")?;
        }
        let queue = Queue::new(&store.queued()?);
        Ok(Self {
            name: name.to_owned(),
            api: Api::new(config, Arc::clone(&tokens), http, flaws),
            logins: Logins::new(Arc::clone(&store)),
            store,
            pleo,
            tokens,
            queue,
            notices: Notices::new(flaws),
            exporting: Alone::new(config.state_dir.join("export.lock")),
            problem: Mutex::new(None),
            secure_cookies: config.redirect_uri.starts_with("https:"),
            webhook_secret: config.webhook_secret.clone(),
            flaws,
        })
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// A client that follows no redirect: neither tokens nor secrets go where Pleo's addresses do not say.
fn http_client(config: &Config, flaws: Flaws) -> Result<reqwest::Client, StartError> {
    // An earlier one may stand: then that is the one to use.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        let hops = if flaws.has(Flaw::FollowsRedirects) { 3 } else { 0 };
        let redirects = if hops == 0 { reqwest::redirect::Policy::none() } else { reqwest::redirect::Policy::limited(hops) };
        reqwest::Client::builder().redirect(redirects).retry(reqwest::retry::never()).referer(false)
    };
    let Some(path) = &config.extra_roots else {
        // A system without any roots can still speak plain HTTP.
        return Ok(builder().build().or_else(|_| builder().tls_certs_only([]).build())?);
    };
    let roots = reqwest::Certificate::from_pem_bundle(&std::fs::read(path).map_err(StartError::Roots)?)?;
    Ok(builder().tls_certs_merge(roots.clone()).build().or_else(|_| builder().tls_certs_only(roots).build())?)
}

fn complain(message: &str) {
    drop(writeln!(std::io::stderr(), "regrant subject: {message}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Option<Mode> {
        parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn defects_add_up_and_unknown_words_are_refused() {
        let Some(Mode::Subject(flaws)) = parsed(&["--defect", "silent", "--defect", "no-pkce"]) else { panic!("a subject") };
        assert!(flaws.has(Flaw::Silent) && flaws.has(Flaw::NoPkce) && !flaws.has(Flaw::KeepsCalling));
        assert!(matches!(parsed(&[]), Some(Mode::Subject(flaws)) if flaws == Flaws::default()));
        assert!(matches!(parsed(&["--null", "mute"]), Some(Mode::Null(name)) if name == "mute"));
        for words in [&["--defect"][..], &["--defect", "nothing"], &["--null", "nothing"], &["extra"]] {
            assert!(parsed(words).is_none(), "{words:?}");
        }
    }

    #[test]
    fn the_manifest_is_toml_and_names_the_program() {
        let manifest: toml::Table = MANIFEST.parse().expect("is TOML");
        assert_eq!(manifest["start"]["run"].as_array().map(|run| run[0].clone()), Some("{regrant}".into()));
    }
}
