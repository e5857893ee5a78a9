//! Installs the peers under `target/bench/`, from the lists in `bench/peers/`. What was installed from the same list stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::error::BenchError;

/// The lists, and the small programs that start peers which are libraries.
fn lists() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// `npm ci` by the committed lock file.
pub(super) fn node(folder: &Path) -> Result<(), BenchError> {
    let here = folder.join("node");
    let files = ["package.json", "package-lock.json", "oauth2-mock-server.mjs", "oidc-provider.mjs"];
    unless_made(&lists().join("node"), &here, &files, || {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--omit=dev"]).current_dir(&here))
    })
}

/// A virtual environment with pinned versions.
pub(super) fn python(folder: &Path) -> Result<(), BenchError> {
    let here = folder.join("python");
    unless_made(&lists().join("python"), &here, &["requirements.txt"], || {
        run(Command::new("python3").args(["-m", "venv", "."]).current_dir(&here))?;
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"];
        run(Command::new(here.join("bin/python")).args(words).current_dir(&here))
    })
}

/// The jars that the pom names.
pub(super) fn maven(folder: &Path) -> Result<(), BenchError> {
    let here = folder.join("maven");
    unless_made(&lists().join("maven"), &here, &["pom.xml"], || {
        let words = ["--quiet", "--batch-mode", "dependency:copy-dependencies", "-DoutputDirectory=lib"];
        run(Command::new("mvn").args(words).current_dir(&here))
    })
}

/// Copies the lists and makes what they ask for, unless that was done before with the same lists.
fn unless_made(from: &Path, here: &Path, files: &[&str], make: impl FnOnce() -> Result<(), BenchError>) -> Result<(), BenchError> {
    let stamp = here.join("made-from");
    let wanted = files.iter().map(|file| fs::read_to_string(from.join(file))).collect::<io::Result<String>>();
    let wanted = wanted.map_err(BenchError::io(format!("reading {}", from.display())))?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    let write = || {
        fs::create_dir_all(here)?;
        files.iter().try_for_each(|file| fs::copy(from.join(file), here.join(file)).map(drop))
    };
    write().map_err(BenchError::io(format!("writing {}", here.display())))?;
    make()?;
    fs::write(&stamp, wanted).map_err(BenchError::io(format!("writing {}", stamp.display())))
}

fn run(command: &mut Command) -> Result<(), BenchError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(BenchError::Install(format!("{name} could not install it ({status})"))),
        Err(error) => Err(BenchError::Install(format!("{name} cannot be run: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_was_made_from_the_same_list_is_not_made_again() {
        let (from, here) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let made = Cell::new(0);
        let make = || {
            unless_made(from.path(), here.path(), &["list"], || {
                made.set(made.get() + 1);
                Ok(())
            })
        };
        assert!(make().is_err(), "there is no list");
        fs::write(from.path().join("list"), "one").expect("written");
        make().expect("made");
        make().expect("made");
        assert_eq!(made.get(), 1);
        fs::write(from.path().join("list"), "two").expect("written");
        make().expect("made");
        assert_eq!(made.get(), 2);
        assert_eq!(fs::read_to_string(here.path().join("list")).expect("copied"), "two");
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let (from, here) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        fs::write(from.path().join("list"), "one").expect("written");
        let fails = || unless_made(from.path(), here.path(), &["list"], || Err(BenchError::Install("no".into())));
        assert!(fails().is_err());
        assert!(fails().is_err());
    }
}
