//! One test body against both doors: a server of its own, and a `wiremock::MockServer` that has other mocks too.
//!
//! `cargo run -p regrant-mock-server --features wiremock --example both_doors`

mod integration;

use std::error::Error;

use integration::{Integration, Outcome};
use regrant_mock_server::{Pleo, PleoMock, PleoServer, ProviderConfig};
use wiremock::MockServer;

/// The token endpoint is down for a moment, then the reply to a refresh is lost on its way.
async fn survives_an_outage_but_not_a_lost_token(pleo: &Pleo) -> Result<(), Box<dyn Error>> {
    let integration = Integration::new(pleo, pleo.connect()?)?;
    pleo.expire_access();
    pleo.reply_once(503)?;
    assert_eq!(integration.work().await?, Outcome::Later);
    assert_eq!(integration.work().await?, Outcome::Read(3), "the outage cost nothing");

    pleo.expire_access();
    pleo.lose_next_refresh_reply()?;
    assert_eq!(integration.work().await?, Outcome::Later);
    let replay = pleo.expect_no_replay();
    assert_eq!(integration.work().await?, Outcome::Disconnected, "what it has was replaced, and it cannot know");
    let seen = replay.check().err().map(|unmet| unmet.sentence);
    assert_eq!(seen.as_deref(), Some("expected no refresh token or code presented again after its use, seen 1"));
    replay.dismiss();
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = PleoServer::builder().start().await?;
    survives_an_outage_but_not_a_lost_token(&server).await?;

    let wiremock = MockServer::start().await;
    let mock = PleoMock::mount(&wiremock, ProviderConfig::local(1)).await?;
    survives_an_outage_but_not_a_lost_token(&mock).await?;

    // wiremock answers at once or not at all: what it cannot do is refused, and said.
    let refused = mock.hold_next_refresh().err().map(|error| error.to_string());
    println!("{}", refused.unwrap_or_default());
    assert!(server.hold_next_refresh().is_ok());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("it ends well");
    }
}
