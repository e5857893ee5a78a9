//! `cargo xtask matrix`: tells all defects all stories, goes on where it was interrupted, and writes `docs/kill-matrix.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::{Duration, Instant},
};

use acceptance::{
    choice,
    foreign::SUBJECTS,
    matrix::{Cell, Row, foreign_name, page, page_path, planted, told},
    runs,
};
use regrant::{reference::Defect, run::built_in};

const USAGE: &str = "cargo xtask matrix [--minutes N] [--at-once N] [--sample] [--again DEFECT]
  tells every planted defect every story, and those in other languages the fewest that convict them, and writes docs/kill-matrix.md; what was told is kept in target/kill-matrix, so that it goes on where
  it stopped, and only stories that have changed since are told again
  --minutes N      begins no further run after so many minutes (120)
  --at-once N      so many subjects at the same time (3)
  --sample         tells a defect what its conviction needs and a part of the other stories; the page says so
  --again DEFECT   forgets what was told to this defect; `upright` is the one without";

fn main() -> ExitCode {
    runs::chore(USAGE, run)
}

/// Whether all is told and as it must be.
fn run(words: &[String]) -> Result<bool, String> {
    runs::known(words, &["--minutes", "--at-once", "--again"], &["--sample"])?;
    let minutes = u64::try_from(runs::number(words, "--minutes", 120)?).unwrap_or(u64::MAX);
    let at_once = runs::number(words, "--at-once", 3)?.max(1);
    let whole = !words.iter().any(|word| word == "--sample");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/kill-matrix");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let all = everybody(whole);
    forget(words, &folder, &all)?;
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let (waiting, wrong) = (Mutex::new(all.iter()), Mutex::new(0_usize));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while Instant::now() < until {
                    let Some(whom) = waiting.lock().ok().and_then(|mut all| all.next()) else { return };
                    if let Err(why) = tell(&folder, whom)
                        && let Ok(mut wrong) = wrong.lock()
                    {
                        println!("{}: {why}", whom.shown());
                        *wrong += 1;
                    }
                }
            });
        }
    });
    let rows: BTreeMap<String, Row> = all.iter().map(|whom| (whom.name.clone(), kept(&folder, whom))).collect();
    let is_told = |whom: &&Whom| rows.get(&whom.name).is_some_and(|row| whom.asked.iter().all(|story| row.0.contains_key(*story)));
    let told = all.iter().filter(is_told).count();
    println!("{told} of {} subjects are told", all.len());
    if told < all.len() {
        println!("run it again to go on");
        return Ok(false);
    }
    fs::write(page_path(), page(&rows)).map_err(|error| format!("docs/kill-matrix.md: {error}"))?;
    println!("docs/kill-matrix.md is written");
    Ok(wrong.into_inner().is_ok_and(|wrong| wrong == 0) && as_it_must_be(&all, &rows))
}

/// A subject, and what it is told.
struct Whom {
    /// As in the rows: the upright reference subject has no name.
    name: String,
    /// What `regrant check` is told of it.
    words: Vec<String>,
    asked: BTreeSet<&'static str>,
    /// None: it is upright.
    defect: Option<Defect>,
    /// Upright, it leaves nothing undecided.
    decides_all: bool,
}

impl Whom {
    fn shown(&self) -> &str {
        if self.name.is_empty() { "upright" } else { &self.name }
    }
}

/// The reference subject, upright and with each defect, and then those in other languages.
fn everybody(whole: bool) -> Vec<Whom> {
    let every: BTreeSet<&str> = built_in().iter().map(|story| story.name.as_str()).collect();
    let reference = || vec!["--reference".to_owned()];
    let upright = Whom { name: String::new(), words: reference(), asked: every.clone(), defect: None, decides_all: true };
    let with = |defect: &'static Defect| Whom {
        name: defect.name.to_owned(),
        words: [reference(), vec![defect.name.to_owned()]].concat(),
        asked: asked(defect, whole),
        defect: Some(*defect),
        decides_all: false,
    };
    let mut all: Vec<Whom> = std::iter::once(upright).chain(planted().map(with)).collect();
    for subject in &SUBJECTS {
        let words =
            |defect: &str| vec![subject.folder().to_string_lossy().into_owned(), "--set".into(), format!("start.env.DEFECT={defect}")];
        all.push(Whom { name: subject.name.to_owned(), words: words(""), asked: every.clone(), defect: None, decides_all: false });
        all.extend(subject.defects().map(|defect| Whom {
            name: foreign_name(subject, &defect),
            words: words(defect.name),
            asked: subject.told(&defect),
            defect: Some(defect),
            decides_all: false,
        }));
    }
    all
}

/// What `--again` names.
fn forget(words: &[String], folder: &Path, all: &[Whom]) -> Result<(), String> {
    for (flag, name) in words.iter().zip(words.iter().skip(1)).filter(|(flag, _)| *flag == "--again") {
        let Some(whom) = all.iter().find(|whom| whom.shown() == name) else {
            return Err(format!("{flag} {name}: there is no such defect"));
        };
        let file = file(folder, whom);
        if file.exists() {
            fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// The stories that a defect of the reference subject is to be told.
fn asked(defect: &Defect, whole: bool) -> BTreeSet<&'static str> {
    if choice::hangs(defect) {
        choice::fewest(&choice::broken(defect)).into_iter().collect()
    } else if whole {
        built_in().iter().map(|story| story.name.as_str()).collect()
    } else {
        choice::told(defect).map(|story| story.name.as_str()).collect()
    }
}

/// Tells one subject what it was not told yet.
fn tell(folder: &Path, whom: &Whom) -> Result<(), String> {
    let mut row = kept(folder, whom);
    let left: BTreeSet<&str> = whom.asked.iter().copied().filter(|story| !row.0.contains_key(*story)).collect();
    if left.is_empty() {
        return Ok(());
    }
    // The others are skipped, rather than these selected: so every requirement may convict in them, also one that is decided elsewhere.
    let others = built_in().iter().filter(|story| !left.contains(story.name.as_str()));
    let skipped = others.flat_map(|story| ["--skip".to_owned(), story.name.clone()]);
    let words: Vec<String> = whom.words.iter().cloned().chain(skipped).collect();
    let began = Instant::now();
    let found = runs::by_story(&words)?;
    for story in built_in().iter().filter(|story| left.contains(story.name.as_str())) {
        let mut cell = Cell { hash: told(story), ..Cell::default() };
        for (id, verdict, reason) in found.get(&story.name).map_or(&[][..], Vec::as_slice) {
            match verdict.as_str() {
                "harness-fault" => return Err(format!("the harness faulted on {id} in {}: {reason}", story.name)),
                "fail" => cell.convicted.insert(id.clone(), reason.clone()),
                "undecided" => cell.undecided.insert(id.clone(), reason.clone()),
                _ => continue,
            };
        }
        row.0.insert(story.name.clone(), cell);
    }
    println!("{}: {} stories, {} convictions in {:.0} s", whom.shown(), left.len(), row.convicted().len(), began.elapsed().as_secs_f64());
    let text = serde_json::to_string_pretty(&row).map_err(|error| error.to_string())?;
    fs::write(file(folder, whom), text).map_err(|error| format!("cannot be kept: {error}"))
}

/// What a subject was told before, of stories that are still the same.
fn kept(folder: &Path, whom: &Whom) -> Row {
    let text = fs::read_to_string(file(folder, whom)).ok();
    let mut row: Row = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let same = |name: &str, cell: &Cell| built_in().iter().any(|story| story.name == name && told(story) == cell.hash);
    row.0.retain(|name, cell| same(name, cell));
    row
}

fn file(folder: &Path, whom: &Whom) -> PathBuf {
    folder.join(format!("{}.json", whom.shown().replace('/', "--")))
}

fn as_it_must_be(all: &[Whom], rows: &BTreeMap<String, Row>) -> bool {
    let mut wrong: Vec<String> = Vec::new();
    for whom in all {
        let Some(row) = rows.get(&whom.name) else { continue };
        let convicted = row.convicted();
        let Some(defect) = &whom.defect else {
            let undecided = if whom.decides_all { row.undecided() } else { BTreeMap::new() };
            if !convicted.is_empty() || !undecided.is_empty() {
                wrong.push(format!("{}: convicted of {convicted:?}, undecided {undecided:?}", whom.shown()));
            }
            continue;
        };
        let missed = choice::broken(defect).into_iter().filter(|id| !convicted.contains_key(*id));
        wrong.extend(missed.map(|id| format!("{} is not convicted of {id}", whom.name)));
        for (story, cell) in &row.0 {
            let listed = |id: &str| defect.breaks.contains(&id) || defect.may.contains(&id);
            let strange = cell.convicted.iter().filter(|(id, _)| !listed(id));
            wrong.extend(
                strange.map(|(id, reason)| format!("{} is convicted of {id} in {story}, which it does not break: {reason}", whom.name)),
            );
        }
    }
    for line in &wrong {
        println!("{line}");
    }
    wrong.is_empty()
}
