//! `regrant init`: a first manifest, from flags or from a few questions.

use std::{
    fmt::Write,
    io::{BufRead, IsTerminal},
    path::{Path, PathBuf},
};

use super::{args, error::CliError, out, seams};
use crate::report::ExitStatus;

/// What the subject is told, under the names that most integrations use.
const USUAL: [(&str, &str); 7] = [
    ("AUTHORIZE_URL", "{authorize_url}"),
    ("TOKEN_URL", "{token_url}"),
    ("API_URL", "{api_url}"),
    ("CLIENT_ID", "{client_id}"),
    ("CLIENT_SECRET", "{client_secret}"),
    ("REDIRECT_URI", "{base_url}/callback"),
    ("PORT", "{port}"),
];

/// What has to be known.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    name: String,
    run: Vec<String>,
    ready: String,
    connect: String,
    trigger: String,
    status: Option<String>,
    env: Vec<(String, String)>,
}

pub(super) fn init(typed: &args::Init) -> Result<ExitStatus, CliError> {
    // A name without an ending is a folder's, also where it is still to be made.
    let folder = typed.manifest.is_dir() || typed.manifest.extension().is_none();
    let path = if folder { typed.manifest.join("regrant.toml") } else { typed.manifest.clone() };
    if path.exists() && !typed.force {
        return Err(CliError::Usage(format!("{} is there already: name another file, or write over it with --force", path.display())));
    }
    let written = manifest(&answers(typed, &path)?);
    seams::check_manifest(&written, &path)?;
    out::replace(&path, written.as_bytes())?;
    let place = if path == Path::new("regrant.toml") { String::new() } else { format!(" {}", path.display()) };
    out::say(&format!("{} is written. See whether the subject can be driven by it: regrant doctor{place}\n", path.display()))?;
    Ok(ExitStatus::Clean)
}

fn answers(typed: &args::Init, path: &Path) -> Result<Answers, CliError> {
    let asks = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let ask = |question: &str, usual: Option<&str>| if asks { asked(question, usual) } else { Ok(usual.map(str::to_owned)) };
    let folder = name_of(path);
    let name = typed.name.clone().map_or_else(|| ask("What is it called?", Some(&folder)), |name| Ok(Some(name)))?;
    let run = typed.run.clone().map_or_else(|| ask("How is it started, such as: python3 app.py", None), |run| Ok(Some(run)))?;
    let connect =
        typed.connect.clone().map_or_else(|| ask("Where does a user connect?", Some("GET {base_url}/connect")), |one| Ok(Some(one)))?;
    let trigger = typed.trigger.clone().map_or_else(|| ask("What makes it work?", Some("POST {base_url}/sync")), |one| Ok(Some(one)))?;
    let Some(run) = run.filter(|run| !run.trim().is_empty()) else {
        return Err(CliError::Usage("how is the subject started? Say it with --run, as in: regrant init --run \"python3 app.py\"".into()));
    };
    let words = words(&run).ok_or_else(|| CliError::Usage(format!("--run {run}: a quotation mark is not closed")))?;
    Ok(Answers {
        name: name.unwrap_or(folder),
        run: words,
        ready: typed.ready.clone().unwrap_or_else(|| "{base_url}/".into()),
        connect: verb(connect.as_deref().unwrap_or("GET {base_url}/connect"), "GET"),
        trigger: verb(trigger.as_deref().unwrap_or("POST {base_url}/sync"), "POST"),
        status: typed.status.as_deref().map(|status| verb(status, "GET")),
        env: typed.env.iter().map(|one| pair(one)).collect::<Result<_, _>>()?,
    })
}

fn asked(question: &str, usual: Option<&str>) -> Result<Option<String>, CliError> {
    out::say(&format!("{question}{} ", usual.map_or(String::new(), |usual| format!(" [{usual}]"))))?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|source| CliError::Environment(format!("cannot read the answer: {source}")))?;
    let answer = line.trim();
    Ok(if answer.is_empty() { usual.map(str::to_owned) } else { Some(answer.to_owned()) })
}

/// The folder's name, as far as a name may hold it.
fn name_of(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let folder = folder.canonicalize().unwrap_or(folder);
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "integration".into() } else { name.to_owned() }
}

/// A path or an address gets its method and the subject's own address.
fn verb(typed: &str, method: &str) -> String {
    let typed = typed.trim();
    match typed.split_once(' ') {
        Some((method, path)) if path.starts_with('/') => format!("{method} {{base_url}}{path}"),
        Some(_) => typed.to_owned(),
        None if typed.starts_with('/') => format!("{method} {{base_url}}{typed}"),
        None => format!("{method} {typed}"),
    }
}

fn pair(typed: &str) -> Result<(String, String), CliError> {
    match typed.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(CliError::Usage(format!("--env {typed}: expected NAME=VALUE, such as PLEO_API={{api_url}}"))),
    }
}

/// Words as a shell splits them, quotation marks honoured; none: one is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut inside, mut quote) = (Vec::new(), String::new(), false, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, inside) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if inside {
                    words.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            (None, c) => {
                word.push(c);
                inside = true;
            }
        }
    }
    if inside {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

fn manifest(answers: &Answers) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let run: Vec<String> = answers.run.iter().map(|word| text(word)).collect();
    let mut out = format!(
        "contract = 1\nname     = {}\n\n[start]\nrun   = [{}]\nready = {}\n",
        text(&answers.name),
        run.join(", "),
        text(&answers.ready)
    );
    out.push_str("\n# What the subject is told. The names on the left are its own.\n[start.env]\n");
    let usual = USUAL.iter().filter(|(name, value)| !answers.env.iter().any(|(own, given)| own == name || given == value));
    let pairs: Vec<(&str, &str)> = usual.copied().chain(answers.env.iter().map(|(name, value)| (name.as_str(), value.as_str()))).collect();
    for (name, value) in pairs {
        let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let _ = writeln!(out, "{} = {}", if bare { name.to_owned() } else { text(name) }, text(value));
    }
    let _ = write!(out, "\n# How a user connects it with Pleo.\n[connect]\nhttp = {}\n", text(&answers.connect));
    let _ = write!(out, "\n# What makes it do one unit of work at Pleo's API.\n[trigger]\nhttp = {}\n", text(&answers.trigger));
    if let Some(status) = &answers.status {
        let _ = write!(out, "\n# What it says of its connection.\n[status]\nhttp = {}\n", text(status));
        out.push_str(
            "connected    = { json = \"/state\", is = \"connected\" }\ndisconnected = { json = \"/state\", is = \"needs_reauth\" }\n",
        );
    }
    out.push_str("\n# More lines let more be decided: `regrant doctor` shows which.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would() {
        let split = |line: &str| words(line).expect("closed");
        assert_eq!(split("  python3 -m  'my app' \"\" a\"b c\"d "), ["python3", "-m", "my app", "", "ab cd"]);
        assert_eq!(words("echo 'x"), None);
    }

    #[test]
    fn paths_become_verbs() {
        assert_eq!(verb("/connect", "GET"), "GET {base_url}/connect");
        assert_eq!(verb("POST /sync", "GET"), "POST {base_url}/sync");
        assert_eq!(verb("PUT {base_url}/x", "GET"), "PUT {base_url}/x");
    }

    #[test]
    fn what_is_written_is_a_manifest_whatever_the_answers() {
        let answers = Answers {
            name: "it's \"mine\"".into(),
            run: vec!["sh".into(), "-c".into(), "echo \"\\n\"".into()],
            ready: "{base_url}/".into(),
            connect: "GET {base_url}/connect".into(),
            trigger: "POST {base_url}/sync".into(),
            status: Some("GET {base_url}/status".into()),
            env: vec![("PLEO_TOKEN".into(), "{token_url}".into()), ("A B".into(), "x".into())],
        };
        let written = manifest(&answers);
        assert!(seams::check_manifest(&written, Path::new("regrant.toml")).is_ok(), "{written}");
        assert!(!written.contains("TOKEN_URL =") && written.contains("PLEO_TOKEN = \"{token_url}\""), "{written}");
    }
}
