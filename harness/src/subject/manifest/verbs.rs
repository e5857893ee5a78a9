//! Verbs and patterns: exactly one form each.

use std::collections::BTreeMap;

use super::{
    Callback, Count, Done, HttpCall, LogPattern, Opens, Ready, Reload, StatusPattern, Step, StopHow, Verb,
    places::{MISSING, Wrong},
    raw::{RawCallback, RawConnect, RawCount, RawDone, RawLogJson, RawPattern, RawReady, RawReload, RawStep, RawStop, RawVerb},
    values::{Scalar, Statuses, TextOr},
    wording::example,
};
use crate::subject::Signal;

/// The one form that a verb has.
pub(super) fn verb(path: &str, raw: RawVerb) -> Result<Verb, Wrong> {
    verb_or(path, raw, &[])?.ok_or_else(|| lacks_form(path, "http, steps, run, auto or human"))
}

/// The form of a verb, if it has one; `others` are keys that stand in its place.
pub(super) fn verb_or(path: &str, raw: RawVerb, others: &[(&'static str, bool)]) -> Result<Option<Verb>, Wrong> {
    let forms = [
        ("http", raw.http.is_some()),
        ("steps", raw.steps.is_some()),
        ("run", raw.run.is_some()),
        ("auto", raw.auto == Some(true)),
        ("human", raw.human.is_some()),
    ];
    only_one(path, forms.into_iter().chain(others.iter().copied()))?;
    if raw.http.is_none() {
        let parts = [("headers", raw.headers.is_some()), ("form", raw.form.is_some()), ("json", raw.json.is_some())];
        if let Some((part, _)) = parts.iter().find(|(_, there)| *there) {
            return Err(Wrong::new(format!("{path}.{part}"), format!("`{part}` belongs to a request, but `{path}` has no `http`")));
        }
    }
    let RawVerb { http, run, auto, human, steps: taken, headers, form, json } = raw;
    if let Some(line) = http {
        let (method, url) = request_line(&format!("{path}.http"), &line)?;
        if form.is_some() && json.is_some() {
            return Err(
                Wrong::new(format!("{path}.json"), format!("`{path}` has both `form` and `json`")).help("keep one: a request has one body")
            );
        }
        let form = form.map(plain);
        return Ok(Some(Verb::Http(HttpCall { method, url, headers: headers.unwrap_or_default(), form, json, steps: Vec::new() })));
    }
    if let Some(taken) = taken {
        let steps = steps(&format!("{path}.steps"), taken)?;
        return Ok(Some(Verb::Http(HttpCall { method: "GET".into(), steps, ..HttpCall::default() })));
    }
    if let Some(argv) = run {
        return program(&format!("{path}.run"), argv).map(|argv| Some(Verb::Run(argv)));
    }
    Ok(human.map(Verb::Human).or_else(|| auto.filter(|auto| *auto).map(|_| Verb::Auto)))
}

/// A program and its arguments.
pub(super) fn program(path: &str, argv: Vec<String>) -> Result<Vec<String>, Wrong> {
    match argv.first() {
        Some(program) if !program.trim().is_empty() => Ok(argv),
        Some(_) | None => Err(Wrong::new(path, format!("`{path}` names no program")).help("write run = [\"program\", \"argument\"]")),
    }
}

/// A list of programs.
pub(super) fn programs(path: &str, list: Vec<Vec<String>>) -> Result<Vec<Vec<String>>, Wrong> {
    list.into_iter().enumerate().map(|(index, argv)| program(&format!("{path}[{index}]"), argv)).collect()
}

/// What a person would do at a page.
pub(super) fn steps(path: &str, raw: Vec<RawStep>) -> Result<Vec<Step>, Wrong> {
    if raw.first().is_none_or(|step| step.get.is_none()) {
        return Err(Wrong::new(path, format!("`{path}` must begin with an address")).help("begin with { get = \"{base_url}/\" }"));
    }
    raw.into_iter().enumerate().map(|(index, raw)| step(&format!("{path}[{index}]"), raw)).collect()
}

fn step(path: &str, raw: RawStep) -> Result<Step, Wrong> {
    only_one(path, [("get", raw.get.is_some()), ("fill", raw.fill.is_some()), ("click", raw.click.is_some())].into_iter())?;
    match raw {
        RawStep { get: Some(address), submit: None, .. } => Ok(Step::Get(address)),
        RawStep { click: Some(text), submit: None, .. } => Ok(Step::Click(text)),
        RawStep { fill: Some(fields), submit, .. } => Ok(Step::Fill { fields: plain(fields), submit }),
        RawStep { submit: Some(text), get: None, click: None, .. } => Ok(Step::Click(text)),
        RawStep { submit: Some(_), .. } => Err(Wrong::new(format!("{path}.submit"), "`submit` goes with `fill`")),
        RawStep { .. } => Err(lacks_form(path, "get, fill or click")),
    }
}

fn request_line(path: &str, line: &str) -> Result<(String, String), Wrong> {
    let (method, url) = line.trim().split_once(' ').unwrap_or(("", line));
    if method.is_empty() || !method.chars().all(|c| c.is_ascii_uppercase()) {
        let help = format!("write \"METHOD address\", for example \"GET {}\"", url.trim());
        return Err(Wrong::new(path, format!("{line:?} does not begin with a method")).help(help));
    }
    Ok((method.to_owned(), url.trim().to_owned()))
}

/// What an answer says.
pub(super) fn pattern(path: &str, raw: RawPattern) -> Result<StatusPattern, Wrong> {
    let forms = [
        ("json", raw.pointer.is_some() || raw.is.is_some()),
        ("status", raw.status.is_some()),
        ("text", raw.text.is_some()),
        ("exit", raw.exit.is_some()),
    ];
    only_one(path, forms.into_iter())?;
    match raw {
        RawPattern { pointer: Some(pointer), is: Some(is), .. } => {
            Ok(StatusPattern::Json { pointer: pointer_at(&format!("{path}.json"), pointer)?, is })
        }
        RawPattern { pointer: Some(_), is: None, .. } => Err(Wrong::new(path, format!("`{path}` lacks `is`, the value to expect there"))
            .help("for example: { json = \"/state\", is = \"connected\" }")),
        RawPattern { is: Some(_), pointer: None, .. } => Err(Wrong::new(path, format!("`{path}` lacks `json`, the pointer to the value"))
            .help("for example: { json = \"/state\", is = \"connected\" }")),
        RawPattern { status: Some(Statuses(set)), .. } => Ok(StatusPattern::Status(set)),
        RawPattern { text: Some(text), .. } => Ok(StatusPattern::Text(text.0)),
        RawPattern { exit: Some(code), .. } => Ok(StatusPattern::Exit(code)),
        RawPattern { .. } => Err(lacks_form(path, "json with is, status, text or exit")),
    }
}

/// How it is known that work was done.
pub(super) fn done(path: &str, raw: RawDone) -> Result<Done, Wrong> {
    let RawDone { poll, headers, pointer, is, status, text } = raw;
    Ok(Done { poll, headers: headers.unwrap_or_default(), says: pattern(path, RawPattern { pointer, is, status, text, exit: None })? })
}

/// Where the number of connections stands.
pub(super) fn count(path: &str, raw: RawCount) -> Result<Count, Wrong> {
    Ok(Count { pointer: pointer_at(&format!("{path}.json"), raw.pointer)?, length: raw.length })
}

fn pointer_at(path: &str, pointer: String) -> Result<String, Wrong> {
    if pointer.is_empty() || pointer.starts_with('/') {
        return Ok(pointer);
    }
    let help = format!("write \"/{}\"", pointer.replace('.', "/"));
    Err(Wrong::new(path, format!("{pointer:?} is no JSON pointer: it begins with a slash")).help(help))
}

/// How the authorise URL comes out.
pub(super) fn opens(path: &str, raw: &RawConnect) -> Result<Opens, Wrong> {
    match &raw.opens {
        None if raw.run.is_some() => Ok(Opens::Stdout),
        None => Ok(Opens::Redirect),
        Some(TextOr::Table(json)) => Ok(Opens::Json(pointer_at(&format!("{path}.json"), json.pointer.clone())?)),
        Some(TextOr::Text(word)) => match word.as_str() {
            "redirect" => Ok(Opens::Redirect),
            "stdout" => Ok(Opens::Stdout),
            "browser" => Ok(Opens::Browser),
            other => Err(Wrong::new(path, format!("`{path}` cannot be {other:?}"))
                .help("one of: \"redirect\", \"stdout\", \"browser\", { json = \"/url\" }")),
        },
    }
}

/// Where the callback goes.
pub(super) fn callback(path: &str, raw: Option<RawCallback>) -> Result<Callback, Wrong> {
    match raw {
        None => Ok(Callback::Served),
        Some(RawCallback { run: Some(argv), stdin: None | Some(false) }) => {
            if !argv.iter().any(|word| word.contains("{callback_url}")) {
                return Err(Wrong::new(format!("{path}.run"), "the program is not told the address")
                    .help("put \"{callback_url}\" among its arguments"));
            }
            program(&format!("{path}.run"), argv).map(Callback::Run)
        }
        Some(RawCallback { run: None, stdin: Some(true) }) => Ok(Callback::Stdin),
        Some(RawCallback { run: Some(_), stdin: Some(true) }) => {
            Err(Wrong::new(path, format!("`{path}` has both `run` and `stdin`")).help("keep one"))
        }
        Some(RawCallback { run: None, stdin: None | Some(false) }) => Err(lacks_form(path, "run or stdin = true")),
    }
}

/// When a process is ready.
pub(super) fn ready(path: &str, raw: Option<TextOr<RawReady>>) -> Result<Ready, Wrong> {
    let table = match raw {
        None => return Ok(Ready::AtOnce),
        Some(TextOr::Text(word)) if word == "exit" => return Ok(Ready::Exit),
        Some(TextOr::Text(address)) => return Ok(Ready::Http(address)),
        Some(TextOr::Table(table)) => table,
    };
    only_one(path, [("http", table.http.is_some()), ("tcp", table.tcp.is_some()), ("log", table.log.is_some())].into_iter())?;
    match table {
        RawReady { http: Some(address), .. } => Ok(Ready::Http(address)),
        RawReady { tcp: Some(Scalar(port)), .. } => Ok(Ready::Tcp(port)),
        RawReady { log: Some(pattern), .. } => Ok(Ready::Log(pattern.0)),
        RawReady { http: None, tcp: None, log: None } => Err(lacks_form(path, "http, tcp or log")),
    }
}

/// How a new secret is taken.
pub(super) fn reload(path: &str, raw: &RawReload) -> Result<Reload, Wrong> {
    match (raw.signal, verb_or(path, raw.verb(), &[("signal", raw.signal.is_some())])?) {
        (Some(name), _) => Ok(Reload::Signal(name)),
        (None, Some(verb)) => Ok(Reload::Verb(verb)),
        (None, None) => Err(lacks_form(path, "signal, http or run")),
    }
}

/// How the subject is asked to end.
pub(super) fn stop(raw: &RawStop) -> Result<StopHow, Wrong> {
    let verb = verb_or("stop", raw.verb(), &[("signal", raw.signal.is_some())])?;
    Ok(verb.map_or_else(|| StopHow::Signal(raw.signal.unwrap_or(Signal::Term)), StopHow::Verb))
}

/// What a log line looks like.
pub(super) fn log_pattern(path: &str, raw: Option<TextOr<RawLogJson>>) -> Result<Option<LogPattern>, Wrong> {
    match raw {
        None => Ok(None),
        Some(TextOr::Table(RawLogJson { json })) => Ok(Some(LogPattern::Json(json))),
        Some(TextOr::Text(text)) => match regex::Regex::new(&text) {
            Ok(pattern) => Ok(Some(LogPattern::Text(pattern))),
            Err(_) => Err(Wrong::new(path, format!("`{path}` is not a regular expression"))),
        },
    }
}

/// Values as text.
pub(super) fn plain(scalars: BTreeMap<String, Scalar>) -> BTreeMap<String, String> {
    scalars.into_iter().map(|(key, Scalar(text))| (key, text)).collect()
}

/// At most one of these keys may be there.
pub(super) fn only_one(path: &str, forms: impl Iterator<Item = (&'static str, bool)>) -> Result<(), Wrong> {
    let there: Vec<&str> = forms.filter(|(_, there)| *there).map(|(key, _)| key).collect();
    match there.as_slice() {
        [] | [_] => Ok(()),
        [first, second, ..] => Err(Wrong::new(format!("{path}.{second}"), format!("`{path}` has both `{first}` and `{second}`"))
            .label("the second form")
            .help("keep one of them")),
    }
}

fn lacks_form(path: &str, forms: &str) -> Wrong {
    let wrong = Wrong::new(path, format!("`{path}` does not say how: it needs {forms}")).label("in here").code(MISSING);
    match example(path) {
        Some(line) => wrong.help(format!("for example: {line}")),
        None => wrong,
    }
}
