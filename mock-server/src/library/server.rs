//! A server for one test, on a thread and a runtime of its own.

use std::{ops::Deref, sync::mpsc, thread};

use tokio::sync::oneshot;

use super::{Pleo, PleoBuilder, SettingError};
use crate::{Provider, ProviderConfig, StartError};

/// A running Pleo with listeners of its own. Derefs to [`Pleo`], which has the URLs, the levers and the expectations. Dropping
/// it ends every connection.
///
/// ```
/// use regrant_mock_server::{PleoServer, authority::Rotation};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pleo = PleoServer::builder()
///     .client("crm-sync", "s3cret")
///     .scopes(["users:read"])
///     .rotation(Rotation::Strict)
///     .start_blocking()?;
/// assert_eq!(pleo.client_id(), "crm-sync");
/// assert!(pleo.token_url().ends_with("/oauth/token"));
/// let connected = pleo.connect()?;
/// assert_eq!(connected.scopes, ["users:read"]);
/// assert_eq!(pleo.revoke(), [connected.grant]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PleoServer {
    pleo: Pleo,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A setting that cannot be meant.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A port or a certificate could not be had.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No thread or no runtime could be made.
    #[error("no thread for the server: {0}")]
    Thread(std::io::Error),
    /// Its thread ended before it listened.
    #[error("the server's thread ended before it listened")]
    Died,
}

impl PleoServer {
    /// Settings to begin with: a random client on loopback, and all else as at Pleo.
    pub fn builder() -> PleoBuilder {
        PleoBuilder::default()
    }

    /// Ends every connection and waits until that is done; dropping does the same.
    pub fn stop(self) {}
}

impl Deref for PleoServer {
    type Target = Pleo;

    fn deref(&self) -> &Pleo {
        &self.pleo
    }
}

impl Drop for PleoServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panicked if this fails, and has said so by itself.
            let _joined = thread.join();
        }
    }
}

pub(super) async fn start(config: ProviderConfig) -> Result<PleoServer, ServerError> {
    let (told, hears) = oneshot::channel();
    // Whoever asked may have gone meanwhile; then the server ends at once.
    let raised = raise(config, move |outcome| drop(told.send(outcome)))?;
    raised.finish(hears.await.map_err(|_| ServerError::Died)?)
}

pub(super) fn start_blocking(config: ProviderConfig) -> Result<PleoServer, ServerError> {
    let (told, hears) = mpsc::channel();
    let raised = raise(config, move |outcome| drop(told.send(outcome)))?;
    raised.finish(hears.recv().map_err(|_| ServerError::Died)?)
}

/// A thread that is about to listen.
struct Raised {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Raised {
    fn finish(self, outcome: Result<Pleo, ServerError>) -> Result<PleoServer, ServerError> {
        Ok(PleoServer { pleo: outcome?, stop: Some(self.stop), thread: Some(self.thread) })
    }
}

fn raise(config: ProviderConfig, tell: impl FnOnce(Result<Pleo, ServerError>) + Send + 'static) -> Result<Raised, ServerError> {
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Err(error) => tell(Err(ServerError::Thread(error))),
        Ok(runtime) => runtime.block_on(async {
            match Provider::start(config).await {
                Err(error) => tell(Err(error.into())),
                Ok(provider) => {
                    tell(Ok(Pleo::of(&provider)));
                    // The sender is only ever dropped.
                    let _dropped = stopped.await;
                    provider.stop().await;
                }
            }
        }),
    };
    let thread = thread::Builder::new().name("pleo".into()).spawn(serve).map_err(ServerError::Thread)?;
    Ok(Raised { stop, thread })
}
