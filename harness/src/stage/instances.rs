//! The instances of the subject that share one store: each has a port of its own, and addresses of the provider that only it was given,
//! so that the wire tells who called. Users and probes turn to the first; work is asked of all in turn.

use std::collections::BTreeMap;

use regrant_mock_server::{Provider, Urls};
use url::Url;

use super::{Setting, StageError, cast::Cast, setup};
use crate::{
    evidence,
    subject::{Bindings, Driver, PortLease, Sandbox, lease_port, manifest::Verb},
};

/// The placeholders that mean something else in each instance. `{redirect_uri}` and `{port:NAME}` are shared.
const OWN: &[&str] = &["process", "port", "base_url", "token_url", "introspect_url", "api_url", "proxy_url"];

/// One instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Instance {
    /// What its placeholders stand for, where that is not what they stand for in the first.
    own: Vec<(&'static str, String)>,
    /// The environment of its programs.
    pub(super) env: BTreeMap<String, String>,
}

/// How many are started for a story: all that the manifest declares, where it needs several; else one.
pub(super) fn wanted(setting: &Setting, processes: u32) -> usize {
    if processes < 2 { 1 } else { setting.manifest.features.processes.unwrap_or(1).max(1) as usize }
}

impl Instance {
    /// As many as are wanted, each with its number and its port.
    pub(super) fn lease(count: usize, ports: &mut Vec<PortLease>) -> Result<Vec<Self>, StageError> {
        let mut all = vec![Self::default()];
        for number in 1..count {
            let port = lease_port().map_err(|e| StageError::Environment(e.to_string()))?;
            let base_url = format!("http://127.0.0.1:{}", port.port());
            let own = vec![("process", number.to_string()), ("port", port.port().to_string()), ("base_url", base_url)];
            ports.push(port);
            all.push(Self { own, env: BTreeMap::new() });
        }
        Ok(all)
    }

    /// TLS stands before it.
    pub(super) fn fronted(&mut self, front: u16) {
        self.set("base_url", format!("https://127.0.0.1:{front}"));
    }

    /// Its own addresses of the provider.
    fn reaches(&mut self, urls: &Urls) {
        self.set("token_url", urls.token.clone());
        self.set("introspect_url", urls.introspect.clone());
        self.set("api_url", urls.api.clone());
        if let Some(proxy) = &urls.proxy {
            self.set("proxy_url", proxy.clone());
        }
    }

    /// To other ports; the provider stays where it is.
    pub(super) fn moves(&mut self, to: Self) {
        for (name, value) in to.own {
            self.set(name, value);
        }
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.own.retain(|(known, _)| *known != name);
        self.own.push((name, value));
    }

    /// The placeholders as it sees them.
    pub(super) fn bound(&self, bindings: &Bindings) -> Bindings {
        let mut bound = bindings.clone();
        for (name, value) in &self.own {
            bound.set(*name, value.clone());
        }
        bound
    }
}

/// Gives each further instance addresses of the provider that only it knows. The ports by which each, the first included, can be told.
pub(super) async fn open_doors(provider: &mut Provider, instances: &mut [Instance]) -> Result<Vec<Vec<u16>>, StageError> {
    if instances.len() < 2 {
        return Ok(Vec::new());
    }
    let mut doors = vec![ports(provider.urls())];
    for instance in instances.iter_mut().skip(1) {
        let urls = provider.open_door().await;
        let urls = urls.map_err(|e| StageError::Environment(format!("the mock provider cannot be reached at one more port: {e}")))?;
        instance.reaches(&urls);
        doors.push(ports(&urls));
    }
    Ok(doors)
}

fn ports(urls: &Urls) -> Vec<u16> {
    let port = |url: &str| Url::parse(url).ok().and_then(|url| url.port_or_known_default());
    [Some(urls.api.as_str()), urls.proxy.as_deref()].into_iter().flatten().filter_map(port).collect()
}

impl Cast {
    /// Every instance, by its number.
    pub(super) fn all_instances(&self) -> std::ops::Range<usize> {
        0..self.instances.len()
    }

    /// What evidence calls it; nothing where there is only one.
    pub(super) fn instance_named(&self, instance: usize) -> Option<evidence::Instance> {
        (self.instances.len() > 1).then(|| u32::try_from(instance).ok()).flatten()
    }

    /// Those that can be asked for something: one that is stopped where it is, or was killed, cannot, unless there is no other.
    pub(super) fn moving_instances(&self) -> Vec<usize> {
        let moving: Vec<usize> = self.all_instances().filter(|it| !self.paused.contains(it) && !self.dead.contains(it)).collect();
        if moving.is_empty() { self.all_instances().collect() } else { moving }
    }

    /// The instance whose turn it is.
    pub(super) fn next_instance(&mut self) -> usize {
        let moving = self.moving_instances();
        let from = self.turn % self.instances.len().max(1);
        let turn = moving.iter().copied().find(|instance| *instance >= from).or(moving.first().copied()).unwrap_or_default();
        self.turn = turn + 1;
        turn
    }

    /// These placeholders as an instance sees them.
    pub(super) fn bound_as(&self, instance: usize, bindings: &Bindings) -> Bindings {
        self.instances.get(instance).map_or_else(|| bindings.clone(), |it| it.bound(bindings))
    }

    /// Who performs the verbs of an instance.
    pub(super) fn driver_of(&self, instance: usize) -> Driver {
        let env = self.instances.get(instance).map(|it| it.env.clone());
        Driver { env: env.unwrap_or_else(|| self.driver.env.clone()), ..self.driver.clone() }
    }

    /// Makes the environments anew, after a placeholder has changed.
    pub(super) fn renew_environments(&mut self) -> Result<(), StageError> {
        for instance in self.all_instances() {
            let bound = self.bound_as(instance, &self.bindings);
            let env = setup::environment(&self.setting, &self.sandbox, &bound)?;
            if instance == 0 {
                self.driver.env.clone_from(&env);
            }
            if let Some(it) = self.instances.get_mut(instance) {
                it.env = env;
            }
        }
        Ok(())
    }

    /// Those that a verb must be performed for: each, if it speaks to one; else it is for all.
    pub(super) fn meant_by(&self, verb: &Verb) -> std::ops::Range<usize> {
        let written = format!("{verb:?}");
        let one = OWN.iter().any(|name| written.contains(&format!("{{{name}}}")));
        if one { self.all_instances() } else { 0..1 }
    }
}

/// First bindings, and what of them each instance sees otherwise.
pub(super) fn first_bindings(
    setting: &Setting,
    sandbox: &Sandbox,
    count: usize,
) -> Result<(Bindings, Vec<Instance>, Vec<PortLease>), StageError> {
    let (bindings, mut ports) = setup::first_bindings(setting, sandbox)?;
    let mut instances = Instance::lease(count, &mut ports)?;
    if setup::behind_https(setting) {
        for instance in instances.iter_mut().skip(1) {
            let front = lease_port().map_err(|e| StageError::Environment(e.to_string()))?;
            instance.fronted(front.port());
            ports.push(front);
        }
    }
    Ok((bindings, instances, ports))
}
