//! The judge alone: how many events of a whole run it gets through in a second, on one core, with all requirements.
//!
//! What is judged is what the reference subject left behind when all stories were told to it. Measured in a process of its own, from
//! histories that have been read already, by the processor time that it takes.

use std::{
    fs::File,
    hint::black_box,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use regrant::{
    evidence::{Header, History, read_run},
    judge::{Judgement, Purpose, Terms, judge},
};

use crate::{error::BenchError, peer::Place, process, statistics::Spread};

/// How much processor time each round has.
const ROUND: Duration = Duration::from_secs(1);

/// What the judge showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    /// Events of the run.
    pub(crate) events: u64,
    /// Stories of it.
    pub(crate) stories: u64,
    /// Events a second.
    pub(crate) rate: Spread,
}

/// Measures in a process of its own.
///
/// # Errors
/// There is no run, or it cannot be judged.
pub(crate) fn ask(run: &Path, rounds: u32) -> Result<Judged, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::io("looking for this program"))?;
    let output = Command::new(program).arg("judge").arg(run).arg(rounds.to_string()).output();
    let said = String::from_utf8_lossy(&output.map_err(BenchError::io("starting a judge"))?.stdout).into_owned();
    let mut words = said.split_whitespace();
    let mut whole = || words.next().and_then(|word| word.parse::<u64>().ok());
    let counts = (whole(), whole());
    match (counts, Spread::of(words.filter_map(|word| word.parse().ok()))) {
        ((Some(stories), Some(events)), Some(rate)) => Ok(Judged { events, stories, rate }),
        _ => Err(BenchError::Answer(format!("the judge said: {said}"))),
    }
}

/// Has every story told to the reference subject; what that left behind.
///
/// # Errors
/// It cannot be started, or left nothing.
pub(crate) fn tell(place: &Place) -> Result<PathBuf, BenchError> {
    let out = place.folder.join("judged");
    let mut check = Command::new(&place.regrant);
    check.args(["check", "--reference", "--out"]).arg(&out).stdout(Stdio::null()).stderr(Stdio::null());
    // What its verdicts are is no matter here.
    let _exit = check.status().map_err(BenchError::io("telling stories to the reference subject"))?;
    Ok(out.join("run.jsonl"))
}

/// Judges a saved run again and again, and prints how many stories and events it has, and the events a second of each round.
///
/// # Errors
/// There is no such run, or nothing in it is judged.
pub(crate) fn measure(run: &Path, rounds: u32) -> Result<(), BenchError> {
    let run = Run::read(run)?;
    process::pin_load();
    if run.judged().requirements.iter().all(|it| it.stories.is_empty()) {
        return Err(BenchError::Answer("nothing in this run is judged".into()));
    }
    let rates: Vec<String> = (0..rounds).map(|_| format!("{:.0}", run.rate(ROUND))).collect();
    println!("{} {} {}", run.histories.len(), run.events(), rates.join(" "));
    Ok(())
}

struct Run {
    terms: Terms,
    purposes: Vec<Purpose>,
    histories: Vec<History>,
}

impl Run {
    fn read(path: &Path) -> Result<Self, BenchError> {
        let file = File::open(path).map_err(BenchError::io(format!("reading {}", path.display())))?;
        let unread = |error: &dyn std::fmt::Display| BenchError::Answer(format!("{}: {error}", path.display()));
        let (header, histories) = read_run(BufReader::new(file)).map_err(|error| unread(&error))?;
        let (terms, purposes) = meant(&header).map_err(|error| unread(&error))?;
        Ok(Self { terms, purposes, histories })
    }

    fn judged(&self) -> Judgement {
        judge(&self.histories, &self.terms, &self.purposes, |_| true)
    }

    fn events(&self) -> usize {
        self.histories.iter().map(|history| history.events.len()).sum()
    }

    #[allow(clippy::cast_precision_loss, reason = "some millions")]
    fn rate(&self, span: Duration) -> f64 {
        let began = busy();
        let mut passes = 0_usize;
        while passes == 0 || busy() - began < span {
            black_box(self.judged());
            passes += 1;
        }
        (passes * self.events()) as f64 / (busy() - began).as_secs_f64()
    }
}

/// Processor time of this thread so far: what else the machine does is none of the judge's.
fn busy() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

fn meant(header: &Header) -> Result<(Terms, Vec<Purpose>), serde_json::Error> {
    let part = |name: &str| header.terms.get(name).cloned().unwrap_or_default();
    Ok((serde_json::from_value(part("terms"))?, serde_json::from_value(part("purposes"))?))
}
