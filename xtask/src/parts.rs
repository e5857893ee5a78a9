//! Which parts the chores have.

use std::{process::ExitCode, thread, time::Duration};

use crate::{
    part::{Outcome, Part, cargo, command, root, run, run_beside, word},
    totals::Totals,
};

/// Programs in other languages: name, folder, and the command that gets ready what they need, or shows that it is there.
const FOREIGN: [(&str, &str, &[&str]); 20] = [
    ("python-authlib", "examples/python-authlib", &["python3", "ensure_venv.py"]),
    ("node-openid-client", "examples/node-openid-client", &["node", "ensure_modules.mjs"]),
    ("tombstone", "tests/subjects/honest/tombstone", &["go", "build", "-o", "bin/tombstone", "."]),
    ("early-refresher", "tests/subjects/honest/early-refresher", &["go", "build", "-o", "bin/early-refresher", "."]),
    ("encrypted-store", "tests/subjects/honest/encrypted-store", &["javac", "-version"]),
    ("refresh-on-401", "tests/subjects/honest/refresh-on-401", &["python3", "install.py"]),
    ("queue-on-disk", "tests/subjects/honest/queue-on-disk", &["python3", "-m", "venv", "--without-pip", ".venv"]),
    ("one-shot", "tests/subjects/honest/one-shot", &["python3", "-m", "venv", "--without-pip", ".venv"]),
    ("json-api-only", "tests/subjects/honest/json-api-only", &["node", "--version"]),
    ("crash-only", "tests/subjects/honest/crash-only", &["node", "--version"]),
    ("bookkeeper", "tests/subjects/faulty/bookkeeper", &["python3", "--version"]),
    ("roster", "tests/subjects/faulty/roster", &["node", "--version"]),
    ("clients-python", "tests/clients", &["sh", "ensure.sh", "python"]),
    ("clients-node", "tests/clients", &["sh", "ensure.sh", "node"]),
    ("clients-go", "tests/clients", &["sh", "ensure.sh", "go"]),
    ("clients-jvm", "tests/clients", &["sh", "ensure.sh", "jvm"]),
    ("clients-curl", "tests/clients", &["sh", "ensure.sh", "curl"]),
    ("clients-schemathesis", "tests/clients", &["sh", "ensure.sh", "schemathesis"]),
    ("java", "tests/subjects/intercepted", &["java", "-version"]),
    ("go", "tests/subjects/intercepted", &["go", "version"]),
];

/// Parts of the names of the tests that go in the second lane: those that judge a whole subject in another language by every story, and those
/// that tell every saved order again. They take as long as all others.
const BESIDE: [&str; 3] = ["no_honest_subject_is_accused", "_example_is_", "every_race_that_was_found"];

/// `cargo xtask test`.
pub(crate) fn test() -> ExitCode {
    let mut parts = vec![run("fmt", &mut cargo(["fmt", "--all", "--check"]))];
    // What is installed is mostly waited for.
    let (clippy, ready) = thread::scope(|scope| {
        let ready = scope.spawn(|| FOREIGN.map(make_ready));
        let words = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
        let clippy = run("clippy", once_only(&mut cargo(words)));
        (clippy, ready.join())
    });
    let Ok(ready) = ready else { return ExitCode::FAILURE };
    parts.push(clippy);
    let left_out: Vec<&str> = ready.iter().filter(|part| part.outcome != Outcome::Done).map(|part| part.name).collect();
    let tests = |words: &[&str]| {
        let mut tests = tests(words);
        once_only(tests.env("REGRANT_LEFT_OUT", left_out.join(",")));
        tests
    };
    let compiled = run("compiling tests", &mut tests(&["--no-run"]));
    let is_compiled = compiled.outcome == Outcome::Done;
    let rustdoc = || run("rustdoc", cargo(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings"));
    parts.push(compiled);
    if is_compiled {
        let others: Vec<&str> = std::iter::once("--").chain(BESIDE.iter().flat_map(|name| ["--skip", name])).collect();
        let beside = [&["--tests", "--"], &BESIDE[..]].concat();
        // Both wait for a good part of their time.
        let (others, rustdoc, beside) = thread::scope(|scope| {
            let beside = scope.spawn(|| run_beside("whole runs and saved orders", &mut tests(&beside)));
            (run("other tests and doc tests", &mut tests(&others)), rustdoc(), beside.join())
        });
        let Ok(beside) = beside else { return ExitCode::FAILURE };
        parts.extend([others, beside, rustdoc]);
    } else {
        parts.push(rustdoc());
    }
    parts.extend(ready);
    conclude(&parts)
}

/// `cargo xtask features`.
pub(crate) fn features() -> ExitCode {
    // Only the writer: the other tests look at what was built in before.
    let words = ["test", "--quiet", "--package", "acceptance", "--test", "pairs", "the_features_name"];
    let part = run("features", cargo(words).env("REGRANT_UPDATE", "1"));
    if part.outcome == Outcome::Done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `cargo xtask bench`. Built apart, so that neither gets what only the other asks of a shared dependency.
pub(crate) fn bench(words: &[String]) -> ExitCode {
    let programs = ["regrant", "regrant-bench"];
    if programs.iter().any(|package| !succeeds(&mut cargo(["build", "--release", "--package", package]))) {
        return ExitCode::FAILURE;
    }
    let run = ["run", "--quiet", "--release", "--package", "regrant-bench", "--"].map(str::to_owned);
    if succeeds(&mut cargo(run.iter().chain(words))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `cargo xtask matrix`; with `--foreign`, of the defects in subjects that are not written in Rust.
pub(crate) fn matrix(words: &[String]) -> ExitCode {
    if words.iter().any(|word| word == "--foreign") {
        let test =
            ["test", "--release", "--package", "acceptance", "--test", "faulty_subjects", "--", "--nocapture", "--ignored", "every_defect"];
        return if succeeds(cargo(test).env("REGRANT_EVERY_STORY", "1")) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    acceptance("matrix", words, "")
}

/// `cargo xtask hunt`.
pub(crate) fn hunt(words: &[String]) -> ExitCode {
    acceptance("hunt", words, "")
}

/// `cargo xtask soak`, with the honest subjects made ready first.
pub(crate) fn soak(words: &[String]) -> ExitCode {
    let wanted = |folder: &str| folder.starts_with("tests/subjects/honest") && !words.iter().any(|word| word == "--reference");
    let ready: Vec<Part> = FOREIGN.into_iter().filter(|(_, folder, _)| wanted(folder)).map(make_ready).collect();
    let left_out: Vec<&str> = ready.iter().filter(|part| part.outcome != Outcome::Done).map(|part| part.name).collect();
    acceptance("soak", words, &left_out.join(","))
}

/// A program of the acceptance crate, optimised; the program under test lies beside it.
fn acceptance(program: &str, words: &[String], left_out: &str) -> ExitCode {
    if !succeeds(&mut cargo(["build", "--release", "--package", "acceptance", "--bins"])) {
        return ExitCode::FAILURE;
    }
    let run = ["run", "--quiet", "--release", "--package", "acceptance", "--bin", program, "--"].map(str::to_owned);
    if succeeds(cargo(run.iter().chain(words)).env("REGRANT_LEFT_OUT", left_out)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn succeeds(command: &mut std::process::Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Generated files (snapshots, the Examples tables) are held by tests: one that is not up to date must fail, and never be rewritten.
fn tests(words: &[&str]) -> std::process::Command {
    let mut tests = cargo(["test", "--workspace", "--no-fail-fast"]);
    tests.args(words).env("INSTA_UPDATE", "no").env_remove("REGRANT_UPDATE");
    tests
}

/// What is compiled once and thrown away gains nothing from being prepared for the next time.
fn once_only(command: &mut std::process::Command) -> &mut std::process::Command {
    if is_ci() { command.env("CARGO_INCREMENTAL", "0") } else { command }
}

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn make_ready((name, folder, words): (&'static str, &str, &[&str])) -> Part {
    let (program, words) = words.split_first().unwrap_or((&"true", &[]));
    if !root().join(folder).is_dir() {
        let outcome = Outcome::LeftOut(format!("{folder} is not there"));
        return Part { name, outcome, took: Duration::ZERO, totals: Totals::default() };
    }
    let mut part = run(name, command(program, words).current_dir(root().join(folder)));
    // What cannot be got ready (no network, no interpreter, no compiler) is not a defect of the project.
    if part.outcome == Outcome::Failed {
        part.outcome = Outcome::LeftOut("what it needs could not be made ready".into());
    }
    part
}

/// Everything at a glance, and the totals as the last line.
fn conclude(parts: &[Part]) -> ExitCode {
    let ci = is_ci();
    let is_bad = |part: &&Part| match part.outcome {
        Outcome::Done => false,
        Outcome::Failed => true,
        Outcome::LeftOut(_) => ci,
    };
    println!();
    for part in parts {
        let why = if let Outcome::LeftOut(why) = &part.outcome { format!(" ({why})") } else { String::new() };
        println!("{:<20} {:>7.1} s  {}{why}", part.name, part.took.as_secs_f64(), word(&part.outcome));
    }
    let bad = parts.iter().filter(is_bad).count();
    if ci && parts.iter().any(|part| matches!(part.outcome, Outcome::LeftOut(_))) {
        println!("CI=true: a part that is left out counts as failed");
    }
    let (passed, failed) = totals(parts, is_bad);
    println!("{passed} passed, {failed} failed");
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tests of all parts. A part that fails without a failed test, such as one that does not compile, counts as one.
fn totals(parts: &[Part], is_bad: impl Fn(&&Part) -> bool) -> (u64, u64) {
    parts.iter().fold((0, 0), |(passed, failed), part| {
        let alone = u64::from(is_bad(&part) && part.totals.failed == 0);
        (passed + part.totals.passed, failed + part.totals.failed + alone)
    })
}
