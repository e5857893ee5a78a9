//! The supervisor with real processes: nothing a subject does to its children may outlive its sandbox.
#![allow(clippy::expect_used, missing_docs, reason = "a test may say what it expected")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use regrant::subject::{ProcId, Sandbox, Signal, SpawnError, SpawnRequest, Stdin, Stream, SubjectError, Supervisor, SupervisorEvent};
use tokio::sync::mpsc::UnboundedReceiver;

const LONG: Duration = Duration::from_secs(20);
/// A shell that leaves children behind in sessions of their own, one of them with an empty environment, and prints their ids.
const SCATTER: &str = "setsid sleep 600 & echo $!; (setsid sh -c 'sleep 600 & echo $!; echo $$; wait' &) ; env -i setsid sleep 600 & echo $!; \
                       sleep 600 & echo $!; echo done";

fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_regrant"))
}

fn request(sandbox: &Sandbox, argv: &[&str]) -> SpawnRequest {
    SpawnRequest {
        name: "subject".into(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: sandbox.env(&[]),
        cwd: sandbox.path().to_owned(),
        stdin: Stdin::Empty,
        private: false,
    }
}

fn shell(sandbox: &Sandbox, script: &str) -> SpawnRequest {
    request(sandbox, &["sh", "-c", script])
}

async fn next(events: &mut UnboundedReceiver<SupervisorEvent>) -> SupervisorEvent {
    tokio::time::timeout(LONG, events.recv()).await.expect("an event in time").expect("the supervisor lives")
}

async fn next_line(events: &mut UnboundedReceiver<SupervisorEvent>) -> String {
    loop {
        if let SupervisorEvent::Line { text, .. } = next(events).await {
            return text;
        }
    }
}

async fn lines_until(events: &mut UnboundedReceiver<SupervisorEvent>, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = next_line(events).await;
        if line == last {
            return lines;
        }
        lines.push(line);
    }
}

/// The five ids that [`SCATTER`] prints; the grandchildren's may come after its last word.
async fn scattered(events: &mut UnboundedReceiver<SupervisorEvent>) -> Vec<u32> {
    let mut pids = Vec::new();
    while pids.len() < 5 {
        if let Ok(pid) = next_line(events).await.parse() {
            pids.push(pid);
        }
    }
    pids
}

/// R, S, T, Z …; none if there is no such process.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

async fn gone(pids: &[u32]) -> bool {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        if !pids.iter().any(|pid| lives(*pid)) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn output_comes_line_by_line_and_before_the_end() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let proc = supervisor.spawn(&shell(&sandbox, "echo one; echo two >&2; printf 'a\\377b'; exit 3")).await.expect("spawned");
    assert!(matches!(next(&mut events).await, SupervisorEvent::Started { proc: ProcId(_), name, pid: 2.., .. } if name == "subject"));
    let mut lines = Vec::new();
    let (code, signal) = loop {
        match next(&mut events).await {
            SupervisorEvent::Line { stream, text, .. } => lines.push((stream, text)),
            SupervisorEvent::Exited { code, signal, .. } => break (code, signal),
            other @ (SupervisorEvent::Started { .. } | SupervisorEvent::Flooded { .. }) => panic!("{other:?}"),
        }
    };
    assert_eq!((code, signal), (Some(3), None));
    lines.sort_by_key(|(stream, _)| *stream == Stream::Stderr);
    let expected = [(Stream::Stdout, "one"), (Stream::Stdout, "a\u{fffd}b"), (Stream::Stderr, "two")];
    assert_eq!(lines, expected.map(|(stream, text)| (stream, text.to_owned())));
    assert_eq!(supervisor.exit_of(proc).expect("ended").code, Some(3));
    assert_eq!(supervisor.finish().await.expect("finished"), 0);
}

#[tokio::test]
async fn the_environment_is_the_one_asked_for() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, _events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let mut env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    env.insert("GREETING".into(), "hello".into());
    let ended = supervisor.run_to_end(&SpawnRequest { env, ..request(&sandbox, &["env"]) }, LONG).await.expect("ran");
    let mut names: Vec<_> = ended.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["GREETING", "PATH", "RG_TREE"]);
}

#[tokio::test]
async fn finish_ends_and_counts_what_is_left_even_in_other_sessions() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    supervisor.spawn(&shell(&sandbox, SCATTER)).await.expect("spawned");
    let pids = scattered(&mut events).await;
    assert!(pids.iter().all(|pid| lives(*pid)));
    assert_eq!(supervisor.finish().await.expect("finished"), 5);
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

#[tokio::test]
async fn a_dropped_supervisor_leaves_nothing_behind() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    supervisor.spawn(&shell(&sandbox, SCATTER)).await.expect("spawned");
    let pids = scattered(&mut events).await;
    drop(supervisor);
    assert!(gone(&pids).await);
}

#[test]
fn nothing_outlives_a_harness_that_is_killed() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let this = std::env::current_exe().expect("path");
    let mut harness = Command::new(this)
        .args(["--exact", "a_harness_that_waits_to_be_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let out = BufReader::new(harness.stdout.take().expect("piped"));
    let pids: Vec<u32> =
        out.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("left behind: ")?.parse().ok()).take(6).collect();
    assert_eq!(pids.len(), 6);
    assert!(pids.iter().all(|pid| lives(*pid)));
    harness.kill().expect("killed");
    harness.wait().expect("reaped");
    assert!(runtime.block_on(gone(&pids)));
}

/// Not a test: what [`nothing_outlives_a_harness_that_is_killed`] kills.
#[test]
#[ignore = "run by another test, which kills it"]
fn a_harness_that_waits_to_be_killed() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(async {
        let mut sandbox = Sandbox::create().expect("sandbox");
        let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
        let proc = supervisor.spawn(&shell(&sandbox, &format!("{SCATTER}; sleep 600"))).await.expect("spawned");
        let pids = scattered(&mut events).await;
        // Nobody will be there to remove it.
        sandbox.keep();
        std::fs::remove_dir_all(sandbox.path()).expect("removed");
        for pid in pids.into_iter().chain(supervisor.tree(proc).await.expect("asked").first().copied()) {
            println!("\nleft behind: {pid}");
        }
        std::future::pending::<()>().await;
    });
}

#[tokio::test]
async fn a_killed_tree_takes_what_it_left_behind_along_and_spares_the_others() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let service = SpawnRequest { name: "service".into(), ..shell(&sandbox, "setsid sleep 601 & echo $!; echo ready; exit 0") };
    supervisor.spawn(&service).await.expect("spawned");
    let orphan: u32 = lines_until(&mut events, "ready").await[0].parse().expect("a process id");
    let subject = supervisor
        .spawn(&shell(&sandbox, "(setsid sh -c 'sleep 602 & echo $!; wait' &); sleep 602 & echo $!; wait"))
        .await
        .expect("spawned");
    let pids: Vec<u32> =
        vec![next_line(&mut events).await.parse().expect("a process id"), next_line(&mut events).await.parse().expect("a process id")];
    assert_eq!(supervisor.kill_tree(subject).await.expect("killed"), 4);
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert!(lives(orphan));
    let exit = supervisor.wait_exit(subject, LONG).await.expect("alive").expect("ended");
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    assert_eq!(supervisor.finish().await.expect("finished"), 1);
}

#[tokio::test]
async fn children_that_multiply_while_being_killed_are_killed_too() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let breeding = "breed() { sleep 600 & (sleep 0.05; breed) & wait; }; echo go; breed";
    let proc = supervisor.spawn(&shell(&sandbox, breeding)).await.expect("spawned");
    assert_eq!(next_line(&mut events).await, "go");
    while supervisor.tree(proc).await.expect("asked").len() < 8 {}
    supervisor.kill_tree(proc).await.expect("killed");
    assert_eq!(supervisor.tree(proc).await.expect("asked"), Vec::<u32>::new());
    assert_eq!(supervisor.finish().await.expect("finished"), 0);
}

#[tokio::test]
async fn a_signal_reaches_the_program_itself() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let script = "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let proc = supervisor.spawn(&shell(&sandbox, script)).await.expect("spawned");
    assert_eq!(next_line(&mut events).await, "ready");
    assert_eq!(supervisor.signal(proc, Signal::Term).await.expect("signalled"), 1);
    assert_eq!(next_line(&mut events).await, "asked");
    assert_eq!(supervisor.wait_exit(proc, LONG).await.expect("alive").expect("ended").code, Some(7));
}

#[tokio::test]
async fn a_paused_tree_stands_still_until_it_is_resumed() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let proc = supervisor
        .spawn(&shell(&sandbox, "setsid sleep 600 & echo ready; while :; do echo tick; sleep 0.02; done"))
        .await
        .expect("spawned");
    assert_eq!(next_line(&mut events).await, "ready");
    assert!(supervisor.pause(proc).await.expect("paused") >= 2);
    let tree = supervisor.tree(proc).await.expect("asked");
    // A process whose child was stopped before it became another program waits for that: it stands still, too.
    let still = |pid: &u32| matches!(state(*pid), Some('T' | 'D'));
    assert!(
        tree.iter().any(|pid| state(*pid) == Some('T')) && tree.iter().all(still),
        "{:?}",
        tree.iter().map(|pid| state(*pid)).collect::<Vec<_>>()
    );
    while tokio::time::timeout(Duration::from_millis(300), events.recv()).await.is_ok() {}
    supervisor.resume(proc).await.expect("resumed");
    assert_eq!(next_line(&mut events).await, "tick");
    supervisor.kill_tree(proc).await.expect("killed");
}

#[tokio::test]
async fn a_paused_tree_can_be_killed() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let proc = supervisor.spawn(&shell(&sandbox, "echo ready; sleep 600")).await.expect("spawned");
    assert_eq!(next_line(&mut events).await, "ready");
    supervisor.pause(proc).await.expect("paused");
    assert!(supervisor.kill_tree(proc).await.expect("killed") >= 1);
    assert_eq!(supervisor.wait_exit(proc, LONG).await.expect("alive").expect("ended").signal, Some(9));
}

#[tokio::test]
async fn a_flood_neither_hangs_nor_grows_and_is_told() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let flood = shell(&sandbox, "head -c 3000000 /dev/zero | tr '\\0' '\\n'; echo over >&2; exit 5");
    let proc = supervisor.spawn(&flood).await.expect("spawned");
    let exit = supervisor.wait_exit(proc, Duration::from_secs(60)).await.expect("alive").expect("it was not blocked for ever");
    assert_eq!(exit.code, Some(5));
    let (mut lines, mut missed) = (0_u64, 0_u64);
    while let Ok(event) = events.try_recv() {
        match event {
            SupervisorEvent::Line { .. } => lines += 1,
            SupervisorEvent::Flooded { lines, .. } => missed += lines,
            SupervisorEvent::Started { .. } | SupervisorEvent::Exited { .. } => {}
        }
    }
    assert_eq!(lines + missed, 3_000_001);
    assert!(missed > 0);
    assert_eq!(supervisor.finish().await.expect("finished"), 0);
}

#[tokio::test]
async fn a_missing_program_is_told_with_its_remedy() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, _events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    std::fs::write(sandbox.path().join("plain.txt"), "x").expect("written");
    let outcome = |argv: &'static [&'static str]| {
        let request = request(&sandbox, argv);
        let supervisor = &supervisor;
        async move { supervisor.spawn(&request).await.expect_err("there is none") }
    };
    let error = outcome(&["no-such-program-anywhere"]).await;
    assert!(matches!(&error, SpawnError::NotFound { searched, .. } if searched == "in PATH"), "{error}");
    assert!(error.to_string().contains("remedy:"), "{error}");
    assert!(matches!(outcome(&["./bin/none"]).await, SpawnError::NotFound { .. }));
    assert!(matches!(outcome(&["./plain.txt"]).await, SpawnError::NotExecutable { .. }));
    let nowhere = SpawnRequest { cwd: PathBuf::from("/no/such/folder"), ..request(&sandbox, &["true"]) };
    assert!(matches!(supervisor.spawn(&nowhere).await, Err(SpawnError::NoFolder { .. })));
    assert_eq!(supervisor.run_to_end(&request(&sandbox, &["true"]), LONG).await.expect("still of use").code, Some(0));
}

#[tokio::test]
async fn a_program_runs_to_its_end_or_until_its_time_is_over() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let asked = SpawnRequest { stdin: Stdin::Text("in\n".into()), private: true, ..shell(&sandbox, "cat; echo bad >&2; exit 4") };
    let ended = supervisor.run_to_end(&asked, LONG).await.expect("ran");
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str(), ended.timed_out), (Some(4), "in\n", "bad\n", false));
    assert!(events.try_recv().is_err(), "what is private is no event");
    let slow = shell(&sandbox, "echo here; sleep 600");
    let ended = supervisor.run_to_end(&slow, Duration::from_millis(500)).await.expect("ran");
    assert_eq!((ended.code, ended.signal, ended.stdout.as_str(), ended.timed_out), (None, Some(9), "here\n", true));
}

#[tokio::test]
async fn an_open_input_can_be_fed() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let asking = SpawnRequest { stdin: Stdin::Open, ..shell(&sandbox, "echo ready; read line; echo got $line") };
    let proc = supervisor.spawn(&asking).await.expect("spawned");
    assert_eq!(next_line(&mut events).await, "ready");
    supervisor.feed(proc, "it\n").await.expect("fed");
    assert_eq!(next_line(&mut events).await, "got it");
    supervisor.wait_exit(proc, LONG).await.expect("alive").expect("ended");
    assert!(matches!(supervisor.feed(proc, "more\n").await, Err(SubjectError::NotListening { .. })));
}

#[tokio::test]
async fn a_supervisor_that_is_gone_is_told_and_never_awaited() {
    let sandbox = Sandbox::create().expect("sandbox");
    let (supervisor, mut events) = Supervisor::launch(exe(), &sandbox).await.expect("launched");
    let proc = supervisor.spawn(&shell(&sandbox, "echo $PPID; sleep 600")).await.expect("spawned");
    let pid = next_line(&mut events).await;
    // Asked to end, it takes everything along.
    let tree = supervisor.tree(proc).await.expect("asked");
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("ran").success());
    assert!(matches!(supervisor.wait_exit(proc, LONG).await, Ok(Some(_)) | Err(SubjectError::SupervisorGone)));
    while events.recv().await.is_some() {}
    assert!(matches!(supervisor.kill_tree(proc).await, Err(SubjectError::SupervisorGone)));
    assert!(matches!(supervisor.spawn(&shell(&sandbox, "true")).await, Err(SpawnError::SupervisorGone { .. })));
    assert!(gone(&tree).await);
}

#[tokio::test]
async fn what_is_no_supervisor_is_not_waited_for() {
    let sandbox = Sandbox::create().expect("sandbox");
    assert!(matches!(Supervisor::launch(Path::new("/bin/true"), &sandbox).await, Err(SubjectError::Environment { .. })));
    assert!(matches!(Supervisor::launch(Path::new("/no/such/file"), &sandbox).await, Err(SubjectError::Environment { .. })));
}
