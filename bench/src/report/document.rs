//! Writes between the markers of `docs/performance.md`, and nowhere else in it.

use std::{fs, path::PathBuf};

use crate::error::BenchError;

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// Replaces what was measured before.
///
/// # Errors
/// The document cannot be written, or has no markers.
pub(crate) fn write(measured: &str) -> Result<PathBuf, BenchError> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("performance.md");
    let document = fs::read_to_string(&path).map_err(BenchError::io(format!("reading {}", path.display())))?;
    let Some(written) = between(&document, measured) else {
        return Err(BenchError::Answer(format!("{} has no markers", path.display())));
    };
    fs::write(&path, written).map_err(BenchError::io(format!("writing {}", path.display())))?;
    Ok(path)
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
    fn the_document_has_the_markers() {
        assert!(between(include_str!("../../../docs/performance.md"), "").is_some());
    }
}
