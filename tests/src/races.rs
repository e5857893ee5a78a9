//! The planted races that a search must find, and the honest designs that it must not accuse.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regrant::reference;

/// The designs that `keeper`'s COORDINATION can name; `mutex` is right in one process only.
pub const DESIGNS: [&str; 5] = ["mutex", "flock", "row", "lease", "actor"];

/// A race that is planted somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Where, and what: `keeper/no-lock`, `reference/loser-purges`.
    pub name: String,
    /// What tells `regrant explore` and `regrant check` of it.
    pub words: Vec<String>,
    /// What a search must convict it of. One is enough.
    pub breaks: Vec<String>,
}

/// The folder of `keeper`.
#[must_use]
pub fn keeper() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/races/keeper")
}

/// `keeper` with a design and nothing planted.
#[must_use]
pub fn design(name: &str) -> Vec<String> {
    let processes = if name == "mutex" { 1 } else { 2 };
    set(&[format!("start.env.COORDINATION={name}"), format!("features.processes={processes}")])
}

fn set(keys: &[String]) -> Vec<String> {
    let words = keys.iter().flat_map(|key| ["--set".to_owned(), key.clone()]);
    std::iter::once(keeper().to_string_lossy().into_owned()).chain(words).collect()
}

/// All of `keeper`, as its `faults.py` lists them, and those of the reference subject that break a RACE requirement.
///
/// # Errors
/// The list cannot be read: where.
pub fn planted() -> Result<Vec<Planted>, String> {
    let file = keeper().join("faults.py");
    let source = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let races = reference::defects().iter().filter(|defect| defect.breaks.iter().any(|id| id.starts_with("RACE-")));
    let in_rust = races.map(|defect| Planted {
        name: format!("reference/{}", defect.name),
        words: vec!["--reference".to_owned(), defect.name.to_owned()],
        breaks: defect.breaks.iter().filter(|id| id.starts_with("RACE-")).map(|id| (*id).to_owned()).collect(),
    });
    let of_keeper: Vec<Planted> = source.lines().filter_map(of_keeper).collect();
    if of_keeper.is_empty() {
        return Err(format!("{}: no defect stands there", file.display()));
    }
    Ok(of_keeper.into_iter().chain(in_rust).collect())
}

/// A line such as `"name": Defect("about", "design", processes, "IDs"),`.
fn of_keeper(line: &str) -> Option<Planted> {
    let (name, rest) = line.strip_prefix("    \"")?.split_once("\": Defect(")?;
    let (rest, breaks) = rest.trim_end_matches("),").trim_end_matches('"').rsplit_once(", \"")?;
    let (rest, processes) = rest.rsplit_once(", ")?;
    let (_, design) = rest.trim_end_matches('"').rsplit_once(", \"")?;
    let keys = [format!("start.env.COORDINATION={design}"), format!("start.env.DEFECT={name}"), format!("features.processes={processes}")];
    Some(Planted { name: format!("keeper/{name}"), words: set(&keys), breaks: breaks.split(' ').map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_is_read_whatever_its_description_holds() {
        let planted =
            of_keeper(r#"    "stale-cache": Defect("F93: keeps, \"so\" to say, the pair", "flock", 2, "STOP-05 RACE-02"),"#).expect("one");
        assert_eq!((planted.name.as_str(), planted.breaks.join(" ").as_str()), ("keeper/stale-cache", "STOP-05 RACE-02"));
        assert!(
            planted.words.contains(&"features.processes=2".to_owned())
                && planted.words.contains(&"start.env.COORDINATION=flock".to_owned())
        );
    }
}
