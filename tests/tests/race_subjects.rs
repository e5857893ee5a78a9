//! `keeper`, the subject whose designs and defects differ only in who refreshes when: its list of defects and the table in its README agree.
//!
//! Its stories are not told here: what a search over event orders is to find in it, is that search's to test.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regrant::catalogue;

/// The designs that `COORDINATION` can name.
const DESIGNS: [&str; 5] = ["mutex", "flock", "row", "lease", "actor"];

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
