//! serde's complaints in the words of a person who writes a manifest.

use toml::{Table, Value};

use super::{
    places::{MISSING, UNKNOWN_KEY, Wrong},
    raw::RawManifest,
};
use crate::subject::placeholder::nearest;

/// How each key is written; `*.` stands for any table. A key that is wrong is answered with its line from here.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("contract", "contract = 1"),
    ("name", "name = \"crm-sync\""),
    ("build", "[build] with run = [\"npm\", \"ci\"]"),
    ("build.run", "run = [\"npm\", \"ci\"]"),
    ("start", "[start] with run = [\"python3\", \"app.py\"]"),
    ("start.run", "run = [\"python3\", \"app.py\"]"),
    ("start.attach", "attach = \"http://127.0.0.1:8080\""),
    ("start.cwd", "cwd = \".\""),
    ("start.reset", "reset = [[\"dropdb\", \"--if-exists\", \"crm_{run_id}\"]]"),
    ("start.prepare", "prepare = [[\"./migrate\"]]"),
    ("start.inherit", "inherit = [\"AWS_PROFILE\"]"),
    ("start.env", "[start.env] with TOKEN_URL = \"{token_url}\""),
    ("start.ready", "ready = \"{base_url}/\", or { tcp = \"{port}\" }, { log = \"regex\" }, \"exit\""),
    ("start.ready.http", "ready = { http = \"{base_url}/\" }"),
    ("start.ready.tcp", "ready = { tcp = \"{port}\" }"),
    ("start.ready.log", "ready = { log = \"listening on\" }"),
    ("start.timeout", "timeout = \"30s\""),
    ("start.restart", "restart = \"on-exit\""),
    ("start.reload", "reload = { signal = \"HUP\" }"),
    ("start.redirect_uri", "redirect_uri = \"{base_url}/callback\""),
    ("start.https", "https = true"),
    ("start.also", "[[start.also]] with name = \"queue\" and run = [\"php\", \"artisan\", \"queue:work\"]"),
    ("start.also.name", "name = \"queue\""),
    ("start.also.run", "run = [\"php\", \"artisan\", \"queue:work\"]"),
    ("start.also.role", "role = \"service\""),
    ("start.also.timeout", "timeout = \"30s\""),
    ("provider.tls", "tls = true"),
    ("provider.listen", "listen = \"127.0.0.1:4010\""),
    ("provider.reachable_as", "reachable_as = \"host.docker.internal\""),
    ("provider.client", "client = { id = \"my-client\", secret = \"my-secret\" }"),
    ("provider.scopes", "scopes = [\"export-jobs:read\"]"),
    ("provider.pkce", "pkce = \"optional\""),
    ("api.reply", "[[api.reply]] with on = \"GET /v1/tags\" and json = []"),
    ("api.reply.on", "on = \"POST /v1/accounting-entries:search\""),
    ("api.reply.json", "json = \"fixtures/entries.json\""),
    ("login", "[[login]] with steps = [{ get = \"{base_url}/login\" }]"),
    ("login.steps", "steps = [{ get = \"{base_url}/login\" }, { fill = { password = \"test\" }, submit = \"Log in\" }]"),
    ("connect", "[connect] with http = \"GET {base_url}/connect\""),
    ("connect.opens", "opens = { json = \"/url\" }"),
    ("connect.callback", "callback = { run = [\"./cli\", \"finish\", \"{callback_url}\"] }"),
    ("trigger", "[trigger] with http = \"POST {base_url}/sync\""),
    ("trigger.accepted", "accepted = { status = \"2xx\" }"),
    ("trigger.refused", "refused = { status = [302, 401, 409, 503] }"),
    ("trigger.done", "done = { poll = \"{base_url}/jobs/{item_id}\", json = \"/state\", is = \"done\" }"),
    ("trigger.exits", "exits = [0, 75]"),
    ("trigger.also", "[[trigger.also]] with name = \"webhook\" and http = \"POST {base_url}/webhooks/pleo\""),
    ("work", "[work] with kind = \"export\""),
    ("work.kind", "kind = \"export\""),
    ("status", "[status] with http = \"GET {base_url}/status\""),
    ("status.connected", "connected = { json = \"/state\", is = \"connected\" }"),
    ("status.disconnected", "disconnected = { json = \"/state\", is = \"needs_reauth\" }"),
    ("status.broken", "broken = { json = \"/state\", is = \"error\" }"),
    ("status.count", "count = { json = \"/connections\", length = true }"),
    ("disconnect", "[disconnect] with http = \"POST {base_url}/disconnect\", or none = true"),
    ("stop.signal", "signal = \"TERM\""),
    ("stop.grace", "grace = \"5s\""),
    ("stop.kill", "kill = { run = [\"docker\", \"kill\", \"crm-{run_id}\"] }"),
    ("stop.cleanup", "cleanup = [[\"docker\", \"compose\", \"-p\", \"{run_id}\", \"down\", \"-v\"]]"),
    ("prompt", "[prompt] with http = \"GET {base_url}/\""),
    ("prompt.log", "log = \"please reconnect\""),
    ("prompt.says", "says = \"reconnect|access expired\""),
    ("prompt.from", "from = \"/deep/page?x=1\""),
    ("settings", "[settings] with http = \"GET {base_url}/settings\""),
    ("data", "[data] with http = \"GET {base_url}/records\""),
    ("storage.paths", "paths = [\"{state_dir}\"]"),
    ("storage.dump", "dump = [[\"redis-cli\", \"-p\", \"{port:redis}\", \"--scan\"]]"),
    ("storage.urls", "urls = [\"postgres://127.0.0.1/crm_{run_id}\"]"),
    ("logs.files", "files = [\"{state_dir}/logs/*.log\"]"),
    ("logs.otlp", "otlp = true"),
    ("logs.refresh_failed", "refresh_failed = \"token refresh failed\""),
    ("logs.detected", "detected = \"connection lost\""),
    ("logs.reauthentication", "reauthentication = \"asked to reconnect\""),
    ("features.confidential", "confidential = true"),
    ("features.processes", "processes = 2"),
    ("features.connections", "connections = [\"acme\", \"globex\"]"),
    ("features.period", "period = \"2s\""),
    ("features.refresh_attempts", "refresh_attempts = 1"),
    ("features.token_timeout", "token_timeout = \"30s\""),
    ("features.memory", "memory = \"report\""),
    ("not_applicable", "[not_applicable] with \"PROMPT-04\" = \"headless service; the operator is paged\""),
    ("intercept.hosts", "hosts = [\"auth.pleo.io\", \"external.pleo.io\"]"),
    ("*.http", "http = \"GET {base_url}/path\""),
    ("*.run", "run = [\"program\", \"argument\"]"),
    ("*.steps", "steps = [{ get = \"{base_url}/\" }, { click = \"Connect Pleo\" }]"),
    ("*.auto", "auto = true"),
    ("*.human", "human = \"Press Connect\""),
    ("*.headers", "headers = { X-Tenant = \"acme\" }"),
    ("*.form", "form = { id = \"{item_id}\" }"),
    ("*.fill", "fill = { email = \"test@example.test\" }"),
    ("*.exit", "exit = 3"),
    ("*.status", "status = [302, 401]"),
    ("*.text", "text = \"regex\""),
];

/// Reads a table into the manifest's shape.
pub(super) fn shape(table: &Table) -> Result<RawManifest, Wrong> {
    contract(table)?;
    serde_path_to_error::deserialize(Value::Table(table.clone())).map_err(|error| {
        let path = error.path().to_string();
        reword(table, if path == "." { "" } else { &path }, error.inner().message())
    })
}

/// The line that shows how a key is written: by its whole path, else by its last word.
pub(super) fn example(path: &str) -> Option<&'static str> {
    let plain = without_places(path);
    let last = plain.rsplit('.').next().unwrap_or_default();
    let line = |wanted: &str| EXAMPLES.iter().find(|(key, _)| *key == wanted).map(|(_, line)| *line);
    line(&plain).or_else(|| line(&format!("*.{last}")).filter(|_| plain.contains('.')))
}

fn contract(table: &Table) -> Result<(), Wrong> {
    match table.get("contract") {
        Some(Value::Integer(1)) => Ok(()),
        Some(other) => {
            Err(Wrong::new("contract", format!("this release reads contract 1, not {other}")).label("not 1").help("write contract = 1"))
        }
        None => Err(Wrong::new("", "`contract` is missing").help("begin the file with contract = 1").code(MISSING)),
    }
}

fn reword(table: &Table, path: &str, message: &str) -> Wrong {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (true, Some((unknown, known))) = (message.starts_with("unknown field"), quoted.split_first()) {
        return unknown_key(table, path, unknown, known);
    }
    if let (true, Some((unknown, known))) = (message.starts_with("unknown variant"), quoted.split_first()) {
        let near = nearest(unknown, known.iter().copied());
        let help = near.map_or_else(
            || format!("one of: {}", known.join(", ")),
            |near| format!("did you mean \"{near}\"? One of: {}", known.join(", ")),
        );
        return Wrong::new(path, format!("`{path}` cannot be {unknown:?}")).label("not known").help(help);
    }
    if let (true, Some(missing)) = (message.starts_with("missing field"), quoted.first()) {
        let whole = if path.is_empty() { (*missing).to_owned() } else { format!("{path}.{missing}") };
        let place = if path.is_empty() { "the manifest".to_owned() } else { format!("`{path}`") };
        let wrong = Wrong::new(path, format!("{place} lacks `{missing}`")).label("in here").code(MISSING);
        return with_example(wrong, &whole, "add");
    }
    let wrong = match message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
    {
        Some((found, expected)) => {
            let (found, expected) = (plain_type(found), plain_type(expected));
            Wrong::new(path, format!("`{path}` must be {expected}, not {found}")).label(format!("expected {expected}"))
        }
        None => Wrong::new(path, format!("`{path}`: {message}")),
    };
    with_example(wrong, path, "for example")
}

fn unknown_key(table: &Table, path: &str, unknown: &str, known: &[&str]) -> Wrong {
    // The path of a list's element ends with the element, that of a table with the unknown key.
    let own = path.rsplit(['.', ']']).next() == Some(unknown) || path == unknown;
    let whole = if own || path.is_empty() { path.to_owned() } else { format!("{path}.{unknown}") };
    let whole = if whole.is_empty() { unknown.to_owned() } else { whole };
    let near = nearest(unknown, known.iter().copied());
    let parent = whole.strip_suffix(unknown).unwrap_or_default().trim_end_matches('.');
    let wherein = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
    let wrong = match &near {
        Some(near) => Wrong::new(&whole, format!("unknown key `{unknown}`{wherein}, did you mean `{near}`?")),
        None => Wrong::new(&whole, format!("unknown key `{unknown}`{wherein}")),
    };
    let taken = table_at(table, parent);
    let free: Vec<&str> = known.iter().copied().filter(|key| taken.is_none_or(|taken| !taken.contains_key(*key))).collect();
    let help = if free.is_empty() {
        "there are no further keys here".to_owned()
    } else {
        format!("keys that can stand here: {}", free.join(", "))
    };
    wrong.label("not known").help(help).code(UNKNOWN_KEY)
}

fn with_example(wrong: Wrong, path: &str, word: &str) -> Wrong {
    match example(path) {
        Some(line) => wrong.help(format!("{word}: {line}")),
        None => wrong,
    }
}

fn table_at<'t>(table: &'t Table, path: &str) -> Option<&'t Table> {
    path.split('.').filter(|word| !word.is_empty()).try_fold(table, |table, word| table.get(word)?.as_table())
}

/// `start.also[0].name` without the numbers.
fn without_places(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            inside = *c == '[' || (inside && *c != ']');
            !inside && *c != ']'
        })
        .collect()
}

/// serde's names of types in plain words.
fn plain_type(name: &str) -> String {
    match name {
        "u16" | "u32" | "u64" | "i32" | "i64" => "a whole number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" | "sequence" => "a list".into(),
        "a map" | "map" => "a table".into(),
        other if other.starts_with("struct ") => "a table".into(),
        other => other
            .strip_prefix("string ")
            .map(|text| format!("the string {text}"))
            .or_else(|| other.strip_prefix("integer ").map(|number| format!("the number {}", number.trim_matches('`'))))
            .or_else(|| other.strip_prefix("floating point ").map(|number| format!("the number {}", number.trim_matches('`'))))
            .or_else(|| other.strip_prefix("boolean ").map(|truth| truth.trim_matches('`').to_owned()))
            .unwrap_or_else(|| other.to_owned()),
    }
}
