//! The first request on the proxy's port.
#![no_main]

use libfuzzer_sys::fuzz_target;
use regrant_mock_server::fuzzing::proxy_head;

fuzz_target!(|input: &[u8]| {
    if let Err(broken) = proxy_head(input) {
        panic!("{broken}");
    }
});
