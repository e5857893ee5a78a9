//! Ten thousand clients that connect and say nothing: the provider goes on serving, and each costs it little memory.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use acceptance::Bench;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;

const WANTED: u64 = 10_000;
/// How many connect before the provider must have accepted them.
const AT_ONCE: u64 = 100;
/// What this process and its child need besides.
const SPARE: u64 = 200;
/// Kernel memory does not count here; a connection of ours is a task and a few small buffers.
const MOST_KIB_EACH: u64 = 20;
/// For what takes a moment on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn ten_thousand_idle_connections_leave_the_provider_serving_and_small() {
    let allowed = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, ..allowed }).expect("up to the maximum");
    let count = allowed.maximum.map_or(WANTED, |maximum| WANTED.min(maximum.saturating_sub(SPARE)));
    println!("{count} connections");

    let bench = Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    let (file, any) = (bench.path("ready.json").to_string_lossy().into_owned(), "127.0.0.1:0");
    let provider = bench.start(&["serve", "--listen", any, "--management", any, "--ready-file", &file]);
    assert!(bench.until(LIMIT, || !bench.text("ready.json").is_empty()), "it is up: {}", bench.stderr());
    let urls: Value = serde_json::from_str(&bench.text("ready.json")).expect("JSON");
    let address = urls["api_url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("a URL").to_owned();

    assert_eq!(status(&mut connect(&address)), "401", "what serving one takes is there before measuring");
    let before = resident_kib(&bench);
    let mut idle: Vec<TcpStream> = Vec::new();
    while (idle.len() as u64) < count {
        idle.extend((0..AT_ONCE.min(count - idle.len() as u64)).map(|_| connect(&address)));
        // Connections are accepted in order: once the last is served, all are. More at once than can wait to be accepted try again late.
        assert_eq!(status(idle.last_mut().expect("some")), "401");
    }
    let each = resident_kib(&bench).saturating_sub(before) / count;
    println!("{each} KiB each, {before} KiB before");
    assert!(each < MOST_KIB_EACH, "an idle connection takes {each} KiB");

    assert_eq!(status(&mut connect(&address)), "401", "a newcomer is served");
    for one in idle.iter_mut().step_by(997) {
        assert_eq!(status(one), "401", "whoever was silent is served");
    }
    drop(idle);
    assert_eq!(status(&mut connect(&address)), "401", "and so is who comes after them");
    provider.signal(Signal::INT);
    provider.ended(LIMIT).assert(0, &[]);
}

fn connect(address: &str) -> TcpStream {
    let tcp = TcpStream::connect(address).expect("connected");
    tcp.set_read_timeout(Some(LIMIT)).expect("set");
    tcp
}

/// Asks without a token, and gives the status.
fn status(tcp: &mut TcpStream) -> String {
    tcp.write_all(b"GET /v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut start = [0; 12];
    tcp.read_exact(&mut start).expect("an answer");
    String::from_utf8_lossy(&start[9..]).into_owned()
}

fn resident_kib(bench: &Bench) -> u64 {
    let (pid, _) = bench.processes().into_iter().next().expect("it runs");
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}
