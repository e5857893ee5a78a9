//! The doors between rooms and between crates, and a few rules of the house, held by reading the sources. A new door is a
//! visible edit of the tables below.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which rooms of `harness/src` a room may look into. What is listed in [`EVERYWHERE`] may look into all.
const DOORS: &[(&str, &[&str])] = &[
    ("evidence", &[]),
    // Checks take a `judge::View`: data beside its check is worth the circle.
    ("catalogue", &["evidence", "judge"]),
    ("judge", &["catalogue", "evidence"]),
    ("subject", &[]),
    ("canary", &[]),
    ("collect", &["subject", "canary", "evidence"]),
    ("stage", &["subject", "collect", "canary", "evidence"]),
    ("reference", &[]),
    ("explore", &["evidence"]),
    ("steps", &["judge", "catalogue"]),
    ("report", &["judge", "catalogue", "evidence", "run"]),
];

/// The hallway, and the command line in front of it.
const EVERYWHERE: &[&str] = &["run", "cli", "lib", "main"];

/// Which crates of ours a crate may depend on, in any way.
const CRATES: &[(&str, &[&str])] = &[
    ("mock-server/authority", &[]),
    // Itself, with all its features, in its tests only.
    ("mock-server", &["regrant-authority", "regrant-mock-server"]),
    ("harness", &["regrant-authority", "regrant-mock-server"]),
    ("tests", &["regrant", "regrant-authority", "regrant-mock-server"]),
    // The judge is measured, too, without the reference subject.
    ("bench", &["regrant", "regrant-authority", "regrant-mock-server"]),
    ("xtask", &[]),
];

/// What the authority must not even be able to reach: runtimes, clocks, randomness, sockets.
const NOT_FOR_THE_AUTHORITY: &[&str] = &["tokio", "rand", "rand_chacha", "axum", "hyper", "reqwest", "futures", "http", "time", "chrono"];

/// Files that may be longer than [`LONGEST`], each with its reason.
const LONG: &[(&str, &str)] = &[("harness/src/evidence/event.rs", "the vocabulary of a history is one list")];

const LONGEST: usize = 500;

#[test]
fn cargo_run_at_the_root_knows_which_program_is_meant() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().expect("the workspace's manifest");
    let default = manifest["workspace"]["default-members"].as_array().expect("a list");
    assert_eq!(default.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>(), ["harness"]);
}

#[test]
fn rooms_look_only_through_their_doors() {
    let mut trespasses = Vec::new();
    for (room, file) in rooms() {
        if EVERYWHERE.contains(&room.as_str()) {
            continue;
        }
        let Some((_, doors)) = DOORS.iter().find(|(name, _)| *name == room) else {
            trespasses.push(format!("{room}: a room without an entry in DOORS"));
            continue;
        };
        let seen = rooms_named_in(&product_part(&read(&file)));
        let strange = seen.iter().filter(|other| **other != room && !doors.contains(&other.as_str()));
        trespasses.extend(strange.map(|other| format!("{} looks into {other}", shown(&file))));
    }
    assert!(trespasses.is_empty(), "\n{}", trespasses.join("\n"));
}

#[test]
fn crates_depend_only_downwards() {
    let mut trespasses = Vec::new();
    for (folder, allowed) in CRATES {
        let dependencies = dependencies(&root().join(folder).join("Cargo.toml"));
        let ours = dependencies.iter().filter(|name| name.starts_with("regrant") || *name == "acceptance" || *name == "xtask");
        trespasses.extend(ours.filter(|name| !allowed.contains(&name.as_str())).map(|name| format!("{folder} depends on {name}")));
    }
    assert!(trespasses.is_empty(), "\n{}", trespasses.join("\n"));
}

#[test]
fn every_crate_has_an_entry() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().expect("the workspace's manifest");
    let members = manifest["workspace"]["members"].as_array().expect("a list of members");
    let members: BTreeSet<_> = members.iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(members, CRATES.iter().map(|(folder, _)| *folder).collect());
}

#[test]
fn the_authority_has_no_runtime_no_clock_and_no_randomness() {
    let dependencies = dependencies(&root().join("mock-server/authority/Cargo.toml"));
    let forbidden: Vec<_> = dependencies.iter().filter(|name| NOT_FOR_THE_AUTHORITY.contains(&name.as_str())).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    let clocks = sources(&root().join("mock-server/authority/src")).into_iter().filter(|file| {
        let text = product_part(&read(file));
        ["Instant::now", "SystemTime", "TcpListener", "TcpStream", "UdpSocket", "ToSocketAddrs", "std::fs", "std::thread"]
            .iter()
            .any(|word| text.contains(word))
    });
    assert_eq!(clocks.map(|file| shown(&file)).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = all_sources().into_iter().filter(|file| !read(file).starts_with("//!"));
    assert_eq!(silent.map(|file| shown(&file)).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn no_file_grows_beyond_one_thought() {
    let long = all_sources().into_iter().filter(|file| read(file).lines().count() > LONGEST).map(|file| shown(&file));
    let unexcused: Vec<_> = long.filter(|file| !LONG.iter().any(|(excused, _)| excused == file)).collect();
    assert_eq!(unexcused, Vec::<String>::new(), "longer than {LONGEST} lines");
}

#[test]
fn nothing_is_left_to_be_written() {
    // Spelled in two parts, so that this file does not find itself.
    let words = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME")];
    let unfinished = all_sources().into_iter().filter(|file| words.iter().any(|word| read(file).contains(word)));
    assert_eq!(unfinished.map(|file| shown(&file)).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The acceptance crate lists its tests by hand: one that is not listed would never run.
#[test]
fn every_acceptance_test_is_listed() {
    let manifest: toml::Table = read(&root().join("tests/Cargo.toml")).parse().expect("a manifest");
    let listed = manifest["test"].as_array().expect("a list of tests").iter().filter_map(|test| test["path"].as_str());
    let there = fs::read_dir(root().join("tests/tests")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let there = there.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.ends_with(".rs"));
    let there: BTreeSet<String> = there.map(|name| format!("tests/{name}")).collect();
    assert_eq!(listed.map(str::to_owned).collect::<BTreeSet<_>>(), there);
}

#[test]
fn names_of_rooms_are_found_in_every_form_of_use() {
    let text =
        "use crate::evidence::Event;\nuse crate::{judge::{View, control}, run, catalogue::Verdict};\nfn f() { crate::canary::find() }\n";
    let found: Vec<String> = rooms_named_in(text).into_iter().collect();
    assert_eq!(found, ["canary", "catalogue", "evidence", "judge", "run"]);
}

/// Every source file of the harness with the room it lies in.
fn rooms() -> Vec<(String, PathBuf)> {
    let src = root().join("harness/src");
    let room = |file: &Path| {
        let inside = file.strip_prefix(&src).expect("below src");
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        first.trim_end_matches(".rs").to_owned()
    };
    sources(&src).into_iter().map(|file| (room(&file), file)).collect()
}

/// The first names behind `crate::`, also within braces.
fn rooms_named_in(text: &str) -> BTreeSet<String> {
    let uses = text.match_indices("crate::").map(|(at, word)| &text[at + word.len()..]);
    uses.flat_map(|rest| match rest.strip_prefix('{') {
        Some(group) => first_names(group),
        None => vec![name(rest)],
    })
    .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    .collect()
}

/// The first name of each item of a group, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.push(name(std::mem::take(&mut item).trim())),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    names.push(name(item.trim()));
    names
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// Without comments and without inline tests: tests may look wherever they like.
fn product_part(text: &str) -> String {
    let product = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |out, line| out + line + "\n")
}

fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let manifest: toml::Table = read(manifest).parse().expect("a manifest");
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    tables.iter().filter_map(|table| manifest.get(*table)?.as_table()).flat_map(|table| table.keys().cloned()).collect()
}

fn all_sources() -> Vec<PathBuf> {
    ["bench", "harness", "mock-server", "tests", "xtask"].iter().flat_map(|folder| sources(&root().join(folder))).collect()
}

/// All `.rs` files below a folder; files that hold only tests are left to themselves.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        let named = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && named != "target" && named != "node_modules" {
            found.extend(sources(&path));
        } else if named.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}
