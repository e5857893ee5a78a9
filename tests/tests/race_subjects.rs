//! `keeper`, the subject whose designs and defects differ only in who refreshes when: its list of defects and the table in its README agree.
//! What `cargo xtask hunt` has found of each planted race is told again: with the race it fails, without it nothing does.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::Path,
    sync::Mutex,
    thread,
    time::Duration,
};

use acceptance::{
    Bench,
    races::{DESIGNS, planted as races},
};
use regrant::catalogue;

const LIMIT: Duration = Duration::from_secs(240);
/// So many are told at the same time.
const AT_ONCE: usize = 8;
/// Some orders hang on a moment within the process besides: such a story is told again before it is said to hold.
const TIMES: usize = 8;

/// What one place says of a defect.
#[derive(Debug, PartialEq, Eq)]
struct Defect {
    about: String,
    design: String,
    processes: String,
    breaks: String,
}

#[test]
fn every_race_defect_stands_in_the_readme_as_it_is_planted_and_is_really_planted_somewhere() {
    let planted = planted(&read("faults.py"));
    let (told, convicted) = table(&read("README.md"));
    assert!(planted.len() >= 14, "{} defects are too few", planted.len());
    assert_eq!(planted, told);
    let code: Vec<String> = ["access", "pages", "store", "work", "coordination/design", "coordination/flock"]
        .into_iter()
        .chain(["coordination/row", "coordination/lease", "coordination/actor"])
        .map(|file| read(&format!("{file}.py")))
        .collect();
    for (name, defect) in &planted {
        assert!(code.iter().any(|code| code.contains(&format!("\"{name}\""))), "{name} is planted nowhere");
        assert!(DESIGNS.contains(&defect.design.as_str()), "{name}: {}", defect.design);
        assert!(["1", "2"].contains(&defect.processes.as_str()), "{name}: {}", defect.processes);
        assert!(!defect.breaks.is_empty(), "{name} breaks nothing");
    }
    let known: BTreeSet<&str> = catalogue::all().map(|r| r.id).collect();
    let ids = planted.values().map(|defect| &defect.breaks).chain(convicted.values().filter(|ids| ids.as_str() != "no story shows it"));
    for id in ids.flat_map(|ids| ids.split(' ')) {
        assert!(known.contains(id), "{id} is no requirement");
    }
}

#[test]
fn every_design_has_a_file_of_its_own_and_the_manifest_names_them() {
    let manifest = read("regrant.toml");
    for design in DESIGNS {
        assert!(!read(&format!("coordination/{design}.py")).is_empty());
        assert!(manifest.lines().any(|line| line.starts_with("COORDINATION") && line.contains(design)), "{design}");
    }
}

#[test]
fn every_race_that_was_found_fails_when_it_is_told_again_and_nothing_does_without_it() {
    let orders = Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/races/orders");
    let mut left: VecDeque<(String, String, Vec<String>, bool)> = VecDeque::new();
    for race in races().expect("the planted races") {
        let file = orders.join(format!("{}.toml", race.name.replace('/', "--")));
        if !file.is_file() {
            continue;
        }
        let upright = race.words.iter().filter(|word| !race.name.ends_with(&format!("/{word}")));
        let upright: Vec<String> =
            upright.map(|word| word.split_once("DEFECT=").map_or(word.clone(), |(key, _)| format!("{key}DEFECT="))).collect();
        let file = file.to_string_lossy().into_owned();
        left.push_back((race.name.clone(), file.clone(), race.words, true));
        left.push_back((race.name, file, upright, false));
    }
    let kept = fs::read_dir(&orders).expect("the orders").count();
    assert!(kept >= 3 && left.len() == 2 * kept, "{kept} orders are kept, and {} belong to a planted race", left.len() / 2);
    let (left, wrong) = (Mutex::new(left), Mutex::new(Vec::new()));
    let next = || left.lock().expect("no panic holds it").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, file, words, fails)) = next() {
                    let told = || {
                        let bench = Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"));
                        let all: Vec<&str> = std::iter::once("explore")
                            .chain(words.iter().map(String::as_str))
                            .chain(["--strict", "--replay", &file])
                            .collect();
                        bench.run(&all, LIMIT)
                    };
                    let ended =
                        if fails { (0..TIMES).map(|_| told()).find(|it| it.code() == Some(1)).unwrap_or_else(told) } else { told() };
                    let as_it_must = ended.code() == Some(i32::from(fails));
                    if !as_it_must {
                        let how = if fails { "with the race" } else { "without it" };
                        wrong.lock().expect("no panic holds it").push(format!("{name} {how}: exit {:?}\n{}", ended.code(), ended.stdout));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic held it");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One line each: `"name": Defect("about", "design", processes, "IDs"),`.
fn planted(source: &str) -> BTreeMap<String, Defect> {
    let lines = source.lines().filter_map(|line| line.strip_prefix("    \"")?.split_once("\": Defect("));
    lines
        .map(|(name, rest)| {
            let parts: Vec<&str> = rest.trim_end_matches("),").split("\", ").map(|part| part.trim_matches('"')).collect();
            let [about, design, last] = parts.as_slice() else { panic!("{name}: {rest}") };
            let (processes, breaks) = last.split_once(", \"").unwrap_or_else(|| panic!("{name}: {last}"));
            (name.to_owned(), defect(about, design, processes, breaks))
        })
        .collect()
}

/// The rows of the table, and what `check` convicts each defect of.
fn table(readme: &str) -> (BTreeMap<String, Defect>, BTreeMap<String, String>) {
    let (mut told, mut convicted) = (BTreeMap::new(), BTreeMap::new());
    for row in readme.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [name, about, design, processes, breaks, by_check] = cells.as_slice() else { panic!("{row}") };
        let name = name.trim_end_matches('`').to_owned();
        assert!(told.insert(name.clone(), defect(about, design, processes, breaks)).is_none(), "{name} stands there twice");
        convicted.insert(name, (*by_check).to_owned());
    }
    (told, convicted)
}

fn defect(about: &str, design: &str, processes: &str, breaks: &str) -> Defect {
    Defect { about: about.to_owned(), design: design.to_owned(), processes: processes.to_owned(), breaks: breaks.to_owned() }
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/races/keeper").join(file)).expect("a file of the subject")
}
