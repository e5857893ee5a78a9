//! The corpus of the fuzz targets, replayed: what a fuzzer once found interesting stays harmless.
#![allow(clippy::expect_used, clippy::panic, missing_docs, reason = "a test")]

use std::{fs, path::Path};

use regrant_mock_server::fuzzing;

/// A target: its name, and what it calls.
type Target = (&'static str, fn(&[u8]) -> Result<(), fuzzing::Broken>);

const TARGETS: [Target; 3] =
    [("token_request", fuzzing::token_request), ("scenario", fuzzing::scenario), ("proxy_head", fuzzing::proxy_head)];

#[test]
fn no_input_of_the_corpus_breaks_a_promise() {
    let mut broken = Vec::new();
    for (target, check) in TARGETS {
        let files = fs::read_dir(fuzz().join("corpus").join(target)).expect("a corpus").map(|entry| entry.expect("an entry").path());
        let inputs: Vec<_> = files.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect();
        assert!(inputs.len() >= 10, "{target} has {} inputs", inputs.len());
        broken.extend(inputs.iter().filter_map(|(path, input)| Some(format!("{}: {}", path.display(), check(input).err()?))));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_fuzz_target_is_replayed() {
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(fuzz().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut names: Vec<String> = entries.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let mut known = TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    known.sort();
    assert_eq!((names("fuzz_targets"), names("corpus")), (known.clone(), known));
}

fn fuzz() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").join("fuzz")
}
