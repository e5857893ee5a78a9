//! Planted defects in subjects that are not written in Rust, and what is told of each. The subjects are `tests/subjects/faulty`.

mod bookkeeper;
mod roster;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use regrant::reference::Defect;

use crate::choice;

/// A planted defect: its name, what must fail, and what may, each a list of IDs.
pub type Planted = (&'static str, &'static str, &'static [&'static str]);

/// A planted defect, and the story to tell where the usual choice does not show it.
pub type Best = (&'static str, &'static str);

/// A subject in another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Its folder's name.
    pub name: &'static str,
    /// Its defects.
    pub planted: &'static [Planted],
    /// Where to look for some of them.
    pub best: &'static [Best],
    /// The file with its own list.
    pub source: &'static str,
}

/// All of them.
pub const SUBJECTS: [Subject; 2] = [
    Subject { name: "bookkeeper", planted: bookkeeper::ALL, best: bookkeeper::BEST, source: "faults.py" },
    Subject { name: "roster", planted: roster::ALL, best: roster::BEST, source: "faults.js" },
];

impl Subject {
    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/faulty").join(self.name)
    }

    /// Its defects that break something in this register.
    pub fn defects(&self) -> impl Iterator<Item = Defect> {
        self.planted.iter().map(defect).filter(|defect| !choice::broken(defect).is_empty())
    }

    /// The fewest stories that can convict a defect of what it must be convicted of.
    #[must_use]
    pub fn told(&self, defect: &Defect) -> BTreeSet<&'static str> {
        let best: BTreeSet<&str> = self.best.iter().filter(|it| it.0 == defect.name).map(|it| it.1).collect();
        if best.is_empty() { choice::fewest(&choice::broken(defect)).into_iter().collect() } else { best }
    }
}

/// A row of a list as the reference's defects are kept.
#[must_use]
pub fn defect(row: &Planted) -> Defect {
    Defect { name: row.0, about: "", breaks: ids(row.1).leak(), may: row.2.iter().flat_map(|list| ids(list)).collect::<Vec<_>>().leak() }
}

fn ids(list: &'static str) -> Vec<&'static str> {
    list.split_whitespace().collect()
}
