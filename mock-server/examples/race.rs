//! Ten pieces of work find the access token expired at the same moment: does the integration refresh once? No runtime in the test
//! itself, and the refresh is held until all ten have begun.
//!
//! `cargo run -p regrant-mock-server --example race`

mod integration;

use std::{error::Error, sync::Arc};

use integration::{Integration, Outcome};
use regrant_mock_server::PleoServer;

fn main() -> Result<(), Box<dyn Error>> {
    let pleo = PleoServer::builder().start_blocking()?;
    let integration = Arc::new(Integration::new(&pleo, pleo.connect()?)?);
    let _once = pleo.expect_refreshes(1);
    pleo.expire_access();
    let gate = pleo.hold_next_refresh()?;

    let runtime = tokio::runtime::Runtime::new()?;
    let work = |_| {
        let integration = integration.clone();
        runtime.spawn(async move { integration.work().await.map_err(|error| error.to_string()) })
    };
    let all: Vec<_> = (0..10).map(work).collect();
    gate.reached_blocking()?;
    let refused = |calls: &[regrant_mock_server::Call]| calls.iter().filter(|call| call.status == Some(401)).count() == 10;
    runtime.block_on(pleo.until(refused))?;
    gate.release();

    for work in all {
        assert_eq!(runtime.block_on(work)??, Outcome::Read(3));
    }
    println!("ten pieces of work, one refresh");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it ends well");
    }
}
