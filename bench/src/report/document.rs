//! Writes between the markers of `docs/performance.md`, and nowhere else in it.

use std::{fs, path::PathBuf};

use super::with_goal;
use crate::{error::BenchError, goals::Goal};

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// Replaces what was measured before.
///
/// # Errors
/// The document cannot be written, or has no markers.
pub(crate) fn write(measured: &str) -> Result<PathBuf, BenchError> {
    change("markers", |document| between(document, measured))
}

fn change(needs: &str, written: impl FnOnce(&str) -> Option<String>) -> Result<PathBuf, BenchError> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("performance.md");
    let document = fs::read_to_string(&path).map_err(BenchError::io(format!("reading {}", path.display())))?;
    let Some(written) = written(&document) else {
        return Err(BenchError::Answer(format!("{} has no {needs}", path.display())));
    };
    fs::write(&path, written).map_err(BenchError::io(format!("writing {}", path.display())))?;
    Ok(path)
}

/// Replaces what was measured of one goal, or adds it.
///
/// # Errors
/// The document cannot be written, or has no goals.
pub(crate) fn write_goal(goal: &Goal) -> Result<PathBuf, BenchError> {
    change("goals", |document| among(document, goal))
}

/// The table of goals begins with its head, and ends with the first line that is empty.
fn among(document: &str, goal: &Goal) -> Option<String> {
    let begin = document.find("| goal ")?;
    let (before, rest) = document.split_at(begin);
    let end = rest.find("\n\n")? + 1;
    let (table, after) = rest.split_at(end);
    Some(format!("{before}{}{after}", with_goal(table, goal).markdown()))
}

fn between(document: &str, measured: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{measured}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let document = format!("# Performance\n\n{BEGIN}\nold\n\n{END}\n\nSince then…\n");
        let once = between(&document, "new\n");
        assert_eq!(once.as_deref(), Some(&*format!("# Performance\n\n{BEGIN}\nnew\n\n{END}\n\nSince then…\n")));
        assert_eq!(once.as_deref().and_then(|once| between(once, "new\n")), once);
        assert_eq!(between("# Performance", "new"), None);
    }

    #[test]
    fn one_goal_is_changed_and_nothing_around_it() {
        let goal = |measured: &str| Goal { wanted: "fast", measured: measured.into(), reached: None };
        let document = |goals: &[Goal]| format!("# Performance\n\n{}\nAfterwards.\n", crate::report::goals(goals).markdown());
        assert_eq!(among(&document(&[goal("1")]), &goal("2")), Some(document(&[goal("2")])));
        assert_eq!(among("# Performance", &goal("2")), None);
    }

    #[test]
    fn the_document_has_the_markers() {
        let document = include_str!("../../../docs/performance.md");
        let goal = Goal { wanted: "fast", measured: "1".into(), reached: None };
        assert!(between(document, "").is_some() && among(document, &goal).is_some());
    }
}
