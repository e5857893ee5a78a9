//! Features and scenarios name the same pairs of requirement and story. The scenarios decide; `cargo xtask features` (or this
//! test with `REGRANT_UPDATE=1`) writes the Examples tables of the features anew. Prose is written by hand.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A story as far as the features need it.
#[derive(Debug, Clone)]
struct Story {
    name: String,
    title: String,
    tests: Vec<String>,
}

#[test]
fn the_features_name_the_pairs_that_the_scenarios_test() {
    let stories = stories();
    let update = std::env::var_os("REGRANT_UPDATE").is_some_and(|value| value == "1");
    let mut stale = Vec::new();
    for path in files("features", "feature") {
        let old = read(&path);
        let new = with_tables(&old, &stories);
        if old != new && update {
            fs::write(&path, &new).expect("the feature can be written");
        } else if old != new {
            stale.push(format!("{}: {}", path.display(), first_difference(&old, &new)));
        }
    }
    assert!(stale.is_empty(), "run `cargo xtask features`; not up to date:\n{}", stale.join("\n"));
}

#[test]
fn every_pair_of_the_scenarios_has_a_rule_in_the_feature_of_its_group() {
    let mut missing = Vec::new();
    for (id, _) in stories().iter().flat_map(|story| story.tests.iter().map(move |id| (id, story))) {
        let group = id.split_once('-').map_or(id.as_str(), |(group, _)| group).to_lowercase();
        let feature = root().join("features").join(format!("{group}.feature"));
        if !fs::read_to_string(&feature).is_ok_and(|text| text.contains(&format!("@{id} "))) {
            missing.push(format!("features/{group}.feature has no rule @{id}"));
        }
    }
    missing.dedup();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn every_rule_has_the_tags_and_the_id_of_its_requirement_and_at_least_one_story() {
    let mut wrong = Vec::new();
    for path in files("features", "feature") {
        let text = read(&path);
        let stem = path.file_stem().expect("a name").to_string_lossy().to_uppercase();
        for rule in text.split("\n  @").skip(1) {
            let tags: Vec<_> = rule.lines().next().unwrap_or_default().split_whitespace().collect();
            let id = tags[0];
            let Some(requirement) = regrant::catalogue::find(id) else {
                wrong.push(format!("{id} is not in the register"));
                continue;
            };
            let expected =
                [id.to_owned(), format!("@{:?}", requirement.level).to_lowercase(), format!("@{:?}", requirement.severity).to_lowercase()];
            let says = |condition: bool, what: String| (!condition).then_some(what);
            wrong.extend(says(tags == expected, format!("{id} has the tags {tags:?}, not {expected:?}")));
            wrong.extend(says(id.starts_with(&stem), format!("{id} stands in {}", path.display())));
            wrong.extend(says(rule.contains(&format!(" ({id})\n")), format!("the Then of {id} does not name it")));
            wrong.extend(says(rule.lines().filter(|line| line.trim_start().starts_with('|')).count() > 1, format!("{id} has no story")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_feature_is_shipped_inside_the_binary() {
    let shipped: BTreeMap<&str, &str> = regrant::steps::FEATURES.iter().copied().collect();
    let files: BTreeMap<String, String> = files("features", "feature").iter().map(|path| (file_name(path), read(path))).collect();
    assert_eq!(shipped.keys().map(ToString::to_string).collect::<Vec<_>>(), files.keys().cloned().collect::<Vec<_>>());
    assert!(shipped.iter().all(|(name, text)| files[*name] == *text), "built from other files than these");
}

#[test]
fn tables_are_written_from_the_stories_and_prose_is_left_alone() {
    let story = |name: &str, title: &str, tests: &[&str]| Story {
        name: name.into(),
        title: title.into(),
        tests: tests.iter().map(ToString::to_string).collect(),
    };
    let old = "Feature: F\n  Prose.\n\n  @STOP-01 @must @error\n  Rule: R\n\n    Scenario Outline: <what happens>\n      When the story \"<story>\" is told\n      Then it stops (STOP-01)\n\n      Examples:\n        | story | what happens |\n        | gone  | Gone         |\n\n  @STOP-02 @must @error\n  Rule: Q\n\n    Scenario Outline: <what happens>\n      Examples:\n        | story | what happens |\n";
    let stories = [story("longer_name", "A|B", &["STOP-01", "STOP-02"]), story("b", "T", &["STOP-01"])];
    let new = with_tables(old, &stories);
    let first = "        | story       | what happens |\n        | longer_name | A\\|B         |\n        | b           | T            |\n\n  @STOP-02";
    assert!(new.contains(first), "{new}");
    assert!(new.ends_with("        | longer_name | A\\|B         |\n"), "{new}");
    assert_eq!(new.replace(' ', "").matches("Prose.").count(), 1);
    assert_eq!(with_tables(&new, &stories), new, "writing twice changes nothing");
}

/// The feature with every Examples table written anew.
fn with_tables(text: &str, stories: &[Story]) -> String {
    let (mut out, mut id, mut in_table) = (String::new(), String::new(), false);
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(tags) = trimmed.strip_prefix('@') {
            id = tags.split_whitespace().next().unwrap_or_default().to_owned();
        }
        if in_table && trimmed.starts_with('|') {
            continue;
        }
        in_table = trimmed == "Examples:";
        out += line;
        out.push('\n');
        if in_table {
            let indent = &line[..line.len() - line.trim_start().len()];
            out += &table(indent, stories.iter().filter(|story| story.tests.contains(&id)));
        }
    }
    out
}

fn table<'s>(indent: &str, stories: impl Iterator<Item = &'s Story>) -> String {
    let mut rows = vec![("story".to_owned(), "what happens".to_owned())];
    rows.extend(stories.map(|story| (story.name.clone(), story.title.replace('\\', "\\\\").replace('|', "\\|"))));
    let width = |column: fn(&(String, String)) -> &String| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default();
    let (names, titles) = (width(|row| &row.0), width(|row| &row.1));
    rows.iter().fold(String::new(), |out, (name, title)| out + &format!("{indent}  | {name:names$} | {title:titles$} |\n"))
}

fn stories() -> Vec<Story> {
    let stories: Vec<Story> = files("scenarios", "toml").iter().map(|path| story(path)).collect();
    assert!(!stories.is_empty(), "there are no scenarios");
    stories
}

fn story(path: &Path) -> Story {
    let table: toml::Table = read(path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let tests = table.get("tests").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Story {
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        title: table["title"].as_str().expect("a title").to_owned(),
        tests: tests.iter().filter_map(|id| Some(id.as_str()?.to_owned())).collect(),
    }
}

fn first_difference(old: &str, new: &str) -> String {
    let differing = old.lines().zip(new.lines()).zip(1..).find(|((old, new), _)| old != new);
    differing.map_or("lines at its end".into(), |((old, new), line)| format!("line {line} is {old:?}, should be {new:?}"))
}

/// Files of a folder by their ending, in the order of their names.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|e| e == ending)).collect();
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}
