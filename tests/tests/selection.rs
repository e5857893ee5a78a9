//! Which part of a run is told and what counts; saved runs judged again; stories of the user's own; and the provider alone.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use acceptance::Bench;
use rustix::process::Signal;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(300);
const QUICK: Duration = Duration::from_secs(20);

/// A story of the user's own: the access token ends, and the work must go on.
const MINE: &str = r#"title = "The access token ends"
about = "Nothing else happens: the subject refreshes and goes on."
tests = ["REFRESH-01"]

[[step]]
do = [{ need_refresh = "access" }, { add_work = 1 }, { trigger = { times = 2 } }]

[[step]]
await = { settled = true }
"#;

/// The work that is waited for begins late: the API lets its caller wait longer than the story does.
const LATE: &str = r#"title = "The grant ends in slow work"
about = "The first answer takes its time."
tests = ["REFRESH-08"]

[[rule]]
on = { endpoint = "api", method = "GET", nth = 1 }
at = "arrived"
fate = { delay = "3s" }

[[rule]]
on = { endpoint = "api", method = "PUT", nth = 1 }
at = "arrived"
fate = { hold = "report" }

[[step]]
do = [{ add_work = 1 }, { trigger = { times = 1, detached = true } }]

[[step]]
await = { held = "report", within = "2s", else = "not-realised" }
do = [{ revoke = "grant" }, { release = "report" }]

[[step]]
await = { settled = true }
do = [{ trigger = { times = 2 } }]

[[step]]
await = { settled = true }
"#;

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"))
}

fn names(verdicts: &Value, list: &str, key: &str) -> BTreeSet<String> {
    verdicts[list].as_array().expect(list).iter().filter_map(|one| Some(one[key].as_str()?.to_owned())).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// `verdicts.json` without times.
fn timeless(mut verdicts: Value) -> Value {
    verdicts.as_object_mut().expect("an object").remove("seconds");
    for story in verdicts["stories"].as_array_mut().expect("stories") {
        story.as_object_mut().expect("a story").remove("seconds");
    }
    verdicts
}

#[test]
fn a_saved_run_is_judged_to_the_same_verdicts_in_every_field() {
    let bench = bench();
    let only = ["--only", "user_revokes_access,token_endpoint_unavailable"];
    let told = bench.run(&[&["check", "--reference", "keeps-calling", "--seed", "11"], &only[..]].concat(), LIMIT);
    told.assert(1, &["FAIL STOP-01"]);
    let again = bench.run(&["judge", "regrant-out", "--format", "json"], QUICK);
    again.assert(1, &[]);
    let again: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(timeless(again), timeless(bench.verdicts("regrant-out")));
}

#[test]
fn only_and_skip_leave_what_they_say_and_nothing_else() {
    let bench = bench();
    let selection = ["--only", "RACE,detect-02", "--skip", "RACE-03", "--skip", "refused_as_invalid_token_400"];
    bench.run(&[&["check", "--reference", "--seed", "3"], &selection[..]].concat(), LIMIT).assert(0, &[]);
    let verdicts = bench.verdicts("regrant-out");
    assert_eq!(
        names(&verdicts, "requirements", "id"),
        set(&[
            "DETECT-02",
            "RACE-01",
            "RACE-02",
            "RACE-04",
            "RACE-05",
            "RACE-06",
            "RACE-07",
            "RACE-08",
            "RACE-09",
            "RACE-10",
            "RACE-11",
            "RACE-12",
            "RACE-13"
        ])
    );
    let stories = names(&verdicts, "stories", "name");
    assert!(!stories.contains("refused_as_invalid_token_400"), "{stories:?}");
    assert!(stories.is_superset(&set(&["refused_as_invalid_token_401", "parallel_work_needs_one_refresh"])), "{stories:?}");
}

#[test]
fn a_story_that_is_named_is_told_alone() {
    let bench = bench();
    bench.run(&["check", "--reference", "--seed", "3", "--only", "restarted_while_disconnected"], LIMIT).assert(0, &["1 story"]);
    let verdicts = bench.verdicts("regrant-out");
    assert_eq!(names(&verdicts, "stories", "name"), set(&["restarted_while_disconnected"]));
    assert_eq!(names(&verdicts, "requirements", "id"), set(&["STOP-04", "MARK-02"]));
}

#[test]
fn a_story_that_is_named_also_tells_of_what_it_convicts_besides() {
    let bench = bench();
    bench.run(&["check", "--reference", "logs-tokens", "--seed", "3", "--only", "refreshed_twice"], LIMIT).assert(1, &["SECRET-01"]);
    let verdicts = bench.verdicts("regrant-out");
    let named = names(&verdicts, "requirements", "id");
    // It decides nothing of SECRET-02, and convicts nobody of it here.
    assert!(named.contains("SECRET-01") && named.contains("REFRESH-02") && !named.contains("SECRET-02"), "{named:?}");
    bench.run(&["judge", "regrant-out"], LIMIT).assert(1, &["SECRET-01"]);
}

#[test]
fn what_stays_undecided_is_exit_4_unless_it_is_allowed() {
    let bench = bench();
    // Without a status nothing can be said about the mark.
    let manifest = manifest_without_status(&bench);
    let words = ["check", manifest.as_str(), "--seed", "3", "--only", "restarted_while_disconnected"];
    bench.run(&words, LIMIT).assert(4, &["Undecided", "MARK-02", "exit 4"]);
    for (more, code) in [(&["--strict"][..], 4), (&["--allow-undecided"], 0), (&["--strict", "--allow-undecided"], 0)] {
        let judged = bench.run(&[&["judge", "regrant-out"], more].concat(), QUICK);
        judged.assert(code, &["MARK-02"]);
    }
}

#[test]
fn failures_count_whatever_is_allowed() {
    let bench = bench();
    let words = ["check", "--reference", "keeps-calling", "--seed", "3", "--only", "STOP-01", "--skip", "STOP-02"];
    let words = [&words[..], &["--strict", "--allow-undecided"]].concat();
    bench.run(&words, LIMIT).assert(1, &["FAIL STOP-01", "exit 1 (requirements failed)"]);
}

#[test]
fn a_story_of_the_users_own_is_told_beside_the_built_in_ones() {
    let bench = bench();
    bench.write("mine.toml", MINE);
    let words = ["check", "--reference", "--seed", "3", "--scenario", "mine.toml", "--only", "mine"];
    bench.run(&words, LIMIT).assert(0, &["1 story"]);
    let verdicts = bench.verdicts("regrant-out");
    assert_eq!(names(&verdicts, "stories", "name"), set(&["mine"]));
    assert_eq!(verdicts["requirements"][0]["stories"][0]["name"], "mine");
    assert_eq!(verdicts["requirements"][0]["verdict"], "pass");
    let again = bench.run(&["judge", "regrant-out", "--format", "json"], QUICK);
    let again: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(timeless(again), timeless(verdicts));
}

#[test]
fn a_subject_that_is_still_at_work_on_what_it_was_asked_is_given_more_time() {
    let bench = bench();
    bench.write("late.toml", LATE);
    let words = ["check", "--reference", "--seed", "3", "--scenario", "late.toml", "--only", "late"];
    bench.run(&words, LIMIT).assert(0, &["1 story"]);
    assert_eq!(bench.verdicts("regrant-out")["requirements"][0]["verdict"], "pass");
}

#[test]
fn a_story_of_the_users_own_cannot_take_the_name_of_a_built_in_one() {
    let bench = bench();
    bench.write("five_logins.toml", MINE);
    let words = ["check", "--reference", "--scenario", "five_logins.toml"];
    bench.run(&words, QUICK).assert(2, &["five_logins", "another file name"]);
}

#[test]
fn the_provider_alone_plays_every_story_and_says_what_is_left_to_the_person() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = fs::read_dir(scenarios).expect("the scenarios").map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let bench = bench();
        let title = fs::read_to_string(&file).expect("a story").parse::<toml::Table>().expect("TOML")["title"].clone();
        let title = title.as_str().expect("a title");
        let words = ["serve", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0", "--ready-file", "ready.json", "--scenario"];
        let running = bench.start(&[&words[..], &[&file.to_string_lossy()]].concat());
        let asked = |text: &str| text.split_once(title).is_some_and(|(_, after)| after.contains("You: "));
        let told = bench.until(QUICK, || asked(&bench.stdout()));
        assert!(told, "{}: nothing is left to the person:\n{}{}", file.display(), bench.stdout(), bench.stderr());
        let ready: Value = serde_json::from_str(&bench.text("ready.json")).expect("the ready file");
        assert!(ready["token_url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{ready}");
        running.signal(Signal::TERM);
        running.ended(QUICK).assert(0, &[]);
    }
}

/// The reference subject by a manifest of one's own, without its status.
fn manifest_without_status(bench: &Bench) -> String {
    let text = regrant::reference::MANIFEST.replace("{regrant}", env!("CARGO_BIN_EXE_regrant-under-test"));
    let mut manifest: toml::Table = text.parse().expect("the reference subject's manifest");
    manifest.remove("status").expect("a status");
    bench.write("regrant.toml", manifest.to_string());
    "regrant.toml".into()
}
