//! `cargo xtask hunt`: every planted race is searched for, found, made small and told again; honest designs are searched on a busy machine and
//! must not be accused. What an earlier hunt has seen with the same program counts. Writes `docs/race-hunt.md`.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use acceptance::{
    races::{DESIGNS, Planted, design, planted},
    runs::{self, Build},
};
use serde_json::Value;

const USAGE: &str =
    "cargo xtask hunt [--seconds N] [--orders N] [--minutes N] [--only NAME] [--planted] [--honest] [--anew] [--earlier] [--write]
  searches for every planted race with `regrant explore`, and among the orders of the honest designs with all cores loaded
  --seconds N   how long it searches for each race (60)
  --orders N    so many orders of each honest design (200)
  --minutes N   begins no further search after so many minutes (120)
  --only NAME   these alone, such as keeper/no-lock or reference or lease
  --planted     the planted races alone
  --honest      the honest designs alone
  --anew        searches also where an earlier hunt with this program came to an end
  --earlier     counts what a hunt with an earlier build has seen, too; the page says of which that is true
  --write       writes docs/race-hunt.md and keeps what was found in tests/subjects/races/orders";

/// However slow a subject is, a search for so many orders ends after this.
const HONEST_BUDGET: &str = "20m";

fn main() -> ExitCode {
    runs::chore(USAGE, run)
}

/// What came of the search for one planted race.
struct Sought {
    planted: Planted,
    /// None: it was not found.
    found: Option<Found>,
    orders: u64,
    /// By an earlier build.
    old: bool,
}

struct Found {
    id: String,
    place: String,
    after: f64,
    size: (u64, u64),
    repeated: (u64, u64),
    scenario: String,
}

/// What came of the search among the orders of an honest design.
struct Searched {
    name: String,
    orders: u64,
    seconds: f64,
    /// What it was accused of, or what else kept it from being seen to be clean.
    wrong: Vec<String>,
    /// By an earlier build.
    old: bool,
}

fn run(words: &[String]) -> Result<bool, String> {
    runs::known(words, &["--seconds", "--orders", "--minutes", "--only"], &["--planted", "--honest", "--anew", "--earlier", "--write"])?;
    let has = |flag: &str| words.iter().any(|word| word == flag);
    let seconds = runs::number(words, "--seconds", 60)?;
    let orders = runs::number(words, "--orders", 200)?;
    let minutes = u64::try_from(runs::number(words, "--minutes", 120)?).unwrap_or(u64::MAX);
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let only: Vec<&String> = words.iter().zip(words.iter().skip(1)).filter(|(flag, _)| *flag == "--only").map(|(_, name)| name).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| name.contains(only.as_str()));
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/hunt");
    let build = if has("--earlier") { Build::Earlier } else { Build::This };
    let (mut sought, mut searched, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let is_due = |search: &Search| {
        if has("--anew") {
            search.forget();
        }
        search.is_known() || Instant::now() < until
    };
    for planted in planted()?.into_iter().filter(|planted| !has("--honest") && wanted(&planted.name)) {
        let search = Search::of_planted(&planted, seconds, &folder, build);
        if !is_due(&search) {
            left.push(planted.name);
            continue;
        }
        let one = seek(planted, &search)?;
        println!("{}", one.line());
        sought.push(one);
    }
    for (name, words) in honest().into_iter().filter(|(name, _)| !has("--planted") && wanted(name)) {
        let search = Search::of_honest(&name, &words, orders, &folder, build);
        if !is_due(&search) {
            left.push(name);
            continue;
        }
        let one = searched_all(name, orders, &search)?;
        println!("{}", one.line());
        searched.push(one);
    }
    let missed = sought.iter().filter(|one| one.found.is_none()).count();
    let wrong = searched.iter().filter(|one| !one.wrong.is_empty()).count();
    println!(
        "{} of {} races found, {wrong} of {} honest designs not clean, {} left for want of time",
        sought.len() - missed,
        sought.len(),
        searched.len(),
        left.len()
    );
    let done = missed == 0 && wrong == 0 && left.is_empty();
    if has("--write") {
        keep(&sought)?;
        if !only.is_empty() || has("--planted") || has("--honest") {
            println!("docs/race-hunt.md speaks of all of them, and is written when all are asked for");
            return Ok(done);
        }
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/race-hunt.md");
        fs::write(&path, page(&sought, &searched, &left, seconds)).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("docs/race-hunt.md is written");
    }
    Ok(done)
}

/// One search, and where it leaves what it saw.
struct Search {
    words: Vec<String>,
    out: PathBuf,
    /// Whose hunt counts.
    build: Build,
}

impl Search {
    /// Only what it must be convicted of is asked for: what else fails is no news, and would be made smaller, too.
    fn of_planted(planted: &Planted, seconds: usize, folder: &Path, build: Build) -> Self {
        let asked = ["--budget".to_owned(), format!("{seconds}s"), "--seed".into(), "1".into(), "--only".into(), planted.breaks.join(",")];
        Self { words: [&planted.words[..], &asked].concat(), out: folder.join(planted.name.replace('/', "--")), build }
    }

    fn of_honest(name: &str, words: &[String], orders: usize, folder: &Path, build: Build) -> Self {
        let asked = ["--budget".to_owned(), HONEST_BUDGET.into(), "--seed".into(), "1".into(), "--orders".into(), orders.to_string()];
        Self { words: [words, &asked].concat(), out: folder.join(name.replace([':', ' '], "-")), build }
    }

    /// An earlier hunt came to its end with it.
    fn is_known(&self) -> bool {
        runs::is_explored(&self.words, &self.out, self.build)
    }

    /// Only a hunt with an earlier build has.
    fn is_old(&self) -> bool {
        !runs::is_explored(&self.words, &self.out, Build::This)
    }

    fn forget(&self) {
        drop(fs::remove_dir_all(&self.out));
    }

    fn told(&self) -> Result<(i32, Value), String> {
        runs::explored_once(&self.words, &self.out, self.build)
    }
}

fn honest() -> Vec<(String, Vec<String>)> {
    let reference = ("the reference subject".to_owned(), vec!["--reference".to_owned()]);
    std::iter::once(reference).chain(DESIGNS.map(|name| (format!("keeper: {name}"), design(name)))).collect()
}

fn seek(planted: Planted, search: &Search) -> Result<Sought, String> {
    let (_, seen) = search.told()?;
    let first = list(&seen["found"]).iter().min_by(|one, other| number(one).total_cmp(&number(other)));
    let found = first.map(|first| Found {
        id: word(first, "id"),
        place: first["situation"].as_str().unwrap_or("a sequence").to_owned(),
        after: number(first),
        size: (count(first, "parts_before"), count(first, "parts")),
        repeated: (count(first, "failed_again"), count(first, "told_again")),
        scenario: word(first, "scenario"),
    });
    Ok(Sought { planted, found, orders: came_about(&seen), old: search.is_old() })
}

/// With every core busy.
fn searched_all(name: String, orders: usize, search: &Search) -> Result<Searched, String> {
    let (status, seen) = runs::with_load(!search.is_known(), || search.told())?;
    let mut wrong: Vec<String> =
        list(&seen["found"]).iter().map(|one| format!("{} ({})", word(one, "id"), word(one, "scenario"))).collect();
    if status != 0 && wrong.is_empty() {
        wrong.push(format!("exit status {status}"));
    }
    let came = came_about(&seen);
    if usize::try_from(came).unwrap_or(usize::MAX) < orders {
        wrong.push(format!("only {came} of {orders} orders came about"));
    }
    Ok(Searched { name, orders: came, seconds: seen["seconds"].as_f64().unwrap_or_default(), wrong, old: search.is_old() })
}

impl Sought {
    fn line(&self) -> String {
        match &self.found {
            Some(it) => format!(
                "{}: {} in {} after {:.1} s, {} parts to {}, told again it failed {} of {} times",
                self.planted.name, it.id, it.place, it.after, it.size.0, it.size.1, it.repeated.0, it.repeated.1
            ),
            None => format!("{}: NOT FOUND in {} orders", self.planted.name, self.orders),
        }
    }
}

impl Searched {
    fn line(&self) -> String {
        let wrong = if self.wrong.is_empty() { "not accused".to_owned() } else { format!("NOT CLEAN: {}", self.wrong.join(", ")) };
        format!("{}: {wrong} in {} orders, {:.0} s", self.name, self.orders, self.seconds)
    }
}

/// The scenario file of each race that failed whenever it was told again, in place of the one that was there.
fn keep(sought: &[Sought]) -> Result<(), String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("subjects/races/orders");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let found = sought.iter().filter_map(|one| Some((one, one.found.as_ref()?)));
    for (one, found) in found.filter(|(_, found)| found.repeated.0 == found.repeated.1) {
        let text = fs::read_to_string(&found.scenario).map_err(|error| format!("{}: {error}", found.scenario))?;
        let path = folder.join(format!("{}.toml", one.planted.name.replace('/', "--")));
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn page(sought: &[Sought], searched: &[Searched], left: &[String], seconds: usize) -> String {
    let mut out = String::from(
        "# The hunt\n\n`cargo xtask hunt --write` has made this page. It searches with `regrant explore` for every planted race, one after the other, on the machine\n\
         that it runs on, and among the orders of the honest designs while every core is kept busy by something else.\n",
    );
    if sought.iter().any(|one| one.old) || searched.iter().any(|one| one.old) {
        out.push_str("What bears a star was told with an earlier build.\n");
    }
    let star = |old: bool| if old { " *" } else { "" };
    if !sought.is_empty() {
        let found = sought.iter().filter(|one| one.found.is_some()).count();
        let _ = write!(
            out,
            "\n## Planted races\n\n{found} of {} are found within {seconds} s. The smallest order of each that failed whenever it was told again lies in `tests/subjects/races/orders/`.\n\n\
             | planted | convicted of | in | first seen after | parts | told again |\n| --- | --- | --- | --- | --- | --- |\n",
            sought.len()
        );
        for one in sought {
            let _ = match &one.found {
                Some(it) => writeln!(
                    out,
                    "| `{}`{} | {} | {} | {:.1} s | {} → {} | {} of {} |",
                    one.planted.name,
                    star(one.old),
                    it.id,
                    it.place,
                    it.after,
                    it.size.0,
                    it.size.1,
                    it.repeated.0,
                    it.repeated.1
                ),
                None => writeln!(out, "| `{}`{} | **not found** | {} orders | | | |", one.planted.name, star(one.old), one.orders),
            };
        }
    }
    if !searched.is_empty() {
        out.push_str("\n## Honest designs\n\n| design | orders that came about | seconds | accused |\n| --- | --- | --- | --- |\n");
        for one in searched {
            let wrong = if one.wrong.is_empty() { "of nothing".to_owned() } else { one.wrong.join(", ") };
            let _ = writeln!(out, "| {}{} | {} | {:.0} | {wrong} |", one.name, star(one.old), one.orders, one.seconds);
        }
    }
    if !left.is_empty() {
        let _ = write!(out, "\n## Not searched\n\nFor want of time: {}.\n", left.join(", "));
    }
    out
}

fn came_about(seen: &Value) -> u64 {
    list(&seen["situations"]).iter().map(|tally| count(tally, "realised")).sum()
}

fn number(of: &Value) -> f64 {
    of["first_seen_after_seconds"].as_f64().unwrap_or(f64::MAX)
}

fn count(of: &Value, key: &str) -> u64 {
    of[key].as_u64().unwrap_or_default()
}

fn word(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[][..], Vec::as_slice)
}
