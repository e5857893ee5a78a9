//! The pages of `docs/`: every `sh` block is run by a real shell with a real curl and must print what the `text` block after it says; every
//! `toml` block is a scenario that is told to its end (a block of another file says so: `toml Cargo.toml`).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use regrant_mock_server::{ClientConfig, Provider, control::Action, fault::scenario::Scenario, journal::What};
use tokio::{io::AsyncWriteExt as _, process::Command, task::JoinSet};

use crate::{support::*, tiny};

/// A page takes a few seconds at most.
const A_PAGE: Duration = Duration::from_secs(60);
const SEPARATOR: &str = "%%% the next block %%%";

/// A fenced block: what it is, and what it holds.
struct Block {
    kind: String,
    text: String,
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let pages = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.chain(folders.iter().flat_map(|folder| pages_below(folder))).collect()
}

fn pages_below(folder: &Path) -> Vec<PathBuf> {
    pages(folder)
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(page).expect("readable");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some(Block { kind: kind.trim().to_owned(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{} has a block without an end", page.display());
    blocks
}

/// The `sh` blocks, each with the output that the page promises.
fn commands(page: &Path) -> Vec<(String, String)> {
    let blocks = blocks(page);
    let promised = |at: usize| blocks.get(at + 1).filter(|next| next.kind == "text").map(|next| next.text.clone());
    let shell = blocks.iter().enumerate().filter(|(_, block)| block.kind == "sh");
    let with_promise = |(at, block): (usize, &Block)| {
        let promised = promised(at).unwrap_or_else(|| panic!("{}: an sh block without its output: {}", page.display(), block.text));
        (block.text.clone(), promised)
    };
    shell.map(with_promise).collect()
}

async fn served() -> Provider {
    provider_with(|config| {
        config.management = Some(([127, 0, 0, 1], 0).into());
        let redirect_uris = vec!["http://127.0.0.1:8080/callback".to_owned()];
        config.clients =
            vec![ClientConfig { id: Some("crm".into()), secret: Some("s3cret".into()), redirect_uris, ..ClientConfig::default() }];
    })
    .await
}

/// The words of the first page, and then those of this one.
fn script(page: &Path) -> Vec<(String, String)> {
    let start = docs().join("README.md");
    let mut all = commands(&start);
    if page.canonicalize().ok() != start.canonicalize().ok() {
        all.extend(commands(page));
    }
    all
}

async fn outputs(provider: &Provider, commands: &[(String, String)]) -> Vec<String> {
    let place = |url: &str| url.split_once("//").expect("a URL").1.to_owned();
    let (served, managed) = (place(&provider.urls().api), place(provider.urls().management.as_deref().expect("managed")));
    let script = commands.iter().map(|(block, _)| block.as_str()).collect::<Vec<_>>().join(&format!("\necho '{SEPARATOR}'\n"));
    let script = script.replace("127.0.0.1:4010", &served).replace("127.0.0.1:4011", &managed);
    let folder = std::env::temp_dir().join(format!("regrant-docs-{}-{}", std::process::id(), served.replace(':', "-")));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut shell = Command::new("sh")
        .current_dir(&folder)
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .env_remove("ALL_PROXY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a shell");
    shell.stdin.take().expect("piped").write_all(script.as_bytes()).await.expect("written");
    let done = tokio::time::timeout(A_PAGE, shell.wait_with_output()).await.expect("in time").expect("it ended");
    std::fs::remove_dir_all(&folder).expect("removed");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.is_empty(), "{said}");
    let text = String::from_utf8_lossy(&done.stdout).replace(&served, "127.0.0.1:4010").replace(&managed, "127.0.0.1:4011");
    text.split(&format!("{SEPARATOR}\n")).map(str::to_owned).collect()
}

/// Whether a line is as promised; `…` stands for anything.
fn is_like(line: &str, promised: &str) -> bool {
    let mut parts = promised.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn hold(page: &Path, block: &str, printed: &str, promised: &str) -> Option<String> {
    let lines = |text: &str| text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (printed, promised) = (lines(printed), lines(promised));
    let held = printed.len() == promised.len() && printed.iter().zip(&promised).all(|(line, promised)| is_like(line, promised));
    (!held).then(|| format!("{}:\n{block}\nprints\n{}\n\nand not\n{}\n", page.display(), printed.join("\n"), promised.join("\n")))
}

#[tokio::test]
async fn every_command_on_the_pages_prints_what_they_say() {
    let all = pages(&docs());
    assert!(all.len() >= 7, "{all:?}");
    let mut running = JoinSet::new();
    for page in all {
        running.spawn(async move {
            let (provider, commands) = (served().await, script(&page));
            let printed = outputs(&provider, &commands).await;
            assert_eq!(printed.len(), commands.len(), "{}", page.display());
            let wrong = commands.iter().zip(&printed).filter_map(|((block, promised), printed)| hold(&page, block, printed, promised));
            wrong.collect::<Vec<_>>()
        });
    }
    let wrong: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_scenario_on_the_pages_is_told_to_its_end() {
    let mut telling = JoinSet::new();
    let mut count = 0;
    for page in pages(&docs()) {
        for block in blocks(&page).into_iter().filter(|block| block.kind == "toml") {
            let head = if block.text.contains("title = ") { "" } else { "title = \"x\"\nabout = \"y\"\ntests = [\"STOP-01\"]\n" };
            let text = format!("{head}{}", block.text);
            let story = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", page.display()));
            assert!(!story.rules.is_empty(), "{}: a scenario without a rule shows nothing", page.display());
            count += 1;
            telling.spawn(async move { tokio::time::timeout(A_PAGE, tell(&story)).await.err().map(|_| text).or(None) });
        }
    }
    assert!(count >= 20, "{count}");
    let endless: Vec<String> = telling.join_all().await.into_iter().flatten().collect();
    assert!(endless.is_empty(), "{}", endless.join("\n\n"));
}

async fn tell(story: &Scenario) {
    let provider = Arc::new(provider().await);
    tiny::told(provider.clone(), story).await;
    let mut installed = BTreeSet::new();
    let mut met = BTreeSet::new();
    for entry in provider.control().journal() {
        match entry.what {
            What::Controlled(Action::RuleInstalled { rule }) => drop(installed.insert(rule)),
            What::Faulted { rule, .. } => drop(met.insert(rule)),
            _ => {}
        }
    }
    assert_eq!(installed, met, "every rule met a request: {story:#?}");
}

#[test]
fn promises_are_compared_like_this() {
    for (line, promised, wanted) in [
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("abc", "a…c", true),
        ("abc", "…", true),
        ("abc", "…b…", true),
        ("abc", "b…", false),
        ("abc", "a…d", false),
        ("a1b2c", "a…b…c", true),
        ("", "", true),
    ] {
        assert_eq!(is_like(line, promised), wanted, "{line} {promised}");
    }
}
