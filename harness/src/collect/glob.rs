//! Globs for log files: `*`, `?` and `[…]` within a name, `**` over folders, `{a,b}` for either.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// Deeper folders are not looked into.
const DEPTH: usize = 32;
/// More entries of folders are not looked at.
const ENTRIES: usize = 20_000;

/// A list of globs, each with the folder under which its files must lie.
#[derive(Debug, Clone, Default)]
pub(super) struct Globs(Vec<(PathBuf, Regex)>);

impl Globs {
    /// Relative globs count from `root`. What is no pattern is taken as it stands.
    pub(super) fn new(globs: &[String], root: &Path) -> Self {
        let one = |glob: &String| {
            let path = root.join(glob);
            let plain = |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
            let base: PathBuf = path.components().take_while(plain).collect();
            let base = if base == path { base.parent().map(Path::to_owned).unwrap_or_default() } else { base };
            let text = path.to_string_lossy();
            let pattern = Regex::new(&translate(&text)).or_else(|_| Regex::new(&format!("^{}$", regex::escape(&text))));
            pattern.ok().map(|pattern| (base, pattern))
        };
        Self(globs.iter().filter_map(one).collect())
    }

    pub(super) fn matches(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        self.0.iter().any(|(_, pattern)| pattern.is_match(&text))
    }

    /// The regular files that match now, sorted. Links are not followed.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for (base, pattern) in &self.0 {
            let mut left = ENTRIES;
            walk(base, DEPTH, &mut left, &mut |path| {
                if pattern.is_match(&path.to_string_lossy()) {
                    all.push(path.to_owned());
                }
            });
        }
        all.sort();
        all.dedup();
        all
    }
}

fn walk(folder: &Path, depth: usize, left: &mut usize, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => walk(&entry.path(), depth - 1, left, visit),
            Ok(kind) if kind.is_file() => visit(&entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
}

fn translate(glob: &str) -> String {
    let mut out = String::from("^");
    let mut rest = glob.chars().peekable();
    let mut braces = 0_u32;
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.peek() == Some(&'*') => {
                rest.next();
                // `**/` also stands for no folder at all.
                if rest.peek() == Some(&'/') {
                    rest.next();
                    out.push_str("(?:.*/)?");
                } else {
                    out.push_str(".*");
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                if rest.peek() == Some(&'!') {
                    rest.next();
                    out.push('^');
                }
            }
            ']' | '-' => out.push(c),
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            _ => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_a_shell() {
        for (glob, path, expected) in [
            ("logs/*.log", "/s/logs/app.log", true),
            ("logs/*.log", "/s/logs/deep/app.log", false),
            ("logs/**/*.log", "/s/logs/deep/er/app.log", true),
            ("logs/**/*.log", "/s/logs/app.log", true),
            ("/var/?.{log,txt}", "/var/a.txt", true),
            ("/var/?.{log,txt}", "/var/ab.txt", false),
            ("app-[0-9].log", "/s/app-7.log", true),
            ("app-[!0-9].log", "/s/app-7.log", false),
            ("a.log", "/s/axlog", false),
            ("we[ird", "/s/we[ird", true),
        ] {
            assert_eq!(Globs::new(&[glob.into()], Path::new("/s")).matches(Path::new(path)), expected, "{glob} {path}");
        }
    }

    #[test]
    fn files_are_found_below_the_fixed_part() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("logs/deep")).expect("folders");
        for name in ["logs/a.log", "logs/deep/b.log", "logs/c.txt", "d.log"] {
            fs::write(dir.path().join(name), "x").expect("a file");
        }
        let files = |glob: &str| Globs::new(&[glob.into()], dir.path()).files();
        assert_eq!(files("logs/**/*.log"), [dir.path().join("logs/a.log"), dir.path().join("logs/deep/b.log")]);
        assert_eq!(files("d.log"), [dir.path().join("d.log")]);
        assert_eq!(files("none/*.log"), Vec::<PathBuf>::new());
    }
}
