//! From what is written to what is meant.

use std::{fs, path::Path, time::Duration};

use super::{
    AlsoStart, Build, Connect, Disconnect, Features, FixedClient, Logs, Manifest, MemoryMode, Prompt, PromptChannel, ProviderTerms, Reply,
    Role, Start, StatusProbe, Stop, Storage, Trigger, Verb, WorkKind,
    places::{MISSING, Wrong},
    raw::{
        OneOrNames, RawAlsoStart, RawAlsoTrigger, RawDisconnect, RawFeatures, RawLogs, RawManifest, RawMemory, RawPattern, RawPkce,
        RawPrompt, RawProvider, RawReply, RawRestart, RawRole, RawStart, RawStatus, RawStop, RawTrigger, RawVerb, RawWorkKind,
    },
    texts::Texts,
    values::Span,
    verbs,
};
use crate::subject::placeholder::{Piece, pieces};

/// How long the subject may take to be ready, unless told otherwise.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to end, unless told otherwise.
const GRACE: Duration = Duration::from_secs(5);

/// What stories call a subscription that the subject makes itself: a source of work that no manifest names.
pub const OWN_SUBSCRIPTION: &str = "own subscription";

/// The manifest that was meant.
pub(super) fn mean(raw: RawManifest, file: &str, base: &Path, texts: Texts) -> Result<Manifest, Wrong> {
    if raw.name.trim().is_empty() {
        return Err(Wrong::new("name", "`name` is empty").help("write what reports shall call the subject"));
    }
    let memory_declared = raw.features.memory.is_some();
    let manifest = Manifest {
        name: raw.name,
        file: file.to_owned(),
        base_dir: base.to_owned(),
        build: raw.build.map(|build| verbs::program("build.run", build.run).map(|run| Build { run })).transpose()?,
        start: raw.start.map(|start| mean_start(start, base)).transpose()?,
        provider: provider(raw.provider)?,
        replies: raw.api.reply.iter().enumerate().map(|(index, raw)| reply(index, raw, base)).collect::<Result<_, _>>()?,
        logins: logins(raw.login)?,
        connect: Connect {
            verb: verbs::verb("connect", raw.connect.verb())?,
            opens: verbs::opens("connect.opens", &raw.connect)?,
            callback: verbs::callback("connect.callback", raw.connect.callback)?,
        },
        also: raw.trigger.also.iter().enumerate().map(|(index, raw)| also_trigger(index, raw.clone())).collect::<Result<_, _>>()?,
        trigger: trigger(raw.trigger)?,
        work: raw.work.map(|work| work_kind(work.kind)),
        status: raw.status.map(status).transpose()?,
        disconnect: raw.disconnect.map_or(Ok(Disconnect::Undeclared), |raw| disconnect(&raw))?,
        stop: stop(raw.stop)?,
        prompt: raw.prompt.map(|raw| prompt(&raw)).transpose()?,
        settings: probe("settings", raw.settings)?,
        data: probe("data", raw.data)?,
        storage: Storage {
            paths: raw.storage.paths.unwrap_or_else(|| vec!["{state_dir}".into()]),
            dump: verbs::programs("storage.dump", raw.storage.dump)?,
            urls: raw.storage.urls,
        },
        logs: logs(raw.logs)?,
        features: features(raw.features)?,
        not_applicable: raw.not_applicable,
        intercept: raw.intercept.hosts,
        memory_declared,
        port_names: texts.ports,
        literal_port: texts.single,
        unsupported: Vec::new(),
    };
    whole(&manifest)?;
    Ok(manifest)
}

/// What can only be seen by looking at several tables.
fn whole(manifest: &Manifest) -> Result<(), Wrong> {
    if let Some((id, _)) = manifest.not_applicable.iter().find(|(_, reason)| reason.trim().is_empty()) {
        return Err(Wrong::new(format!("not_applicable.{id}"), format!("{id} is declared away without a reason"))
            .help("write why, for the report's readers"));
    }
    let known = || regrant_mock_server::intercept::known_hosts();
    if let Some((index, host)) = manifest.intercept.iter().enumerate().find(|(_, host)| !known().any(|known| known == host.as_str())) {
        return Err(Wrong::new(format!("intercept.hosts[{index}]"), format!("{host:?} is none of Pleo's hosts"))
            .label("not Pleo's")
            .help(format!("these can be answered for: {}", known().collect::<Vec<_>>().join(", "))));
    }
    let by_request = [("connect", &manifest.connect.verb), ("trigger", &manifest.trigger.verb)]
        .into_iter()
        .find(|(_, verb)| !matches!(verb, Verb::Run(_)));
    match (&manifest.start, by_request) {
        (None, Some((key, _))) => Err(Wrong::new("", format!("the manifest lacks [start], and `{key}` is not a program of its own"))
            .help("add [start] with run = [\"python3\", \"app.py\"], or give every verb as run = […]")
            .code(MISSING)),
        (Some(_), _) | (None, None) => Ok(()),
    }
}

fn mean_start(raw: RawStart, base: &Path) -> Result<Start, Wrong> {
    verbs::only_one("start", [("attach", raw.attach.is_some()), ("run", raw.run.is_some())].into_iter())?;
    let cwd = folder("start.cwd", raw.cwd.as_deref(), base)?;
    let also = raw
        .also
        .into_iter()
        .enumerate()
        .map(|(index, also)| also_start(index, also, raw.cwd.as_deref(), base))
        .collect::<Result<_, _>>()?;
    Ok(Start {
        run: raw.run.map(|argv| verbs::program("start.run", argv)).transpose()?,
        attach: raw.attach,
        cwd,
        reset: verbs::programs("start.reset", raw.reset)?,
        prepare: verbs::programs("start.prepare", raw.prepare)?,
        inherit: raw.inherit,
        env: verbs::plain(raw.env),
        ready: verbs::ready("start.ready", raw.ready)?,
        timeout: raw.timeout.map_or(READY, |Span(time)| time),
        restart_on_exit: raw.restart == RawRestart::OnExit,
        reload: raw.reload.map(|reload| verbs::reload("start.reload", &reload)).transpose()?,
        redirect_uri: raw.redirect_uri,
        https: raw.https,
        also,
    })
}

fn also_start(index: usize, raw: RawAlsoStart, start_cwd: Option<&str>, base: &Path) -> Result<AlsoStart, Wrong> {
    let path = format!("start.also[{index}]");
    Ok(AlsoStart {
        cwd: folder(&format!("{path}.cwd"), raw.cwd.as_deref().or(start_cwd), base)?,
        run: verbs::program(&format!("{path}.run"), raw.run)?,
        name: raw.name,
        env: verbs::plain(raw.env),
        role: match raw.role {
            RawRole::Subject => Role::Subject,
            RawRole::Service => Role::Service,
        },
        ready: verbs::ready(&format!("{path}.ready"), raw.ready)?,
        timeout: raw.timeout.map_or(READY, |Span(time)| time),
    })
}

/// A folder relative to the manifest; one with a placeholder exists in the sandbox only.
fn folder(path: &str, cwd: Option<&str>, base: &Path) -> Result<std::path::PathBuf, Wrong> {
    let cwd = cwd.unwrap_or(".");
    let whole = if cwd == "." { base.to_owned() } else { base.join(cwd) };
    let templated = pieces(cwd).iter().any(|piece| matches!(piece, Piece::Name(_)));
    if templated || whole.is_dir() {
        return Ok(whole);
    }
    Err(Wrong::new(path, format!("the folder {cwd:?} does not exist"))
        .label("no such folder")
        .help("it is relative to the manifest's own folder"))
}

fn provider(raw: RawProvider) -> Result<ProviderTerms, Wrong> {
    let listen = raw.listen.map(|text| text.parse().map_err(|_| no_address(&text))).transpose()?;
    let client = raw.client.map(|client| FixedClient { id: client.id, secret: client.secret });
    let pkce_optional = raw.pkce == RawPkce::Optional;
    Ok(ProviderTerms { tls: raw.tls, listen, reachable_as: raw.reachable_as, client, scopes: raw.scopes, pkce_optional })
}

fn no_address(text: &str) -> Wrong {
    Wrong::new("provider.listen", format!("{text:?} is no address with a port")).help("for example: listen = \"127.0.0.1:4010\"")
}

fn reply(index: usize, raw: &RawReply, base: &Path) -> Result<Reply, Wrong> {
    let path = format!("api.reply[{index}]");
    let Some((method, target)) = raw.on.split_once(' ').filter(|(_, target)| target.starts_with('/')) else {
        let wrong = Wrong::new(format!("{path}.on"), format!("{:?} is no method with a path", raw.on));
        return Err(wrong.help("for example: on = \"POST /v1/accounting-entries:search\""));
    };
    let json = match &raw.json {
        serde_json::Value::String(name) => {
            let unread = |reason: String| Wrong::new(format!("{path}.json"), format!("{name} cannot be read: {reason}"));
            let text = fs::read_to_string(base.join(name)).map_err(|error| unread(error.to_string()))?;
            serde_json::from_str(&text).map_err(|error| unread(format!("it is not JSON: {error}")))?
        }
        value => value.clone(),
    };
    Ok(Reply { method: method.to_owned(), path: target.to_owned(), status: raw.status.unwrap_or(200), json })
}

fn logins(raw: Vec<super::raw::RawLogin>) -> Result<Vec<Vec<super::Step>>, Wrong> {
    raw.into_iter().enumerate().map(|(index, login)| verbs::steps(&format!("login[{index}].steps"), login.steps)).collect()
}

fn trigger(raw: RawTrigger) -> Result<Trigger, Wrong> {
    let verb = verbs::verb("trigger", raw.verb())?;
    source("trigger", "trigger".into(), verb, raw.accepted, raw.refused, raw.done, raw.exits, false)
}

fn also_trigger(index: usize, raw: RawAlsoTrigger) -> Result<Trigger, Wrong> {
    let path = format!("trigger.also[{index}]");
    if raw.name.is_empty() || raw.name == "trigger" {
        return Err(Wrong::new(&path, format!("`{path}` lacks a `name` of its own")).help("for example: name = \"webhook\"").code(MISSING));
    }
    if raw.name == OWN_SUBSCRIPTION {
        let wrong = Wrong::new(
            format!("{path}.name"),
            format!("{OWN_SUBSCRIPTION:?} is what a subscription that the subject makes itself is called"),
        );
        return Err(wrong.help("leave this source out: it is one by itself; or give it another name"));
    }
    let verb = verbs::verb(&path, raw.verb())?;
    let one_request = matches!(&verb, Verb::Http(call) if call.steps.is_empty());
    if raw.signed && !one_request {
        let wrong = Wrong::new(format!("{path}.signed"), "only a request can be signed").label("nothing to sign");
        return Err(wrong.help("write http = \"POST {base_url}/webhooks/pleo\", or leave `signed` out"));
    }
    source(&path, raw.name, verb, raw.accepted, raw.refused, raw.done, raw.exits, raw.signed)
}

#[allow(clippy::too_many_arguments, reason = "the keys that both tables share, named one by one")]
fn source(
    path: &str,
    name: String,
    verb: Verb,
    accepted: Option<RawPattern>,
    refused: Option<RawPattern>,
    done: Option<super::raw::RawDone>,
    exits: Option<Vec<i32>>,
    signed: bool,
) -> Result<Trigger, Wrong> {
    let said = |key: &str, raw: Option<RawPattern>| raw.map(|raw| verbs::pattern(&format!("{path}.{key}"), raw)).transpose();
    let (accepted, refused) = (said("accepted", accepted)?, said("refused", refused)?);
    let done = done.map(|raw| verbs::done(&format!("{path}.done"), raw)).transpose()?;
    Ok(Trigger { name, verb, accepted, refused, done, exits: exits.unwrap_or_else(|| vec![0]), signed })
}

fn work_kind(raw: RawWorkKind) -> WorkKind {
    match raw {
        RawWorkKind::Export => WorkKind::Export,
        RawWorkKind::Read => WorkKind::Read,
        RawWorkKind::Push => WorkKind::Push,
    }
}

fn status(raw: RawStatus) -> Result<StatusProbe, Wrong> {
    let verb = verbs::verb("status", raw.verb())?;
    let said = |key: &str, raw: Option<RawPattern>| raw.map(|raw| verbs::pattern(&format!("status.{key}"), raw)).transpose();
    Ok(StatusProbe {
        verb,
        connected: said("connected", raw.connected)?,
        disconnected: said("disconnected", raw.disconnected)?,
        broken: said("broken", raw.broken)?,
        count: raw.count.map(|raw| verbs::count("status.count", raw)).transpose()?,
    })
}

fn disconnect(raw: &RawDisconnect) -> Result<Disconnect, Wrong> {
    let none = raw.none == Some(true);
    match verbs::verb_or("disconnect", raw.verb(), &[("none", none)])? {
        Some(verb) => Ok(Disconnect::Verb(verb)),
        None if none => Ok(Disconnect::Absent),
        None => verbs::verb("disconnect", RawVerb::default()).map(Disconnect::Verb),
    }
}

fn stop(raw: RawStop) -> Result<Stop, Wrong> {
    let replacement = |key: &str, raw: Option<RawVerb>| raw.map(|raw| verbs::verb(&format!("stop.{key}"), raw)).transpose();
    Ok(Stop {
        how: verbs::stop(&raw)?,
        grace: raw.grace.map_or(GRACE, |Span(time)| time),
        kill: replacement("kill", raw.kill)?,
        pause: replacement("pause", raw.pause)?,
        resume: replacement("resume", raw.resume)?,
        cleanup: verbs::programs("stop.cleanup", raw.cleanup)?,
    })
}

fn prompt(raw: &RawPrompt) -> Result<Prompt, Wrong> {
    let (webhook, mail) = (raw.webhook == Some(true), raw.mail == Some(true));
    // A line of log or a message may stand beside a page.
    let has_verb = verbs::verb_or("prompt", raw.verb(), &[]).is_ok_and(|verb| verb.is_some());
    let others = [("log", raw.log.is_some() && !has_verb), ("webhook", webhook && !has_verb), ("mail", mail && !has_verb)];
    let channel = match (verbs::verb_or("prompt", raw.verb(), &others)?, &raw.log) {
        (Some(verb), _) => PromptChannel::Verb(verb),
        (None, Some(pattern)) => PromptChannel::Log(pattern.0.clone()),
        (None, None) if webhook => PromptChannel::Webhook,
        (None, None) if mail => PromptChannel::Mail,
        (None, None) => PromptChannel::Verb(verbs::verb("prompt", RawVerb::default())?),
    };
    Ok(Prompt {
        channel,
        log: raw.log.clone().map(|pattern| pattern.0),
        webhook,
        mail,
        says: raw.says.clone().map(|pattern| pattern.0),
        from: raw.from.clone(),
    })
}

fn probe(path: &str, raw: Option<RawVerb>) -> Result<Option<Verb>, Wrong> {
    raw.map(|raw| verbs::verb(path, raw)).transpose()
}

fn logs(raw: RawLogs) -> Result<Logs, Wrong> {
    Ok(Logs {
        files: raw.files,
        otlp: raw.otlp,
        refresh_failed: verbs::log_pattern("logs.refresh_failed", raw.refresh_failed)?,
        detected: verbs::log_pattern("logs.detected", raw.detected)?,
        reauthentication: verbs::log_pattern("logs.reauthentication", raw.reauthentication)?,
    })
}

/// More instances would show nothing that these do not.
const MOST_PROCESSES: u32 = 8;

fn features(raw: RawFeatures) -> Result<Features, Wrong> {
    let attempts = raw.refresh_attempts.unwrap_or(1);
    if !(1..=3).contains(&attempts) {
        return Err(
            Wrong::new("features.refresh_attempts", format!("{attempts} is not between 1 and 3")).help("for example: refresh_attempts = 1")
        );
    }
    if let Some(count) = raw.processes.filter(|count| !(1..=MOST_PROCESSES).contains(count)) {
        let wrong = Wrong::new("features.processes", format!("{count} is not between 1 and {MOST_PROCESSES}"));
        return Err(wrong.help("for example: processes = 2"));
    }
    let connections = match raw.connections {
        None => None,
        Some(OneOrNames::Number(1)) => Some(Vec::new()),
        Some(OneOrNames::Names(names)) if !names.is_empty() => Some(names),
        Some(OneOrNames::Number(_) | OneOrNames::Names(_)) => {
            return Err(Wrong::new("features.connections", "the connections need names")
                .help("for example: connections = [\"acme\", \"globex\"]; or connections = 1"));
        }
    };
    Ok(Features {
        confidential: raw.confidential,
        processes: raw.processes,
        connections,
        period: raw.period.map(|period| period.0),
        refresh_attempts: attempts,
        token_timeout: raw.token_timeout.map(|Span(time)| time),
        memory: match raw.memory {
            Some(RawMemory::Off) => MemoryMode::Off,
            Some(RawMemory::Strict) => MemoryMode::Strict,
            Some(RawMemory::Report) | None => MemoryMode::Report,
        },
    })
}
