//! What is done with verdicts: known failures excused, a run told in shards and put together, saved runs rendered in every format.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::BTreeMap, time::Duration};

use acceptance::Bench;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(240);
const QUICK: Duration = Duration::from_secs(20);
const STORY: &str = "restarted_while_disconnected";

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"))
}

fn verdicts(document: &Value) -> BTreeMap<String, String> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    document["requirements"].as_array().expect("requirements").iter().map(|one| (text(one, "id"), text(one, "verdict"))).collect()
}

fn known(requirement: &str, story: &str, expires: &str) -> String {
    format!("[[known]]\nrequirement = \"{requirement}\"\nstory = \"{story}\"\nreason = \"CRM-12\"\nexpires = {expires}\n")
}

#[test]
fn a_known_failure_is_excused_until_it_passes_or_its_day_is_over() {
    let bench = bench();
    let check = ["check", "--reference", "mark-in-memory", "--seed", "5", "--only", STORY];
    bench.run(&check, LIMIT).assert(1, &["FAIL MARK-02"]);
    let failing: Vec<String> =
        verdicts(&bench.verdicts("regrant-out")).into_iter().filter(|(_, v)| v == "fail").map(|(id, _)| id).collect();
    let entries = |expires: &str| failing.iter().map(|id| known(id, STORY, expires)).collect::<String>();

    bench.write("known.toml", format!("contract = 1\n{}", entries("9999-12-31")));
    let judged = bench.run(&["judge", "regrant-out", "--baseline", "known.toml"], QUICK);
    judged.assert(0, &["Known failures", "MARK-02", "known until 9999-12-31: CRM-12"]);
    bench.write("known.toml", format!("contract = 1\n{}", entries("2001-01-01")));
    bench.run(&["judge", "regrant-out", "--baseline", "known.toml"], QUICK).assert(1, &["FAIL MARK-02", "it expired after 2001-01-01"]);

    let stale = [
        known("MARK-02", "user_revokes_access", "9999-12-31"),
        known("STOP-99", STORY, "9999-12-31"),
        known("STOP-04", STORY, "9999-12-31"),
    ];
    bench.write("known.toml", format!("contract = 1\n{}{}", entries("9999-12-31"), stale.concat()));
    let judged = bench.run(&["judge", "regrant-out", "--baseline", "known.toml", "--format", "json"], QUICK);
    judged.assert(1, &[]);
    let said: Value = serde_json::from_str(&judged.stdout).expect("JSON");
    let why: Vec<&str> = said["stale"].as_array().expect("stale").iter().filter_map(|one| one["why"].as_str()).collect();
    assert_eq!(why, ["MARK-02 is not judged in user_revokes_access", "there is no requirement STOP-99", "it does not fail any more"]);
    assert_eq!((verdicts(&said)["MARK-02"].as_str(), said["exit"].as_i64()), ("known-fail", Some(1)));
}

#[test]
fn a_baseline_that_is_wrong_is_refused_before_anything_is_told() {
    let bench = bench();
    bench.run(&["check", "--reference", "--baseline", "none.toml"], QUICK).assert(2, &["cannot read the baseline none.toml"]);
    let entry = known("STOP-01", "user_revokes_access", "2030-01-01");
    for (text, said) in [
        (entry.clone(), "missing field `contract`"),
        (format!("contract = 1\n{}", entry.replace("reason = \"CRM-12\"\n", "")), "missing field `reason`"),
        (format!("contract = 1\n{}", entry.replace("2030-01-01", "\"2030-02-30\"")), "`expires` is \"2030-02-30\""),
        (format!("contract = 1\n{}", entry.replace("2030-01-01", "\"soon\"")), "write the last day on which it is put up with"),
        (format!("contract = 1\n{entry}{entry}"), "STOP-01 in user_revokes_access is listed twice"),
        ("contract = 1\nknown = [".to_owned(), "known.toml:2"),
    ] {
        bench.write("known.toml", text);
        bench.run(&["check", "--reference", "--baseline", "known.toml"], QUICK).assert(2, &["known.toml", said]);
    }
}

#[test]
fn shards_put_together_say_what_the_whole_says() {
    let bench = bench();
    let only = "user_revokes_access,token_endpoint_unavailable,restarted_while_disconnected,parallel_work_needs_one_refresh";
    let check = ["check", "--reference", "keeps-calling", "--seed", "9", "--only", only];
    bench.run(&check, LIMIT).assert(1, &["4 stories"]);
    for (shard, out) in [("1/2", "one"), ("2/2", "two")] {
        let words = [&check[..], &["--shard", shard, "--out", out, "-q"]].concat();
        let _ = bench.run(&words, LIMIT);
    }
    let told = |out: &str| -> Vec<String> {
        let stories = bench.verdicts(out)["stories"].as_array().expect("stories").clone();
        stories.iter().filter_map(|story| Some(story["name"].as_str()?.to_owned())).collect()
    };
    let (one, two) = (told("one"), told("two"));
    assert!(
        !one.is_empty() && !two.is_empty() && one.len() + two.len() == 4 && !one.iter().any(|story| two.contains(story)),
        "{one:?} {two:?}"
    );
    let merged = bench.run(&["report", "two", "one", "--out", "whole", "--format", "json"], QUICK);
    merged.assert(1, &[]);
    let merged: Value = serde_json::from_str(&merged.stdout).expect("JSON");
    assert_eq!(verdicts(&merged), verdicts(&bench.verdicts("regrant-out")));
    assert_eq!(verdicts(&merged), verdicts(&bench.verdicts("whole")));
    bench.run(&["judge", "whole"], QUICK).assert(1, &["FAIL STOP-01", "4 stories"]);
    // Requirements of the other shard are left out, and not undecided.
    for out in ["one", "two"] {
        let left = verdicts(&bench.verdicts(out));
        assert!(left.len() < verdicts(&merged).len() && !left.values().any(|verdict| verdict == "undecided"), "{out}: {left:?}");
    }

    bench
        .run(&["report", "one"], QUICK)
        .assert(i32::try_from(bench.verdicts("one")["exit"].as_i64().expect("a status")).expect("small"), &[]);
    bench.run(&["report", "one", "one"], QUICK).assert(2, &["is there twice"]);
    bench.run(&["report", "one", "regrant-out"], QUICK).assert(2, &["is a whole run, not a shard"]);
    bench.run(&["report", "one", "none"], QUICK).assert(2, &["none"]);
    let seeded = bench.text("two/run.jsonl").replacen("\"seed\":9", "\"seed\":10", 1);
    bench.write("other/run.jsonl", seeded);
    bench.run(&["report", "one", "other"], QUICK).assert(2, &["the seed is 9 in one and 10 in the other"]);
}

#[test]
fn a_shard_that_is_none_is_refused() {
    let bench = bench();
    for wrong in ["0/3", "4/3", "3", "a/b", "1/0", "/", ""] {
        let words = ["check", "--reference", "--seed", "1", "--shard", wrong];
        bench.run(&words, QUICK).assert(2, &["expected I/N with I from 1 to N"]);
    }
    bench.run(&["check", "--reference", "--shard", "1/3"], QUICK).assert(2, &["needs --seed N"]);
    let words = ["check", "--reference", "--seed", "1", "--only", STORY, "--shard", "2/2"];
    bench.run(&words, QUICK).assert(2, &["shard 2/2 has no story: the selection leaves 1"]);
}

#[test]
fn a_saved_run_is_rendered_in_every_format() {
    let bench = bench();
    bench.run(&["check", "--reference", "mark-in-memory", "--seed", "5", "--only", STORY], LIMIT).assert(1, &[]);
    assert!(bench.text("regrant-out/report.html").starts_with("<!doctype html>"));
    let formats = ["json", "junit", "ctrf", "tap", "markdown", "html", "sarif"];
    let words: Vec<String> = formats.iter().flat_map(|format| ["--format".to_owned(), format!("{format}=out/{format}")]).collect();
    let words: Vec<&str> = ["report", "regrant-out"].into_iter().chain(words.iter().map(String::as_str)).collect();
    bench.run(&words, QUICK).assert(1, &["FAIL MARK-02"]);
    for format in formats {
        assert!(bench.text(&format!("out/{format}")).contains("MARK-02"), "{format}");
    }
    let json = |name: &str| -> Value { serde_json::from_str(&bench.text(name)).expect("JSON") };
    let (ctrf, sarif) = (json("out/ctrf"), json("out/sarif"));
    assert_eq!((ctrf["reportFormat"].as_str(), ctrf["results"]["extra"]["exit"].as_i64()), (Some("CTRF"), Some(1)));
    let failed = |result: &&Value| result["ruleId"] == "MARK-02" && result["kind"] == "fail";
    let result = sarif["runs"][0]["results"].as_array().expect("results").iter().find(failed).expect("the failure").clone();
    // It points at the event in run.jsonl.
    let line = result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().expect("a line");
    let event: Value =
        serde_json::from_str(bench.text("regrant-out/run.jsonl").lines().nth(usize::try_from(line).expect("small") - 1).expect("a line"))
            .expect("JSON");
    assert_eq!(event["n"].as_u64(), Some(line - 1));
    let points = bench.text("out/tap");
    let plan: usize = points.lines().nth(1).and_then(|line| line.strip_prefix("1..")?.parse().ok()).expect("a plan");
    assert_eq!(points.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count(), plan);

    bench.run(&["report", "regrant-out", "--format", "pdf"], QUICK).assert(2, &["--format pdf: there are text, json"]);
    bench.run(&["report"], QUICK).assert(2, &["RUN"]);
    bench.run(&["report", "nowhere"], QUICK).assert(2, &["nowhere", "cannot read the run"]);
}
