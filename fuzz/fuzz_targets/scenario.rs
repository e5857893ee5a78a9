//! Scenario files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regrant_mock_server::fuzzing::scenario;

fuzz_target!(|input: &[u8]| {
    if let Err(broken) = scenario(input) {
        panic!("{broken}");
    }
});
