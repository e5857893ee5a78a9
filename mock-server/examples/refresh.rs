//! What does an integration do when its access token expires, and when the user revokes its access?
//!
//! `cargo run -p regrant-mock-server --example refresh`

mod integration;

use integration::{Integration, Outcome};
use regrant_mock_server::PleoServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pleo = PleoServer::builder().start().await?;
    let integration = Integration::new(&pleo, pleo.connect()?)?;
    pleo.add_employees(2);

    // Looked at when they are dropped, at the end: a panic here fails a test.
    let _no_replay = pleo.expect_no_replay();
    let _silence = pleo.expect_no_calls_after_refusal();

    let once = pleo.expect_refreshes(1);
    pleo.expire_access();
    assert_eq!(integration.work().await?, Outcome::Read(5), "it refreshed, and went on");
    once.verify();

    pleo.revoke();
    assert_eq!(integration.work().await?, Outcome::Disconnected, "its refresh was refused");
    assert_eq!(integration.work().await?, Outcome::Disconnected, "and it asks nobody any more");

    for call in pleo.calls() {
        println!("{call}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it ends well");
    }
}
