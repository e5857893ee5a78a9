//! Being asked to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Returns once the process is asked to stop (SIGTERM or SIGINT).
pub(crate) async fn asked() {
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (term, int) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        }
        // Without handlers the signals' own effect is the right one.
        (Err(_), _) | (_, Err(_)) => std::future::pending().await,
    }
}
