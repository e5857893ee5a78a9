//! wiremock with one mounted answer.

use std::net::{Ipv4Addr, TcpListener};

use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use crate::error::BenchError;

/// Answers `POST /oauth/token` with `body`, until it is killed.
///
/// # Errors
/// The port cannot be had.
pub(crate) fn serve(port: u16, body: &str) -> Result<(), BenchError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(BenchError::io("binding a port"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::io("starting a runtime"))?;
    runtime.block_on(async {
        let server = MockServer::builder().listener(listener).disable_request_recording().start().await;
        let reply = ResponseTemplate::new(200).set_body_raw(body, "application/json;charset=UTF-8");
        Mock::given(method("POST")).and(path("/oauth/token")).respond_with(reply).mount(&server).await;
        std::future::pending::<()>().await;
    });
    Ok(())
}
