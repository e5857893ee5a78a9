//! The way to a first verdict: `regrant init` writes a manifest, `regrant doctor` says whether it works and what is missing.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use acceptance::Bench;

const LIMIT: Duration = Duration::from_secs(300);
const QUICK: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_regrant-under-test");

fn bench() -> Bench {
    Bench::new(PROGRAM)
}

#[test]
fn what_init_writes_passes_the_doctor_and_lines_that_it_shows_are_missed_no_more() {
    let bench = bench();
    let run = format!("'{PROGRAM}' subject");
    let words =
        ["init", "app", "--name", "crm-sync", "--run", &run, "--connect", "/connect?connection=acme", "--trigger", "/sync?connection=acme"];
    let more = [
        "--ready",
        "{base_url}/status?connection=acme",
        "--env",
        "STATE_DIR={state_dir}",
        "--env",
        "CONNECTIONS=acme",
        "--env",
        "STORE_KEY=a key",
    ];
    bench.write("app/README", "");
    bench.run(&[&words[..], &more].concat(), QUICK).assert(0, &["app/regrant.toml is written", "regrant doctor app/regrant.toml"]);
    let examined = bench.run(&["doctor", "app", "--seed", "4"], LIMIT);
    examined.assert(0, &["crm-sync", "works start", "works connect", "works trigger", "works reconnect", "requirements need nothing more"]);
    for line in ["[status] http", "[prompt] http", "[settings] http", "period = \"none\""] {
        assert_eq!(examined.says(line), 1, "{line}: {}", examined.stdout);
    }
    let status = "[status]\nhttp = \"GET {base_url}/status?connection=acme\"\nconnected = { json = \"/state\", is = \"connected\" }\ndisconnected = { json = \"/state\", is = \"needs_reauth\" }\n";
    bench.write("app/regrant.toml", bench.text("app/regrant.toml") + status);
    let examined = bench.run(&["doctor", "app", "--seed", "4"], LIMIT);
    examined.assert(0, &["works status it reads connected"]);
    assert_eq!(examined.says("[status] http"), 0, "{}", examined.stdout);
}

#[test]
fn init_writes_over_nothing_unless_it_is_told_to() {
    let bench = bench();
    bench.run(&["init"], QUICK).assert(2, &["--run \"python3 app.py\""]);
    bench.run(&["init", "--run", "python3 'app.py"], QUICK).assert(2, &["a quotation mark is not closed"]);
    bench.run(&["init", "--run", "python3 app.py", "--env", "X"], QUICK).assert(2, &["expected NAME=VALUE"]);
    // What would be no manifest is not written.
    bench.run(&["init", "--run", "python3 app.py", "--ready", "{base_ulr}/"], QUICK).assert(2, &["did you mean {base_url}"]);
    assert!(!bench.path("regrant.toml").exists());
    bench.run(&["init", "--run", "python3 app.py"], QUICK).assert(0, &["regrant.toml is written"]);
    let first = bench.text("regrant.toml");
    bench.run(&["init", "--run", "node app.js"], QUICK).assert(2, &["is there already", "--force"]);
    assert_eq!(bench.text("regrant.toml"), first);
    bench.run(&["init", "--run", "node app.js", "--force"], QUICK).assert(0, &[]);
    assert!(bench.text("regrant.toml").contains("run   = [\"node\", \"app.js\"]"), "{}", bench.text("regrant.toml"));
    bench.run(&["init", "no/such/folder/regrant.toml", "--run", "x"], QUICK).assert(0, &[]);
}

#[test]
fn the_doctor_says_which_control_fails_and_whose_fault_it_is() {
    let bench = bench();
    bench.run(&["doctor", "nowhere"], QUICK).assert(2, &["there is no manifest at nowhere"]);
    bench
        .run(&["doctor", "--reference", "--seed", "4"], LIMIT)
        .assert(0, &["works status", "works storage", "works logs", "works reconnect"]);
    let run = format!("'{PROGRAM}' subject");
    let init = [
        "init",
        "--force",
        "--run",
        &run,
        "--ready",
        "{base_url}/status",
        "--connect",
        "/connect?connection=acme",
        "--trigger",
        "/no-such-page",
    ];
    bench
        .run(&[&init[..], &["--env", "STATE_DIR={state_dir}", "--env", "CONNECTIONS=acme", "--env", "STORE_KEY=a key"]].concat(), QUICK)
        .assert(0, &[]);
    bench.run(&["doctor"], LIMIT).assert(4, &["works connect", "fails trigger", "Until this works nothing can be decided"]);
    bench.run(&["init", "--force", "--run", "/no/such/program"], QUICK).assert(0, &[]);
    bench.run(&["doctor"], LIMIT).assert(3, &["fails start"]);
}
