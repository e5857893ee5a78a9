//! `regrant serve`: the mock provider alone, until Ctrl-C.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use regrant_mock_server::{
    ClientConfig, ConsentMode, Control, Provider, ProviderConfig, Remember, StartError,
    fault::{scenario::Scenario, script::Told},
    intercept::{Interception, Trust},
    journal::Keep,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use super::{
    args::{self, Consent},
    error::CliError,
    meant, out, prompter, wait,
};
use crate::report::ExitStatus;

/// So many of the newest tokens and of the grants that ended last are listed by the management port; older ones are recognised only.
const REMEMBERED: usize = 10_000;

/// What a person or a script must know to point an integration here.
#[derive(Debug, Serialize)]
struct Ready {
    authorize_url: String,
    token_url: String,
    introspect_url: String,
    api_url: String,
    management_url: Option<String>,
    client_id: String,
    client_secret: Option<String>,
    /// What the client may ask for; empty: anything, until its first authorise request has asked.
    scopes: Vec<String>,
    ca_file: Option<String>,
    proxy_url: Option<String>,
    /// What an integration must find in its environment to come through the proxy.
    environment: BTreeMap<&'static str, String>,
    seed: u64,
}

/// What the events of one journal may weigh in memory. Bodies make them heavy, not their number.
const JOURNAL_BYTES: usize = 64 * 1024 * 1024;

pub(super) fn serve(typed: &args::Serve) -> Result<ExitStatus, CliError> {
    check_remote(typed)?;
    let clients = typed.client.iter().map(|one| client(one)).collect::<Result<Vec<_>, _>>()?;
    let story = typed.scenario.as_deref().map(read_story).transpose()?;
    let config = ProviderConfig {
        listen: typed.listen,
        management: Some(typed.management),
        management_token: typed.management_token.clone(),
        reachable_as: typed.reachable_as.clone(),
        tenants: typed.tenants,
        journal: Keep::Last { entries: typed.journal, bytes: JOURNAL_BYTES },
        journal_file: typed.journal_file.clone(),
        tls: typed.tls,
        http2: typed.http2,
        intercept: typed.intercept.map(|listen| Interception { listen, hosts: Vec::new() }),
        clients,
        consent: consent(typed.consent),
        remember: Remember::Newest(REMEMBERED),
        // No verdict hangs on it here, and it is the dearest part of a reply.
        receipts: false,
        ..ProviderConfig::local(meant::seed(typed.seed))
    };
    allow_many_connections();
    // An idle server uses little of each huge page that it touches.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    wait::block_here_on(|mut cancel| async move {
        let ca = Authority::folder(typed.tls || typed.intercept.is_some())?;
        let seed = config.seed;
        let provider = Provider::start(config).await.map_err(|error| blame(&error))?;
        let ready = ready(&provider, seed, ca.write(&provider)?.as_ref());
        out::say(&shown(&ready))?;
        if let Some(path) = &typed.ready_file {
            let json = serde_json::to_string_pretty(&ready).map_err(|source| CliError::Harness(source.to_string()))?;
            out::replace(path, (json + "\n").as_bytes())?;
        }
        tokio::select! {
            never = tell(&provider, story.as_ref()) => match never? {},
            () = wait::cancelled(&mut cancel) => {}
        }
        let control = provider.control().clone();
        provider.stop().await;
        if let Some(trouble) = control.journal_trouble() {
            return Err(CliError::Environment(format!("the journal file is not complete: {trouble}")));
        }
        Ok(ExitStatus::Clean)
    })?
}

/// Others are let in only on purpose, and only as far as they can then do no more than they should.
fn check_remote(typed: &args::Serve) -> Result<(), CliError> {
    let is_open = |address: SocketAddr| !address.ip().is_loopback();
    let refuse = |address: SocketAddr, flags: &str| Err(CliError::Usage(format!("{address} is beyond loopback: add {flags}")));
    if is_open(typed.listen) && !(typed.allow_remote && typed.reachable_as.is_some()) {
        return refuse(typed.listen, "--allow-remote and --reachable-as HOST, or listen on 127.0.0.1");
    }
    let has_token = typed.management_token.as_ref().is_some_and(|token| !token.is_empty());
    if is_open(typed.management) && !(typed.allow_remote && has_token) {
        return refuse(
            typed.management,
            "--allow-remote and --management-token TOKEN (or REGRANT_MANAGEMENT_TOKEN), or manage on 127.0.0.1",
        );
    }
    Ok(())
}

/// Each connection takes a file descriptor, and many systems hand out 1,024 unless asked for more.
fn allow_many_connections() {
    let allowed = getrlimit(Resource::Nofile);
    // Fewer connections are a limit, no reason not to serve.
    let _raised = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, ..allowed });
}

/// Tells the story, if there is one; never ends.
async fn tell(provider: &Provider, story: Option<&Story>) -> Result<Infallible, CliError> {
    if let Some(Story { path, text, scenario }) = story {
        // A story that nobody reads any more goes on for whoever works with the provider.
        let _ = out::say(&format!("\n{}\n{}\n\n", scenario.title, scenario.about.trim()));
        listen_for_enter(provider.control().clone());
        let tell = |told: &Told<'_>| drop(out::say(&format!("{}\n", prompter::line(told))));
        provider.control().tell(text, tell).map_err(|error| CliError::File(format!("{}: {error}", path.display())))?;
    }
    std::future::pending().await
}

/// Where the integration rightly does nothing, the person says so with Enter.
fn listen_for_enter(control: Control) {
    if !io::stdin().is_terminal() {
        return;
    }
    let _ = out::say("Press Enter to go on where the integration rightly does nothing.\n\n");
    // Reading a terminal cannot be cancelled: a thread that ends with the process. Without it the management port is left to say so.
    let _thread = std::thread::Builder::new().name("enter".into()).spawn(move || {
        for _line in io::stdin().lines().map_while(Result::ok) {
            control.go_on();
        }
    });
}

/// A folder for the run's certificate authority, gone when serving ends.
struct Authority(Option<tempfile::TempDir>);

impl Authority {
    fn folder(tls: bool) -> Result<Self, CliError> {
        let cannot = |source| CliError::Environment(format!("cannot make a folder for the certificate authority: {source}"));
        let folder = tls.then(|| tempfile::Builder::new().prefix("regrant-ca-").tempdir()).transpose().map_err(cannot)?;
        Ok(Self(folder))
    }

    fn write(&self, provider: &Provider) -> Result<Option<Trust>, CliError> {
        let Some(folder) = &self.0 else { return Ok(None) };
        let trust = Trust::within(folder.path());
        let cannot = |source| CliError::Environment(format!("cannot write {}: {source}", trust.ca_file.display()));
        trust.write(provider).map_err(cannot)?;
        Ok(Some(trust))
    }
}

fn ready(provider: &Provider, seed: u64, trust: Option<&Trust>) -> Ready {
    let urls = provider.urls().clone();
    let environment = trust.filter(|_| urls.proxy.is_some()).map(|trust| trust.variables(urls.proxy.as_deref())).unwrap_or_default();
    let (client_id, client_secret) = provider.client();
    Ready {
        authorize_url: urls.authorize,
        token_url: urls.token,
        introspect_url: urls.introspect,
        api_url: urls.api,
        management_url: urls.management,
        client_id,
        client_secret,
        scopes: provider.scopes(),
        ca_file: trust.map(|trust| trust.ca_file.display().to_string()),
        proxy_url: urls.proxy,
        environment: environment.into_iter().collect(),
        seed,
    }
}

fn shown(ready: &Ready) -> String {
    let lines = [
        ("authorise URL", Some(&ready.authorize_url)),
        ("token URL", Some(&ready.token_url)),
        ("introspection URL", Some(&ready.introspect_url)),
        ("API URL", Some(&ready.api_url)),
        ("client id", Some(&ready.client_id)),
        ("client secret", ready.client_secret.as_ref()),
        ("trust this CA", ready.ca_file.as_ref()),
        ("proxy", ready.proxy_url.as_ref()),
        ("management", ready.management_url.as_ref()),
    ];
    let mut out = String::from("Put this into the integration's configuration:\n\n");
    for (name, value) in lines.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        out += &format!("  {name:<18} {value}\n");
    }
    out += "\nAny scope may be asked for; without --client any redirect URI on loopback is accepted.\n";
    if ready.proxy_url.is_some() {
        out += &through_the_proxy(ready);
    }
    out + &format!("Seed {}. Ctrl-C ends it.\n", ready.seed)
}

/// For integrations with Pleo's addresses built in, and for whoever signs in with them.
fn through_the_proxy(ready: &Ready) -> String {
    let mut out = String::from("\nAn integration with Pleo's addresses built in needs these variables instead:\n\n");
    for (name, value) in &ready.environment {
        out += &format!("  export {name}='{}'\n", value.replace('\'', "'\\''"));
    }
    let there = ready.authorize_url.trim_end_matches("/oauth/authorize");
    out += "\nYour own browser does not go through the proxy: when it is sent to https://auth.pleo.io, ";
    out + &format!("put {there} in its place in the address bar.\n")
}

/// `ID:SECRET[@REDIRECT_URI]`. A secret may hold `@`, so the redirect URI is recognised by its scheme.
fn client(typed: &str) -> Result<ClientConfig, CliError> {
    let refuse = || CliError::Usage(format!("--client {typed}: expected ID:SECRET or ID:SECRET@REDIRECT_URI"));
    let (id, rest) = typed.split_once(':').ok_or_else(refuse)?;
    let (secret, redirect_uris) = match rest.rfind("@http") {
        Some(at) => (&rest[..at], vec![rest[at + 1..].to_owned()]),
        None => (rest, Vec::new()),
    };
    if id.is_empty() || secret.is_empty() {
        return Err(refuse());
    }
    Ok(ClientConfig { id: Some(id.into()), secret: Some(secret.into()), redirect_uris, ..ClientConfig::default() })
}

fn consent(typed: Consent) -> ConsentMode {
    match typed {
        Consent::Page => ConsentMode::Page,
        Consent::Auto => ConsentMode::Auto,
        Consent::Deny => ConsentMode::Deny,
    }
}

/// A scenario file that was read.
struct Story {
    path: PathBuf,
    text: String,
    scenario: Scenario,
}

fn read_story(path: &Path) -> Result<Story, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::File(format!("{}: {source}", path.display())))?;
    let scenario = Scenario::parse(&text).map_err(|error| CliError::File(format!("{}: {error}", path.display())))?;
    Ok(Story { path: path.to_owned(), text, scenario })
}

fn blame(error: &StartError) -> CliError {
    match error {
        StartError::Bind { .. } => CliError::Environment(format!("{error}; another port: --listen 127.0.0.1:0 --management 127.0.0.1:0")),
        StartError::JournalFile { .. } => CliError::Environment(error.to_string()),
        StartError::NotLoopback(_) | StartError::Unguarded(_) | StartError::UnknownHost(_) => CliError::Usage(error.to_string()),
        StartError::Certificate(_) => CliError::Harness(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_client_is_id_secret_and_perhaps_a_redirect_uri() {
        let plain = client("crm:s3cret").expect("valid");
        assert_eq!((plain.id.as_deref(), plain.secret.as_deref()), (Some("crm"), Some("s3cret")));
        assert!(plain.redirect_uris.is_empty());
        let full = client("crm:s@3:cret@http://127.0.0.1:8080/callback").expect("valid");
        assert_eq!(full.secret.as_deref(), Some("s@3:cret"));
        assert_eq!(full.redirect_uris, ["http://127.0.0.1:8080/callback"]);
    }

    #[test]
    fn a_client_without_a_secret_is_refused() {
        for typed in ["crm", "crm:", ":secret", "crm:@http://127.0.0.1/callback"] {
            assert!(matches!(client(typed), Err(CliError::Usage(_))), "{typed}");
        }
    }

    fn typed(flags: &[&str]) -> args::Serve {
        let line = ["regrant", "serve"].iter().chain(flags);
        let args::Command::Serve(serve) = args::Typed::try_parse_from(line).expect("right flags").command else {
            panic!("another command")
        };
        serve
    }

    #[test]
    fn nobody_is_let_in_from_elsewhere_by_accident() {
        for (flags, is_let) in [
            (&["--listen", "0.0.0.0:0"][..], false),
            (&["--listen", "0.0.0.0:0", "--allow-remote"], false),
            (&["--listen", "0.0.0.0:0", "--reachable-as", "mock.test"], false),
            (&["--listen", "0.0.0.0:0", "--allow-remote", "--reachable-as", "mock.test"], true),
            (&["--management", "[::]:0"], false),
            (&["--management", "[::]:0", "--allow-remote"], false),
            (&["--management", "[::]:0", "--allow-remote", "--management-token="], false),
            (&["--management", "[::]:0", "--management-token", "x"], false),
            (&["--management", "[::]:0", "--allow-remote", "--management-token", "x"], true),
            (&["--listen", "127.0.0.2:0", "--management", "[::1]:0"], true),
        ] {
            let checked = check_remote(&typed(flags));
            assert_eq!(checked.is_ok(), is_let, "{flags:?}");
            assert!(checked.err().is_none_or(|error| error.message().contains("--allow-remote")), "{flags:?}");
        }
    }

    #[test]
    fn a_wrong_scenario_file_shows_the_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mine.toml");
        fs::write(&path, "title = \"x\"\nabout = \"y\"\nsteps = 1\n").expect("written");
        let message = read_story(&path).map(|_| ()).expect_err("an unknown key").message();
        assert!(message.contains("mine.toml") && message.contains("line 3") && message.contains("steps"), "{message}");
    }
}
