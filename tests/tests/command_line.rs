//! The command line as a user meets it: words in, text and exit codes out.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    fs,
    process::{Command, Output},
};

#[test]
fn without_words_there_is_help_and_exit_2() {
    let output = regrant(&[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("Usage: regrant <COMMAND>"));
}

#[test]
fn help_and_version_are_no_errors() {
    assert_eq!(code(&regrant(&["--help"])), 0);
    let version = regrant(&["--version"]);
    assert_eq!((code(&version), stdout(&version)), (0, format!("regrant {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_the_harness_uses_itself_is_not_in_the_help() {
    let help = stdout(&regrant(&["--help"]));
    assert!(!help.contains("supervise") && !help.contains("subject\n"), "{help}");
}

#[test]
fn an_unknown_flag_or_word_is_exit_2() {
    for words in [&["check", "--no-such-flag"][..], &["dance"], &["check", "--jobs", "0"], &["check", "--reference", "x", "regrant.toml"]] {
        assert_eq!(code(&regrant(words)), 2, "{words:?}");
    }
}

#[test]
fn a_missing_manifest_is_exit_2_and_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = regrant(&["check", &folder.path().to_string_lossy()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("there is no manifest at") && stderr(&output).contains("regrant.toml"), "{}", stderr(&output));
}

#[test]
fn a_selection_that_names_nothing_is_exit_2_and_tells_what_there_is() {
    let output = regrant(&["check", "--reference", "--only", "STOP-99"]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("\"STOP-99\" selects nothing; did you mean \"STOP"), "{said}");
    assert!(said.contains("groups DETECT, STOP, PURGE"), "{said}");
}

#[test]
fn a_line_that_is_not_decided_is_listed_and_explained_and_cannot_be_selected() {
    let listed = stdout(&regrant(&["list"]));
    assert!(listed.lines().any(|line| line.starts_with("PURGE-06 ") && line.ends_with("(not decided by this version)")), "{listed}");
    assert!(stdout(&regrant(&["explain", "PURGE-06"])).contains("no story: this version does not decide it"));
    let output = regrant(&["check", "--reference", "--only", "PURGE-06"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("PURGE-06 is registered, but not decided by this version"), "{}", stderr(&output));
}

#[test]
fn an_unknown_defect_is_exit_2() {
    let output = regrant(&["check", "--reference", "no_such_defect"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no_such_defect"), "{}", stderr(&output));
}

#[test]
fn the_register_can_be_read_by_programs() {
    let output = regrant(&["list", "--format", "json"]);
    assert_eq!(code(&output), 0);
    let register: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let first = &register[0];
    assert_eq!(
        (first["id"].as_str(), first["level"].as_str(), first["severity"].as_str()),
        (Some("DETECT-01"), Some("MUST"), Some("error"))
    );
    assert!(first["sentence"].is_string() && first["sources"].is_array() && first["stories"].is_array(), "{first}");
}

#[test]
fn a_requirement_is_explained_in_any_case_and_a_near_miss_gets_a_hint() {
    let output = regrant(&["explain", "stop-01"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("How to fix a failure"));
    let output = regrant(&["explain", "STPO-01"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("did you mean \"STOP-01\"?"), "{}", stderr(&output));
}

#[test]
fn a_run_that_cannot_be_read_is_exit_2_and_names_the_line() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(code(&regrant(&["judge", &folder.path().to_string_lossy()])), 2);
    let run = folder.path().join("run.jsonl");
    let header = r#"{"contract":1,"regrant":"0.1.0","subject":"crm","seed":1,"terms":{}}"#;
    fs::write(&run, format!("{header}\n{{\"story\":\"a\",\"n\":1}}\n")).expect("written");
    let output = regrant(&["judge", &run.to_string_lossy()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
}

#[test]
fn a_saved_run_is_judged_again_and_sent_where_it_is_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let header = r#"{"contract":1,"regrant":"0.1.0","subject":"crm","seed":7,"terms":{}}"#;
    fs::write(folder.path().join("run.jsonl"), format!("{header}\n")).expect("written");
    let junit = folder.path().join("deep").join("junit.xml");
    let output =
        regrant(&["judge", &folder.path().to_string_lossy(), "--format", "json", "--format", &format!("junit={}", junit.display())]);
    let verdicts: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON on stdout and nothing else");
    assert_eq!((verdicts["subject"].as_str(), verdicts["seed"].as_u64()), (Some("crm"), Some(7)));
    assert_eq!(verdicts["exit"].as_i64(), Some(code(&output).into()));
    assert!(fs::read_to_string(junit).expect("written").starts_with("<?xml"));
}

#[test]
fn a_run_that_was_told_is_judged_again_to_the_same_verdicts() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let out = out.to_string_lossy();
    let told = regrant(&["check", "--reference", "keeps-calling", "--only", "user_revokes_access", "--seed", "11", "--out", &out]);
    assert_eq!(code(&told), 1, "{}{}", stdout(&told), stderr(&told));
    assert!(stdout(&told).contains("FAIL  STOP-01"), "{}", stdout(&told));
    assert!(stdout(&told).contains("Again: regrant check --reference keeps-calling --only STOP-01"), "{}", stdout(&told));
    let again = regrant(&["judge", &out, "--format", "json"]);
    assert_eq!(code(&again), 1);
    let [kept, again] = [fs::read_to_string(folder.path().join("out/verdicts.json")).expect("kept"), stdout(&again)]
        .map(|json| serde_json::from_str::<serde_json::Value>(&json).expect("JSON"));
    assert_eq!(kept["requirements"], again["requirements"]);
    assert_eq!(kept["stories"], again["stories"]);
    for file in ["run.jsonl", "junit.xml", "summary.md"] {
        assert!(fs::metadata(folder.path().join("out").join(file)).is_ok_and(|file| file.len() > 0), "{file}");
    }
}

#[test]
fn shells_and_editors_get_what_they_ask_for() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&regrant(&["completions", shell])).contains("regrant"), "{shell}");
    }
    assert!(stdout(&regrant(&["man"])).contains(".TH regrant"));
    for of in ["manifest", "scenario", "baseline"] {
        let schema: serde_json::Value = serde_json::from_str(&stdout(&regrant(&["schema", of]))).expect("JSON");
        assert!(schema.is_object(), "{of}");
    }
}

fn regrant(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_regrant-under-test")).args(words).output().expect("regrant runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
