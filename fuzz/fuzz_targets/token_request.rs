//! Requests to the front, above all to the token endpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regrant_mock_server::fuzzing::token_request;

fuzz_target!(|input: &[u8]| {
    if let Err(broken) = token_request(input) {
        panic!("{broken}");
    }
});
