//! Every text of a manifest, walked once: placeholders, ports by name, addresses, whatever forbids two sandboxes at a time.

use std::{collections::BTreeSet, net::IpAddr};

use regex::Regex;
use toml::{Table, Value};
use url::Url;

use super::places::Wrong;
use crate::subject::placeholder::{NAMES, Piece, nearest, pieces};

/// What the texts say together.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Names in `{port:NAME}`.
    pub(super) ports: BTreeSet<String>,
    /// Why only one sandbox can run at a time.
    pub(super) single: Option<String>,
    /// Pleo's hosts are intercepted.
    intercepts: bool,
    /// `prompt.webhook` and `prompt.mail`.
    webhook: bool,
    mail: bool,
}

/// Texts that are no templates: patterns and words for people.
const VERBATIM: &[&str] =
    &["name", "human", "log", "text", "says", "is", "refresh_failed", "detected", "reauthentication", "on", "inherit"];
/// Tables without templates.
const VERBATIM_TABLES: &[&str] = &["not_applicable", "api", "build", "features", "intercept", "provider"];
/// Keys that hold an address that the harness itself goes to.
const ADDRESSES: &[&str] = &["http", "poll", "get", "ready", "attach", "urls"];
/// Placeholders that have a value in some places only, or, in this release, nowhere.
const LOCAL: &[(&str, &[&str], &str)] = &[
    ("callback_url", &["connect.callback"], "it has a value in connect.callback only"),
    ("item_id", &["trigger"], "it has a value in [trigger] and [[trigger.also]] only"),
    ("otlp_url", &[], "this release serves none; logs are read from files, stdout and stderr"),
];

/// Checks all texts.
pub(super) fn check(table: &Table) -> Result<Texts, Wrong> {
    let hosts = table.get("intercept").and_then(|table| table.get("hosts")).and_then(Value::as_array);
    let told_by = |key: &str| table.get("prompt").and_then(|prompt| prompt.get(key)).and_then(Value::as_bool) == Some(true);
    let mut texts = Texts {
        intercepts: hosts.is_some_and(|hosts| !hosts.is_empty()),
        webhook: told_by("webhook"),
        mail: told_by("mail"),
        ..Texts::default()
    };
    for (key, value) in table {
        if VERBATIM_TABLES.contains(&key.as_str()) {
            listen(key, value, &mut texts);
        } else {
            walk(key, key, value, &mut texts)?;
        }
    }
    Ok(texts)
}

fn listen(key: &str, value: &Value, texts: &mut Texts) {
    let fixed = value.get("listen").and_then(Value::as_str).filter(|address| key == "provider" && !address.ends_with(":0"));
    if let Some(address) = fixed {
        texts.single.get_or_insert_with(|| format!("`provider.listen` is the fixed address {address}"));
    }
}

fn walk(path: &str, key: &str, value: &Value, texts: &mut Texts) -> Result<(), Wrong> {
    match value {
        Value::String(text) if !is_verbatim(path, key) => check_text(path, key, text, texts),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| walk(&format!("{path}[{index}]"), key, item, texts)),
        Value::Table(table) => table.iter().try_for_each(|(inner, item)| walk(&format!("{path}.{inner}"), inner, item, texts)),
        Value::Integer(number) => {
            literal_port_variable(path, key, &number.to_string(), texts);
            Ok(())
        }
        Value::String(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Ok(()),
    }
}

fn is_verbatim(path: &str, key: &str) -> bool {
    VERBATIM.contains(&key) && !is_free(path) || path.starts_with("logs.") && key != "files" && !path.starts_with("logs.files")
}

/// Variables, headers and fields are called what their program likes: `get` in [start.env] is no address.
fn is_free(path: &str) -> bool {
    [".env.", ".form.", ".headers.", ".json.", ".fill."].iter().any(|table| path.contains(table))
}

fn check_text(path: &str, key: &str, text: &str, texts: &mut Texts) -> Result<(), Wrong> {
    for piece in pieces(text) {
        if let Piece::Name(name) = piece {
            check_name(path, name, texts)?;
            texts.ports.extend(name.strip_prefix("port:").map(str::to_owned));
        }
    }
    if ADDRESSES.contains(&key) && !is_free(path) {
        check_address(path, key, text)?;
    }
    if let Some(port) = literal_port(text) {
        texts.single.get_or_insert_with(|| format!("`{path}` has the literal address {port}"));
    }
    if key == "urls" && !["{run_id}", "{port:", "{state_dir}"].iter().any(|own| text.contains(own)) {
        texts.single.get_or_insert_with(|| format!("`{path}` names a store without {{run_id}} or {{port:…}}"));
    }
    literal_port_variable(path, key, text, texts);
    Ok(())
}

fn check_name(path: &str, name: &str, texts: &Texts) -> Result<(), Wrong> {
    if name.starts_with("port:") {
        return Ok(());
    }
    if !NAMES.contains(&name) {
        let near = nearest(name, NAMES.iter().copied());
        let question = near.map_or_else(String::new, |near| format!(", did you mean {{{near}}}?"));
        let help = format!("known: {}; for a literal {{{name}}} write {{{{{name}}}}}", NAMES.map_braces());
        return Err(Wrong::new(path, format!("unknown placeholder {{{name}}}{question}")).help(help).code("manifest::unknown_placeholder"));
    }
    let without = match name {
        "proxy_url" if !texts.intercepts => Some("where [intercept] names hosts"),
        "notify_url" if !texts.webhook => Some("where [prompt] says webhook = true"),
        "smtp_url" if !texts.mail => Some("where [prompt] says mail = true"),
        _ => None,
    };
    if let Some(condition) = without {
        let message = format!("{{{name}}} has no value here: it has one {condition}");
        return Err(Wrong::new(path, message).code("manifest::unknown_placeholder"));
    }
    match LOCAL.iter().find(|(local, places, _)| *local == name && !places.iter().any(|place| path.starts_with(place))) {
        Some((_, _, reason)) => {
            Err(Wrong::new(path, format!("{{{name}}} has no value here: {reason}")).code("manifest::unknown_placeholder"))
        }
        None => Ok(()),
    }
}

trait Braces {
    fn map_braces(&self) -> String;
}

impl Braces for [&str] {
    fn map_braces(&self) -> String {
        self.iter().map(|name| format!("{{{name}}}")).chain(["{port:NAME}".to_owned()]).collect::<Vec<_>>().join(" ")
    }
}

fn check_address(path: &str, key: &str, text: &str) -> Result<(), Wrong> {
    if key == "ready" && text == "exit" {
        return Ok(());
    }
    let address = match (key, text.split_once(' ')) {
        ("http", Some((_, address))) => address.trim(),
        _ => text,
    };
    if address.starts_with('/') {
        return Err(Wrong::new(path, format!("{address:?} is a path, not an address")).help(format!("write {{base_url}}{address}")));
    }
    let filled: String = pieces(address)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Name(name) if name.ends_with("_url") => "http://127.0.0.1:9",
            Piece::Name("redirect_uri") => "http://127.0.0.1:9/",
            Piece::Name(name) if name.starts_with("port") => "9",
            Piece::Name(_) => "x",
        })
        .collect();
    let url = Url::parse(&filled)
        .map_err(|error| Wrong::new(path, format!("{address:?} is no address: {error}")).help("write one such as {base_url}/path"))?;
    if key != "urls" && !matches!(url.scheme(), "http" | "https") {
        return Err(Wrong::new(path, format!("{address:?} is no http address")).help("write one such as {base_url}/path"));
    }
    match url.host_str() {
        Some(host) if !is_loopback(host) => {
            let message = format!("{address:?} is not on this machine: only loopback addresses are driven");
            Err(Wrong::new(path, message).label("not loopback").help("run the subject here and write {base_url}, or 127.0.0.1"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a host means this machine.
pub(in crate::subject) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let named = bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost");
    named || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn literal_port(text: &str) -> Option<String> {
    let pattern = Regex::new(r"(?i)(127\.\d+\.\d+\.\d+|localhost|\[::1\]|0\.0\.0\.0):\d+").ok()?;
    pattern.find(text).map(|found| found.as_str().to_owned())
}

/// `PORT = "8080"` is as literal as an address.
fn literal_port_variable(path: &str, key: &str, text: &str, texts: &mut Texts) {
    let named = key.eq_ignore_ascii_case("port") || key.to_ascii_uppercase().ends_with("_PORT");
    if path.contains(".env.") && named && !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        texts.single.get_or_insert_with(|| format!("`{path}` is the literal port {text}"));
    }
}
