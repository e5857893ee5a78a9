//! What a user gets wrong, and what a subject does to its harness: each has its own clear error and exit code, nothing hangs, nothing
//! is left running, and what was seen until then is kept.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{net::TcpListener, time::Duration};

use acceptance::{Bench, Ended};
use rustix::process::Signal;

/// For what involves no subject.
const QUICK: Duration = Duration::from_secs(20);
/// For a few starts of a subject.
const LIMIT: Duration = Duration::from_secs(60);
/// One story, so that a run is short.
const ONE: [&str; 2] = ["--only", "restarted_while_disconnected"];

/// A server in the standard library; what it does wrong is in `MODE`.
const SERVER: &str = r#"
import os, socket, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE, PORT = os.environ.get("MODE", ""), int(os.environ["PORT"])

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        away = MODE == "redirects" and self.path.startswith("/connect")
        self.send_response(302 if away else 200)
        if away:
            self.send_header("Location", "/connect")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
    do_POST = do_GET
    def log_message(self, *_):
        pass

flooded = threading.Event()

def flood():
    for _ in range(100):
        sys.stdout.write("the same words again\n" * 1000)
    flooded.set()
    while True:
        sys.stdout.write("the same words again\n" * 1000)

def garbage():
    listener = socket.create_server(("127.0.0.1", PORT))
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"\x00\x01SSH-2.0-nonsense\r\n\r\n")
        connection.close()

if MODE == "garbage":
    garbage()
if MODE == "floods":
    threading.Thread(target=flood, daemon=True).start()
    flooded.wait()
if MODE == "forks":
    for _ in range(5):
        subprocess.Popen(["setsid", "sleep", "1000"])
if MODE == "hurries":
    noted = os.path.join(os.environ["HOME"], "..", "started-before")
    if not os.path.exists(noted):
        open(noted, "w").close()
        taken = socket.create_server(("127.0.0.1", PORT))
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"#;

/// A manifest whose verbs are plausible. `start` is inserted into `[start]`.
fn manifest(run: &str, start: &str, mode: &str) -> String {
    format!(
        r#"contract = 1
name     = "bad"

[start]
run = {run}
{start}

[start.env]
PORT = "{{port}}"
MODE = "{mode}"

[connect]
http = "GET {{base_url}}/connect"

[trigger]
http = "POST {{base_url}}/sync"
"#
    )
}

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"))
}

/// A bench with [`SERVER`] in this mode.
fn server(mode: &str, start: &str) -> Bench {
    let bench = bench();
    bench.write("server.py", SERVER);
    bench.write("regrant.toml", manifest(r#"["python3", "server.py"]"#, start, mode));
    bench
}

/// With `ready` as usual.
const READY: &str = "ready = \"{base_url}/\"";

fn program(run: &str, start: &str) -> Bench {
    let bench = bench();
    bench.write("regrant.toml", manifest(run, start, ""));
    bench
}

fn check(bench: &Bench) -> Ended {
    bench.run(&["check", "--seed", "7"], LIMIT)
}

fn check_one(bench: &Bench) -> Ended {
    bench.run(&["check", "--seed", "7", ONE[0], ONE[1]], LIMIT)
}

/// What is kept of a run whose subject never started: the story's beginning and why it ended.
fn assert_kept(bench: &Bench, event: &str) {
    let events = bench.events("regrant-out");
    assert!(events.iter().any(|e| e["event"] == "story-began"), "{events:?}");
    assert!(events.iter().any(|e| e["event"] == event), "no {event}: {:?}", events.iter().take(50).collect::<Vec<_>>());
}

// The files.

#[test]
fn a_typo_in_the_manifest_is_shown_with_its_line_and_the_nearest_key() {
    let bench = program(r#"["true"]"#, "raedy = \"{base_url}/\"");
    bench.run(&["check"], QUICK).assert(2, &["unknown key `raedy` in `start`, did you mean `ready`?", "regrant.toml:6:1"]);
}

#[test]
fn an_unknown_placeholder_is_shown_with_its_line_and_the_nearest_one() {
    let bench = program(r#"["true", "{prot}"]"#, "");
    bench.run(&["check"], QUICK).assert(2, &["unknown placeholder {prot}, did you mean {port}?", "regrant.toml:5:"]);
}

#[test]
fn a_manifest_that_is_a_folder_is_called_one() {
    let bench = bench();
    bench.write("regrant.toml/inside", "");
    bench.run(&["check", "."], QUICK).assert(2, &["regrant.toml is a folder, not a manifest"]);
}

#[test]
fn a_manifest_that_is_no_text_says_so() {
    let bench = bench();
    bench.write("regrant.toml", b"\xff\xfe\x00contract = 1");
    bench.run(&["check"], QUICK).assert(2, &["regrant.toml cannot be read", "valid UTF-8"]);
}

#[test]
fn ten_megabytes_of_garbage_are_refused_at_once_and_not_printed() {
    let lines = "a = [\n".repeat(10_000_000 / 6);
    let one_line = "a=".repeat(5_000_000);
    for garbage in [lines.as_str(), &one_line] {
        let bench = bench();
        bench.write("regrant.toml", garbage);
        let ended = bench.run(&["check"], QUICK);
        ended.assert(2, &["regrant.toml is not TOML"]);
        assert!(ended.stderr.len() < 10_000, "{} bytes were printed", ended.stderr.len());
    }
}

#[test]
fn a_key_of_a_scenario_that_does_not_exist_is_shown_with_its_place_and_the_nearest_one() {
    let bench = bench();
    bench.write("mine.toml", "titel = \"Mine\"\nabout = \"x\"\ntests = [\"STOP-01\"]\n");
    let ended = bench.run(&["check", "--reference", "--scenario", "mine.toml"], QUICK);
    ended.assert(2, &["unknown field `titel`", "mine.toml:1:1", "did you mean \"title\"?"]);
}

#[test]
fn a_requirement_of_a_scenario_that_does_not_exist_is_shown_with_its_place() {
    let bench = bench();
    bench.write("mine.toml", "title = \"Mine\"\nabout = \"x\"\ntests = [\"STOP-01\", \"STOPP-02\"]\n");
    let ended = bench.run(&["check", "--reference", "--scenario", "mine.toml"], QUICK);
    ended.assert(2, &["`STOPP-02` is no requirement of the register", "mine.toml:3:", "did you mean \"STOP-02\"?"]);
}

#[test]
fn a_scenario_file_that_is_missing_is_named() {
    bench().run(&["check", "--reference", "--scenario", "none.toml"], QUICK).assert(2, &["none.toml", "No such file"]);
}

// The command line.

#[test]
fn an_empty_selection_tells_what_there_is() {
    let ended = bench().run(&["check", "--reference", "--only", "STOP-01", "--skip", "STOP-01"], QUICK);
    ended.assert(2, &["the selection leaves nothing to tell", "regrant list"]);
}

#[test]
fn a_set_without_a_value_tells_the_form() {
    let bench = program(r#"["true"]"#, READY);
    bench.run(&["check", "--set", "nonsense"], QUICK).assert(2, &["--set nonsense: expected KEY=VALUE"]);
}

#[test]
fn a_set_is_held_to_the_same_rules_as_the_file() {
    let bench = program(r#"["true"]"#, READY);
    bench.run(&["check", "--set", "start.tmeout=1s"], QUICK).assert(2, &["unknown key `tmeout`", "did you mean `timeout`?", "--set"]);
    bench.run(&["check", "--set", "start.timeout=soon"], QUICK).assert(2, &["\"soon\" is no duration", "--set"]);
    bench.run(&["check", "--set", "contract=7"], QUICK).assert(2, &["this release reads contract 1, not 7"]);
}

// Subjects that do not start.

#[test]
fn a_build_that_fails_is_the_surroundings_and_shows_what_it_said() {
    let bench = bench();
    let build = "[build]\nrun = [\"sh\", \"-c\", \"echo compiling; echo no compiler >&2; exit 3\"]\n\n[start]";
    bench.write("regrant.toml", manifest(r#"["true"]"#, READY, "").replace("[start]\n", &format!("{build}\n")));
    check(&bench).assert(3, &["of [build] ended with exit status: 3", "no compiler"]);
}

#[test]
fn a_program_that_does_not_exist_is_named_once() {
    let bench = program(r#"["./no-such-program"]"#, READY);
    let ended = check(&bench);
    ended.assert(
        3,
        &["Nothing could be checked", "`./no-such-program` was not found", "remedy: install it", "exit 3 (the surroundings failed)"],
    );
    assert!(ended.stdout.starts_with("Nothing could be checked"), "{}", ended.stdout);
    assert_said_once(&ended, "was not found");
    assert_kept(&bench, "environment-fault");
}

#[test]
fn a_subject_that_dies_at_start_has_its_exit_code_and_last_words_told() {
    let bench = program(r#"["sh", "-c", "echo starting; echo no database >&2; exit 7"]"#, READY);
    let ended = check(&bench);
    ended.assert(3, &["subject exited with code 7 before it was ready", "no database", "starting"]);
    assert_said_once(&ended, "exited with code 7");
    assert_kept(&bench, "environment-fault");
}

#[test]
fn a_subject_that_is_killed_at_start_has_the_signal_told() {
    let bench = program(r#"["sh", "-c", "kill -9 $$"]"#, READY);
    check(&bench).assert(3, &["subject was killed by signal 9 before it was ready", "it printed nothing"]);
}

#[test]
fn a_subject_that_never_gets_ready_is_given_its_time_and_no_more() {
    let bench = program(r#"["sleep", "1000"]"#, "ready = \"{base_url}/\"\ntimeout = \"1s\"");
    let ended = check(&bench);
    ended.assert(3, &["subject was not ready after 1s", "Connection refused", "raise `start.timeout`, or correct `start.ready`"]);
    assert_said_once(&ended, "was not ready");
    assert_kept(&bench, "environment-fault");
}

#[test]
fn a_subject_that_only_talks_is_not_ready_and_is_not_kept_whole() {
    let bench = program(r#"["yes", "the same words again"]"#, "ready = \"{base_url}/\"\ntimeout = \"2s\"");
    check(&bench).assert(3, &["subject was not ready after 2s", "the same words again"]);
    assert_kept(&bench, "log-flooded");
    assert_small(&bench);
}

#[test]
fn a_subject_that_answers_with_something_else_than_http_is_not_ready() {
    let bench = server("garbage", "ready = \"{base_url}/\"\ntimeout = \"2s\"");
    check(&bench).assert(3, &["subject was not ready after 2s", "no answer from http://127.0.0.1:"]);
    assert_kept(&bench, "environment-fault");
}

#[test]
fn a_literal_port_that_is_taken_is_told_with_the_subjects_own_words() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let bench = bench();
    bench.write("server.py", SERVER);
    bench.write("regrant.toml", manifest(r#"["python3", "server.py"]"#, READY, "").replace("{port}", &port.to_string()));
    let ended = check(&bench);
    ended.assert(3, &["subject found its port taken", "Address already in use"]);
    assert_said_once(&ended, "found its port taken");
    assert_kept(&bench, "environment-fault");
}

#[test]
fn a_port_that_was_taken_meanwhile_is_replaced_by_another() {
    let bench = server("hurries", READY);
    let ended = check_one(&bench);
    // It started: what it cannot do is connect.
    ended.assert(4, &["could not be connected in the first place"]);
    let events = bench.events("regrant-out");
    let started = events.iter().filter(|e| e["event"] == "process-started").count();
    let ready = events.iter().filter(|e| e["event"] == "process-ready").count();
    assert_eq!((started, ready), (2, 1), "{events:?}");
}

// Subjects that start and misbehave.

#[test]
fn a_subject_that_redirects_for_ever_is_left_after_ten_redirects() {
    let bench = server("redirects", READY);
    check_one(&bench).assert(4, &["redirects for ever: after 10 redirects", "exit 4"]);
    assert_kept(&bench, "not-realised");
}

#[test]
fn a_subject_that_floods_its_output_while_it_serves_is_heard_within_bounds() {
    let bench = server("floods", READY);
    check_one(&bench).assert(4, &["connect did not lead to the authorise endpoint"]);
    assert_kept(&bench, "log-flooded");
    assert_small(&bench);
}

#[test]
fn children_that_leave_the_process_group_are_ended_with_the_subject() {
    let bench = server("forks", READY);
    // `run` itself fails if one of them is left.
    check_one(&bench).assert(4, &["connect did not lead to the authorise endpoint"]);
}

// Sudden ends.

#[test]
fn ctrl_c_in_mid_run_is_exit_130_and_keeps_what_was_seen() {
    let bench = bench();
    let running = bench.start(&["check", "--reference", "--seed", "7", "--jobs", "2"]);
    wait_until_some_stories_were_told(&bench);
    running.signal(Signal::INT);
    running.ended(QUICK).assert(130, &["exit 130 (cancelled)"]);
    let events = bench.events("regrant-out");
    assert!(events.iter().any(|e| e["event"] == "story-began") && events.len() > 50, "{} events", events.len());
    assert_eq!(bench.verdicts("regrant-out")["exit"], 130);
    assert!(!bench.text("regrant-out/junit.xml").is_empty() && !bench.text("regrant-out/summary.md").is_empty());
}

#[test]
fn ctrl_c_does_not_keep_a_sandbox_from_being_cleaned_up() {
    let bench = program(r#"["sh", "-c", "echo here; exec sleep 1000"]"#, "ready = { log = \"never said\" }");
    let cleanup = format!("{}\n[stop]\ncleanup = [[\"touch\", \"{{run_id}}-is-cleaned\"]]\n", bench.text("regrant.toml"));
    bench.write("regrant.toml", cleanup);
    let running = bench.start(&["check"]);
    assert!(bench.until(QUICK, || bench.processes().iter().any(|(_, line)| line.contains("sleep 1000"))), "not begun");
    running.signal(Signal::INT);
    running.ended(QUICK).assert(130, &["exit 130 (cancelled)"]);
    let entries = std::fs::read_dir(bench.path(".")).expect("the folder");
    let cleaned = entries.filter(|e| e.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().ends_with("-is-cleaned"))).count();
    assert_eq!(cleaned, 1);
}

#[test]
fn a_subject_does_not_outlive_a_harness_that_is_killed() {
    let bench = bench();
    let running = bench.start(&["check", "--reference", "--seed", "7", "--jobs", "2"]);
    wait_until_some_stories_were_told(&bench);
    // Between two stories there may be nothing for a moment.
    assert!(bench.until(QUICK, || bench.processes().len() > 1), "nothing was running");
    running.signal(Signal::KILL);
    let _ = running.ended_somehow(QUICK);
    bench.assert_nothing_runs();
}

#[test]
fn a_child_that_left_the_process_group_does_not_outlive_a_harness_that_is_killed() {
    let bench = server("forks", "ready = { log = \"never said\" }");
    let running = bench.start(&["check"]);
    assert!(bench.until(QUICK, || bench.processes().iter().filter(|(_, line)| line.contains("sleep 1000")).count() == 5), "not begun");
    running.signal(Signal::KILL);
    let _ = running.ended_somehow(QUICK);
    bench.assert_nothing_runs();
}

/// The probe is over and others go on.
fn wait_until_some_stories_were_told(bench: &Bench) {
    assert!(bench.until(LIMIT, || bench.stderr().contains("\nok ")), "no story ended:\n{}", bench.stderr());
}

/// Once while the run goes on, and once in the report; not once for each story.
fn assert_said_once(ended: &Ended, words: &str) {
    assert_eq!(ended.stdout.matches(words).count(), 1, "{}", ended.stdout);
    assert!(ended.stderr.matches(words).count() <= 1, "{}", ended.stderr);
}

/// The history of a story that floods is bounded by lines kept, a few megabytes.
fn assert_small(bench: &Bench) {
    let kept = bench.text("regrant-out/run.jsonl").len();
    assert!(kept < 8_000_000, "{kept} bytes of history");
}
