//! Whose conformance is checked: a manifest's, or the built-in reference subject's.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::RunError;
use crate::subject::Manifest;

/// Whose conformance is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The one that a manifest describes.
    Manifest {
        /// The file, or its folder.
        path: PathBuf,
        /// `--set`: dotted path, and TOML value or bare string.
        sets: Vec<(String, String)>,
    },
    /// The built-in one.
    Reference {
        /// The defect planted in it; or the name of a null subject, which exercises nothing.
        defect: Option<String>,
    },
}

impl Subject {
    /// Tells subjects apart whose manifests say different things.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let said = match self {
            Self::Manifest { path, sets } => {
                let file = if path.is_dir() { path.join("regrant.toml") } else { path.clone() };
                format!("{}{sets:?}", std::fs::read_to_string(file).ok()?)
            }
            Self::Reference { defect } => format!("{defect:?}"),
        };
        Some(Sha256::digest(said).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn manifest(&self, regrant: &Path) -> Result<Manifest, RunError> {
        match self {
            Self::Manifest { path, sets } => Manifest::load(path, sets).map_err(|e| RunError::User(miette::Report::new_boxed(e))),
            Self::Reference { defect } => reference(regrant, defect.as_deref()),
        }
    }
}

#[cfg(feature = "reference")]
fn reference(regrant: &Path, defect: Option<&str>) -> Result<Manifest, RunError> {
    let is_null = |name: &str| crate::reference::NULLS.iter().any(|(null, _)| *null == name);
    let flag = defect.map(|name| if is_null(name) { "--null" } else { "--defect" });
    let program = regrant.to_string_lossy();
    let words = [Some(program.as_ref()), Some("subject"), flag, defect].into_iter().flatten();
    let run: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    let text = crate::reference::MANIFEST.replace("[\"{regrant}\", \"subject\"]", &format!("[{}]", run.join(", ")));
    let text = text.replace("\"{regrant}\"", &format!("{program:?}"));
    let here = std::env::current_dir().map_err(|e| RunError::Environment(format!("the current folder is gone: {e}")))?;
    Manifest::parse(&text, "regrant.toml", &here, &[]).map_err(|e| RunError::Harness(format!("the reference subject's manifest: {e}")))
}

#[cfg(not(feature = "reference"))]
fn reference(_: &Path, _: Option<&str>) -> Result<Manifest, RunError> {
    Err(RunError::Environment("this build has no reference subject (cargo feature `reference`)".into()))
}
