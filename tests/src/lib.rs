//! A bench for the program under test: a folder of its own, a limit for every run, and a look at what was left running.

#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a library for tests")]

pub mod choice;
pub mod foreign;
pub mod matrix;
pub mod races;
pub mod runs;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

/// How long processes may take to be gone after the program has ended.
const GONE: Duration = Duration::from_secs(5);
/// How often a file or `/proc` is looked at; neither tells when it changes.
const LOOK: Duration = Duration::from_millis(20);

/// A folder in which the program under test works; sandboxes lie below it, so that what they leave behind can be told from other things.
#[derive(Debug)]
pub struct Bench {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Bench {
    /// For the program at this path.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir().expect("a folder");
        fs::create_dir(folder.path().join("tmp")).expect("a folder for sandboxes");
        Self { folder, program: program.into() }
    }

    /// A path below the bench.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file; folders on the way are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    /// Starts the program in the bench's folder; what it prints goes to files.
    #[must_use]
    pub fn start(&self, words: &[&str]) -> Running<'_> {
        let file = |name: &str| fs::File::create(self.path(name)).expect("a file");
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(self.folder.path()).env("TMPDIR", self.path("tmp")).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr")).process_group(0);
        let child = command.spawn().expect("the program starts");
        Running { bench: self, child }
    }

    /// Runs the program to its end; longer than `limit` is a failure, and it is killed. Nothing may be left running.
    #[must_use]
    pub fn run(&self, words: &[&str], limit: Duration) -> Ended {
        self.start(words).ended(limit)
    }

    /// What the program has printed to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// What it has printed to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.text("stdout")
    }

    /// A file as text; empty if there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        fs::read(self.path(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The events of `run.jsonl` in this folder, without the header.
    #[must_use]
    pub fn events(&self, out: &str) -> Vec<Value> {
        let text = self.text(&format!("{out}/run.jsonl"));
        text.lines().skip(1).map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    /// The `verdicts.json` of this folder.
    #[must_use]
    pub fn verdicts(&self, out: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{out}/verdicts.json"))).expect("verdicts.json")
    }

    /// What `check` said, as JSON.
    #[must_use]
    pub fn check(&self, words: &[&str], limit: Duration) -> (Ended, Value) {
        let ended = self.run(&[&["check"][..], words, &["--format", "json"]].concat(), limit);
        let verdicts = serde_json::from_str(&ended.stdout);
        let verdicts = verdicts.unwrap_or_else(|_| panic!("no verdicts: {}{}", ended.stdout, ended.stderr));
        (ended, verdicts)
    }

    /// A busy machine may have kept a story from coming about: these requirements are judged once more, and what is said then counts.
    /// An accusation is not to be asked about again.
    pub fn once_more(&self, words: &[&str], verdicts: &mut Value, ids: &BTreeSet<String>, limit: Duration) {
        if ids.is_empty() {
            return;
        }
        let ids = Vec::from_iter(ids.iter().map(String::as_str)).join(",");
        println!("{ids} judged once more: {}", words.join(" "));
        let (_, again) = self.check(&[words, &["--only", &ids]].concat(), limit);
        let again = again["requirements"].as_array().expect("requirements");
        for requirement in verdicts["requirements"].as_array_mut().expect("requirements") {
            if let Some(again) = again.iter().find(|again| again["id"] == requirement["id"]) {
                assert!(requirement["verdict"] != "fail", "an accusation stands: {requirement}");
                *requirement = again.clone();
            }
        }
    }

    /// Whether something holds before the limit is over; looked at again and again.
    #[must_use]
    pub fn until(&self, limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
        let until = Instant::now() + limit;
        while !holds() {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }

    /// Processes that work in the bench, were started with a path below it, or have one in their environment: id and command line.
    #[must_use]
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mine = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
            let path = entry.ok()?.path();
            let pid = path.file_name()?.to_str()?.parse::<i32>().ok()?;
            (pid != i32::try_from(std::process::id()).ok()? && self.owns(&path)).then(|| (pid, command_line(&path)))
        });
        mine.collect()
    }

    fn owns(&self, process: &Path) -> bool {
        let needle = self.folder.path().to_string_lossy().into_owned();
        let holds = |name: &str| fs::read(process.join(name)).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&needle));
        let alive = fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
        let works_here = fs::read_link(process.join("cwd")).is_ok_and(|path| path.starts_with(self.folder.path()));
        alive && (works_here || holds("environ") || holds("cmdline"))
    }

    /// Fails if something still runs a few seconds from now.
    pub fn assert_nothing_runs(&self) {
        let all_gone = self.until(GONE, || self.processes().is_empty());
        assert!(all_gone, "still running: {:?}", self.processes());
    }

    /// Fails if a sandbox is still there.
    pub fn assert_no_sandbox(&self) {
        let entries = fs::read_dir(self.path("tmp")).expect("the folder");
        let names: Vec<String> = entries.filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned())).collect();
        let left: Vec<_> = names.iter().filter(|name| name.starts_with("rg-")).collect();
        assert!(left.is_empty(), "sandboxes are left: {left:?}");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A failed test must not leave behind what it complains of.
        for (pid, _) in self.processes() {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn command_line(process: &Path) -> String {
    let bytes = fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// The program while it runs.
#[derive(Debug)]
pub struct Running<'b> {
    bench: &'b Bench,
    child: Child,
}

impl Running<'_> {
    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits for its end; after the limit it is killed and the test fails. Nothing may be left running, and no sandbox.
    #[must_use]
    pub fn ended(self, limit: Duration) -> Ended {
        let bench = self.bench;
        let ended = self.ended_somehow(limit);
        bench.assert_nothing_runs();
        bench.assert_no_sandbox();
        ended
    }

    /// As [`Self::ended`], whatever is left behind.
    #[must_use]
    pub fn ended_somehow(mut self, limit: Duration) -> Ended {
        let (bench, pid) = (self.bench, self.pid());
        let (sender, status) = mpsc::channel();
        thread::spawn(move || sender.send(self.child.wait()));
        let Ok(status) = status.recv_timeout(limit) else {
            let _ = kill_process_group(pid, Signal::KILL);
            panic!("no end after {limit:?}; stdout:\n{}\nstderr:\n{}", bench.stdout(), bench.stderr());
        };
        Ended { status: status.expect("its status"), stdout: bench.stdout(), stderr: bench.stderr() }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("an id")).expect("an id")
    }
}

/// What a finished program left: its status and its words.
#[derive(Debug)]
pub struct Ended {
    status: ExitStatus,
    /// All it printed to stdout.
    pub stdout: String,
    /// All it printed to stderr.
    pub stderr: String,
}

impl Ended {
    /// Its exit code; none: a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless it ended with this exit code, printed all these words to either stream, and did not panic.
    pub fn assert(&self, code: i32, words: &[&str]) {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.status.code(), Some(code), "signal {:?}\n{all}", self.status.signal());
        // Error boxes break lines.
        let flat = flat(&all);
        for word in words {
            assert!(flat.contains(&self::flat(word)), "{word:?} was not said:\n{all}");
        }
        assert!(!all.contains("panicked") && !all.contains("defect of regrant"), "{all}");
    }

    /// How often something was said on either stream.
    #[must_use]
    pub fn says(&self, words: &str) -> usize {
        flat(&self.stdout).matches(&flat(words)).count() + flat(&self.stderr).matches(&flat(words)).count()
    }
}

/// Without line breaks and the bars that error boxes draw.
fn flat(text: &str) -> String {
    text.replace(['│', '×'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}
