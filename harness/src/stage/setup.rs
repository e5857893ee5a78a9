//! Setting the stage: bindings and ports, the provider, the environment, the user's browser, what is scanned for secrets.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use regrant_mock_server::{
    ApiReply, ClientConfig, ConsentMode, Provider, ProviderConfig,
    authority::Policy,
    intercept::{Interception, Relay, Trust},
};
use url::Url;

use super::{Setting, StageError, instances::Instance, notify::Doors, recorder::Recorder};
use crate::{
    collect::ScanPlan,
    subject::{
        Agent, AgentSetup, Bindings, Intercepted, PortLease, Sandbox, lease_port,
        manifest::{FixedClient, Reply, Step, Verb},
    },
};

pub(super) fn first_bindings(setting: &Setting, sandbox: &Sandbox) -> Result<(Bindings, Vec<PortLease>), StageError> {
    let lease = || lease_port().map_err(|e| StageError::Environment(e.to_string()));
    let mut bindings = Bindings::new();
    let port = lease()?;
    bindings.set("port", port.port().to_string()).set("base_url", format!("http://127.0.0.1:{}", port.port()));
    let mut ports = vec![port];
    if behind_https(setting) {
        let front = lease()?;
        bindings.set("base_url", format!("https://127.0.0.1:{}", front.port()));
        ports.push(front);
    }
    for name in setting.manifest.port_names() {
        let port = lease()?;
        bindings.set(format!("port:{name}"), port.port().to_string());
        ports.push(port);
    }
    bindings.set("run_id", sandbox.run_id()).set("state_dir", sandbox.state_dir().to_string_lossy());
    bindings.set("process", "0").set("connection", first_connection(setting)).set("item_id", "");
    if let Some(uri) = setting.manifest.start.as_ref().and_then(|s| s.redirect_uri.as_ref()) {
        let uri = bindings.fill(uri)?;
        bindings.set("redirect_uri", uri);
    }
    Ok((bindings, ports))
}

/// What does not say which connection it is about is about the first.
fn first_connection(setting: &Setting) -> String {
    setting.manifest.features.connections.as_ref().and_then(|names| names.first().cloned()).unwrap_or_default()
}

pub(super) async fn start_provider(
    setting: &Setting,
    recorder: &Recorder,
    policy: Policy,
    bindings: &Bindings,
) -> Result<Provider, StageError> {
    let terms = &setting.manifest.provider;
    let fixed = terms.client.clone().unwrap_or(FixedClient { id: None, secret: None });
    let client = ClientConfig {
        id: fixed.id,
        secret: fixed.secret,
        public: setting.manifest.features.confidential == Some(false),
        redirect_uris: bindings.get("redirect_uri").map(str::to_owned).into_iter().collect(),
        scopes: terms.scopes.clone(),
        pkce_exempt: terms.pkce_optional,
    };
    let mut config = ProviderConfig::local(setting.seed);
    config.epoch = recorder.epoch();
    config.policy = policy;
    config.tls = terms.tls;
    config.intercept =
        intercepted(setting).then(|| Interception { listen: ([127, 0, 0, 1], 0).into(), hosts: setting.manifest.intercept.clone() });
    config.certify = behind_https(setting);
    config.reachable_as.clone_from(&terms.reachable_as);
    config.clients = vec![client];
    config.consent = ConsentMode::Auto;
    // A subject is spoken to at the root only, and nothing that it does may go unseen.
    config.tenants = 0;
    if let Some(listen) = terms.listen {
        config.listen = listen;
    }
    let reply = |r: &Reply| ApiReply { method: r.method.clone(), path: r.path.clone(), status: r.status, json: r.json.clone() };
    config.replies = setting.manifest.replies.iter().map(reply).collect();
    Provider::start(config).await.map_err(|e| StageError::Environment(format!("the mock provider did not start: {e}")))
}

pub(super) fn bind_provider(bindings: &mut Bindings, provider: &Provider, setting: &Setting, sandbox: &Sandbox) -> Result<(), StageError> {
    let urls = provider.urls();
    let (id, secret) = provider.client();
    bindings
        .set("authorize_url", urls.authorize.clone())
        .set("token_url", urls.token.clone())
        .set("introspect_url", urls.introspect.clone())
        .set("api_url", urls.api.clone())
        .set("client_id", id)
        .set("client_secret", secret.unwrap_or_default())
        .set("webhook_secret", provider.control().webhook_secret())
        .set("scopes", setting.manifest.provider.scopes.join(" "));
    if let Some(proxy) = &urls.proxy {
        bindings.set("proxy_url", proxy.clone());
    }
    let trust = Trust::within(sandbox.path());
    trust.write(provider).map_err(|e| StageError::Environment(format!("cannot write {}: {e}", trust.ca_file.display())))?;
    bindings.set("ca_file", trust.ca_file.to_string_lossy());
    Ok(())
}

/// Where the subject's messages to its user are to go.
pub(super) fn bind_doors(bindings: &mut Bindings, doors: &Doors, setting: &Setting) {
    let host = setting.manifest.provider.reachable_as.as_deref().unwrap_or("127.0.0.1");
    if let Some(address) = doors.webhook {
        bindings.set("notify_url", format!("http://{host}:{}/", address.port()));
    }
    if let Some(address) = doors.mail {
        bindings.set("smtp_url", format!("smtp://{host}:{}", address.port()));
    }
}

/// Our TLS fronts before the subject's instances, if the manifest asks for one.
pub(super) async fn relays(
    setting: &Setting,
    provider: &Provider,
    bindings: &Bindings,
    instances: &[Instance],
) -> Result<Vec<Relay>, StageError> {
    let mut relays = Vec::new();
    for bound in instances.iter().map(|instance| instance.bound(bindings)) {
        relays.extend(relay(setting, provider, &bound).await?);
    }
    Ok(relays)
}

async fn relay(setting: &Setting, provider: &Provider, bindings: &Bindings) -> Result<Option<Relay>, StageError> {
    if !behind_https(setting) {
        return Ok(None);
    }
    let port = |text: Option<&str>| text.and_then(|text| text.rsplit(':').next()?.parse::<u16>().ok());
    let (Some(front), Some(own)) = (port(bindings.get("base_url")), port(bindings.get("port"))) else {
        return Err(StageError::Harness("the subject has no port".into()));
    };
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    provider.relay(at(front), at(own)).await.map_err(|e| StageError::Environment(format!("https before the subject: {e}")))
}

pub(super) fn behind_https(setting: &Setting) -> bool {
    setting.manifest.start.as_ref().is_some_and(|start| start.https)
}

fn intercepted(setting: &Setting) -> bool {
    !setting.manifest.intercept.is_empty()
}

/// The clean environment, `[start.env]`, and the trust variables of the common runtimes where anything speaks TLS; where Pleo's
/// hosts are intercepted, also those that name the proxy.
pub(super) fn environment(setting: &Setting, sandbox: &Sandbox, bindings: &Bindings) -> Result<BTreeMap<String, String>, StageError> {
    let start = setting.manifest.start.as_ref();
    let mut env = sandbox.env(start.map_or(&[], |s| s.inherit.as_slice()));
    if setting.manifest.provider.tls || intercepted(setting) || behind_https(setting) {
        let variables = Trust::within(sandbox.path()).variables(bindings.get("proxy_url"));
        env.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    if let Some(zone) = &setting.time_zone {
        env.insert("TZ".to_owned(), zone.clone());
    }
    if let Some(start) = start {
        env.extend(bindings.fill_map(&start.env)?);
    }
    Ok(env)
}

pub(super) fn new_agent(
    setting: &Setting,
    provider: &Provider,
    bindings: &Bindings,
    instances: &[Instance],
    token: String,
) -> Result<Agent, StageError> {
    let urls = provider.urls();
    let url = |text: &str| Url::parse(text).map_err(|e| StageError::Harness(format!("{text} is no URL: {e}")));
    let connect_url = match &setting.manifest.connect.verb {
        Verb::Http(call) if call.steps.is_empty() => Some(bindings.fill(&call.url)?),
        _ => None,
    };
    let connect_words = match &setting.manifest.connect.verb {
        Verb::Http(call) => call.steps.iter().filter_map(clicked).map(|text| bindings.fill(text)).collect::<Result<_, _>>()?,
        Verb::Run(_) | Verb::Auto | Verb::Human(_) => Vec::new(),
    };
    let hosts = setting.manifest.intercept.clone();
    let intercepted = urls.proxy.as_deref().map(url).transpose()?.map(|proxy| Intercepted { proxy, hosts });
    let mut reached = Vec::new();
    for bound in instances.iter().map(|instance| instance.bound(bindings)) {
        for name in ["token_url", "api_url"] {
            reached.push(url(bound.get(name).unwrap_or_default())?);
        }
    }
    let setup = AgentSetup {
        authorize_endpoint: url(&urls.authorize)?,
        provider: reached,
        provider_address: None,
        intercepted,
        token,
        ca_pem: provider.ca_pem().map(str::to_owned),
        logins: setting.manifest.logins.clone(),
        connect_url,
        connect_words,
    };
    Agent::new(setup).map_err(|e| StageError::Harness(e.to_string()))
}

fn clicked(step: &Step) -> Option<&String> {
    match step {
        Step::Click(text) => Some(text),
        Step::Fill { submit, .. } => submit.as_ref(),
        Step::Get(_) => None,
    }
}

pub(super) fn scan_plan(setting: &Setting, sandbox: &Sandbox, bindings: &Bindings, log_globs: Vec<String>) -> Result<ScanPlan, StageError> {
    let mut roots = vec![sandbox.path().to_owned()];
    for path in &setting.manifest.storage.paths {
        let path = PathBuf::from(bindings.fill(path)?);
        let path = if path.is_absolute() { path } else { setting.manifest.base_dir.join(path) };
        if !path.starts_with(sandbox.path()) {
            roots.push(path);
        }
    }
    Ok(ScanPlan { roots, log_globs, exclude: Vec::new(), sandbox_root: sandbox.path().to_owned() })
}
