//! The page `docs/kill-matrix.md`: which defect is convicted of what, and who kills each requirement.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use regrant::{
    catalogue,
    reference::{Defect, defects},
    run::{Story, built_in},
};
use serde::{Deserialize, Serialize};

use crate::{
    choice,
    foreign::{SUBJECTS, Subject},
};

/// What one subject was found to do in one story.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// [`told`] of the story at that time.
    pub hash: String,
    /// Requirements of which it was convicted, with reasons.
    pub convicted: BTreeMap<String, String>,
    /// Requirements that stayed undecided, with reasons.
    pub undecided: BTreeMap<String, String>,
}

/// A subject's row, by story: the upright one has no name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row(pub BTreeMap<String, Cell>);

impl Row {
    /// Requirements of which it was convicted in any story, with a reason.
    #[must_use]
    pub fn convicted(&self) -> BTreeMap<&str, &str> {
        let all = self.0.values().flat_map(|cell| &cell.convicted);
        all.map(|(id, reason)| (id.as_str(), reason.as_str())).collect()
    }

    /// Requirements that stayed undecided in any story that has to decide them.
    #[must_use]
    pub fn undecided(&self) -> BTreeMap<&str, &str> {
        let all = self.0.values().flat_map(|cell| &cell.undecided);
        all.map(|(id, reason)| (id.as_str(), reason.as_str())).collect()
    }
}

/// Where the page lies.
#[must_use]
pub fn page_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/kill-matrix.md")
}

/// Of what decides who is told what, and what is expected of whom: the register's lines, what happens in the stories and what they decide, and the
/// defects. Prose, titles and code are left out: a page is not out of date because a sentence was mended, and the tests hold the code every day.
#[must_use]
pub fn fingerprint() -> String {
    let mut said = String::new();
    for requirement in catalogue::all() {
        let _ = writeln!(said, "{} {:?} {:?} {:?}", requirement.id, requirement.level, requirement.severity, requirement.scope);
    }
    for story in built_in() {
        let _ = writeln!(said, "{} {}", story.name, told(story));
    }
    for Defect { name, breaks, may, .. } in defects() {
        let _ = writeln!(said, "{name} {breaks:?} {may:?}");
    }
    for subject in &SUBJECTS {
        for defect in subject.defects() {
            let _ = writeln!(said, "{} {:?} {:?}", foreign_name(subject, &defect), defect.breaks, defect.may);
        }
    }
    format!("{:016x}", choice::mixed(said.bytes()))
}

/// Of what happens in a story and what it decides.
#[must_use]
pub fn told(story: &Story) -> String {
    let mut scenario = story.scenario.clone();
    scenario.title.clear();
    scenario.about.clear();
    scenario.tags.clear();
    format!("{:016x}", choice::mixed(format!("{scenario:?}").bytes()))
}

/// The hash that a page carries.
#[must_use]
pub fn hash_of(page: &str) -> Option<&str> {
    page.lines().find_map(|line| line.strip_prefix("<!-- hash: ")?.strip_suffix(" -->"))
}

/// What the row of a defect in another language is called.
#[must_use]
pub fn foreign_name(subject: &Subject, defect: &Defect) -> String {
    format!("{}/{}", subject.name, defect.name)
}

/// The page, of the rows of all subjects by name.
#[must_use]
pub fn page(rows: &BTreeMap<String, Row>) -> String {
    let mut out = String::from("# The kill matrix\n\n");
    let _ = writeln!(out, "<!-- hash: {} -->\n<!-- Made by `cargo xtask matrix`; do not edit. -->\n", fingerprint());
    let stories = built_in().len();
    let is_whole = |defect: &Defect| rows.get(defect.name).is_some_and(|row| row.0.len() == stories || choice::hangs(defect));
    let scope = if planted().all(is_whole) {
        let hangs = planted()
            .filter(|defect| choice::hangs(defect))
            .map(|defect| format!(" ({} only those that decide what it breaks, since it costs each its whole patience)", defect.name));
        format!("Every defect of the reference subject was told each of the {stories} stories{}.", hangs.collect::<String>())
    } else {
        format!(
            "This page is a **snapshot of a sample**: a defect was told the fewest of the {stories} stories that decide what it breaks, a sixteenth of the others that decide what it breaks or may break, and a fortieth of the rest. `cargo xtask matrix` tells all of them."
        )
    };
    let _ = writeln!(
        out,
        "What regrant's own verdicts rest on: small defects are planted in a subject that is otherwise right, and each must be convicted of what it breaks.\n{scope}\n"
    );
    upright(&mut out, rows.get(""));
    out.push_str("## Defects\n\n| defect | what it does | must be convicted of | was, beyond that |\n| --- | --- | --- | --- |\n");
    for defect in planted() {
        let (must, beyond) = convictions(defect, rows.get(defect.name));
        let _ = writeln!(out, "| {} | {} | {must} | {beyond} |", defect.name, defect.about.replace('|', "\\|"));
    }
    out.push_str(
        "\n## Defects in other languages\n\nEach was told the fewest stories that can convict it of what it must be; upright, both subjects were told all. What a defect is, the subject's own list says (`tests/subjects/faulty`).\n\n| subject | defect | must be convicted of | was, beyond that |\n| --- | --- | --- | --- |\n",
    );
    for subject in &SUBJECTS {
        let upright = rows.get(subject.name).map(Row::convicted);
        let clean = upright.map_or("was not judged", |convicted| if convicted.is_empty() { "none" } else { "**some**" });
        let _ = writeln!(out, "| {} | (upright) | none | {clean} |", subject.name);
        for defect in subject.defects() {
            let (must, beyond) = convictions(&defect, rows.get(&foreign_name(subject, &defect)));
            let _ = writeln!(out, "| {} | {} | {must} | {beyond} |", subject.name, defect.name);
        }
    }
    out.push_str(
        "\n## Requirements\n\n| requirement | defects convicted of it on purpose | and as a consequence |\n| --- | --- | ---: |\n",
    );
    for requirement in catalogue::all() {
        let convicted: Vec<&Defect> =
            planted().filter(|defect| rows.get(defect.name).is_some_and(|row| row.convicted().contains_key(requirement.id))).collect();
        let (killers, others): (Vec<&Defect>, Vec<&Defect>) =
            convicted.into_iter().partition(|defect| defect.breaks.contains(&requirement.id));
        let foreign = SUBJECTS.iter().flat_map(|subject| subject.defects().map(move |defect| (foreign_name(subject, &defect), defect)));
        let foreign = foreign.filter(|(name, defect)| {
            defect.breaks.contains(&requirement.id) && rows.get(name).is_some_and(|row| row.convicted().contains_key(requirement.id))
        });
        let killers: Vec<String> = killers.into_iter().map(|defect| defect.name.to_owned()).chain(foreign.map(|(name, _)| name)).collect();
        let killers = if killers.is_empty() { "**none**".to_owned() } else { killers.join(", ") };
        let _ = writeln!(out, "| {} | {killers} | {} |", requirement.id, others.len());
    }
    out
}

/// What a defect must be convicted of, and what it was beyond that; in bold what should not be so.
fn convictions(defect: &Defect, row: Option<&Row>) -> (String, String) {
    let broken = choice::broken(defect);
    let convicted = row.map(Row::convicted).unwrap_or_default();
    let was = |id: &str| convicted.contains_key(id);
    let must: Vec<String> = broken.iter().map(|id| if was(id) { (*id).to_owned() } else { format!("**{id} (was not)**") }).collect();
    let others = convicted.keys().filter(|id| !broken.contains(id));
    let beyond: Vec<String> =
        others.map(|id| if defect.may.contains(id) { (*id).to_owned() } else { format!("**{id} (must not)**") }).collect();
    (must.join(" "), beyond.join(" "))
}

/// Defects that break something in this register.
pub fn planted() -> impl Iterator<Item = &'static Defect> {
    defects().iter().filter(|defect| !choice::broken(defect).is_empty())
}

fn upright(out: &mut String, row: Option<&Row>) {
    let _ = match row {
        Some(row) if row.convicted().is_empty() && row.undecided().is_empty() => {
            writeln!(out, "The upright subject passes all {} requirements, or they do not apply to it.\n", catalogue::all().count())
        }
        Some(row) => {
            writeln!(out, "**The upright subject is not clean**: convicted of {:?}, undecided {:?}.\n", row.convicted(), row.undecided())
        }
        None => writeln!(out, "The upright subject was not judged.\n"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_of_this_register_these_stories_and_these_defects() {
        // Where no page was made yet, none can be out of date.
        let Ok(page) = std::fs::read_to_string(page_path()) else { return };
        assert_eq!(hash_of(&page), Some(fingerprint().as_str()), "docs/kill-matrix.md is out of date: cargo xtask matrix (or --sample)");
    }

    fn row(stories: &[&str], convicted: &[&str]) -> Row {
        let convicted: BTreeMap<String, String> = convicted.iter().map(|id| ((*id).to_owned(), "seen".to_owned())).collect();
        Row(stories.iter().map(|name| ((*name).to_owned(), Cell { convicted: convicted.clone(), ..Cell::default() })).collect())
    }

    #[test]
    fn a_page_shows_what_was_convicted_and_what_should_have_been() {
        let all: Vec<&str> = built_in().iter().map(|story| story.name.as_str()).collect();
        let mut rows: BTreeMap<String, Row> = planted().map(|defect| (defect.name.to_owned(), row(&all, &[]))).collect();
        rows.insert(String::new(), row(&all, &[]));
        rows.insert("keeps-calling".into(), row(&all, &["STOP-01", "PURGE-01", "LOG-01"]));
        let shown = page(&rows);
        assert_eq!(hash_of(&shown), Some(fingerprint().as_str()));
        let line = shown.lines().find(|line| line.starts_with("| keeps-calling |")).expect("its line");
        assert!(line.ends_with("| STOP-01 | **LOG-01 (must not)** PURGE-01 |"), "{line}");
        assert!(shown.contains("| STOP-02 | **none** | 0 |") && shown.contains("DETECT-01 (was not)"), "{shown}");
        assert!(shown.contains("was told each of the"), "{shown}");
        rows.insert("silent".into(), row(&all[1..], &[]));
        assert!(page(&rows).contains("snapshot of a sample"));
    }
}
