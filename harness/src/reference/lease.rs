//! Whose turn it is to refresh, among the processes that share the folder: by a lock, or, planted, by a lease that runs out.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{
    alone,
    flaw::{Flaw, Flaws},
};

/// A lease that was not renewed for so long has run out.
const LASTS: Duration = Duration::from_millis(1_500);
/// How often its holder renews it.
const RENEWED: Duration = Duration::from_millis(250);
/// How often a lease that somebody else holds is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A turn; it ends when this is dropped.
pub(crate) enum Turn {
    /// The kernel takes it back when its holder dies, and not before.
    Locked(#[allow(dead_code, reason = "held until it is dropped")] File),
    Leased(#[allow(dead_code, reason = "held until it is dropped")] Lease),
    /// Planted: nobody asks the other processes.
    Unasked,
}

/// Waits for the turn.
pub(crate) async fn turn(flaws: Flaws, lock: &Path) -> io::Result<Turn> {
    if flaws.has(Flaw::LocksInProcessOnly) {
        return Ok(Turn::Unasked);
    }
    if flaws.has(Flaw::LeaseWithoutFencing) {
        return Ok(Turn::Leased(Lease::taken(lock.with_extension("lease")).await?));
    }
    Ok(Turn::Locked(alone::locked(lock).await?))
}

/// A file with its holder's number, written anew again and again.
pub(crate) struct Lease {
    path: PathBuf,
    renewing: JoinHandle<()>,
}

impl Lease {
    async fn taken(path: PathBuf) -> io::Result<Self> {
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => {
                    file.write_all(own().as_bytes())?;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            if has_run_out(&path) {
                drop(fs::remove_file(&path));
            } else {
                tokio::time::sleep(LOOK).await;
            }
        }
        let file = path.clone();
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWED).await;
                drop(fs::write(&file, own()));
            }
        });
        Ok(Self { path, renewing })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
        if fs::read_to_string(&self.path).is_ok_and(|holder| holder == own()) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn own() -> String {
    std::process::id().to_string()
}

/// It was not renewed in time, or its holder is no more.
fn has_run_out(path: &Path) -> bool {
    let dead = fs::read_to_string(path).is_ok_and(|holder| !holder.is_empty() && !Path::new("/proc").join(holder).exists());
    let old = fs::metadata(path).and_then(|file| file.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LASTS));
    dead || old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_is_taken_over_when_it_was_not_renewed_and_not_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("refresh.lease");
        let lease = Lease::taken(path.clone()).await.expect("is free");
        assert!(tokio::time::timeout(LASTS + RENEWED, Lease::taken(path.clone())).await.is_err(), "both at once");
        // Its holder sleeps.
        lease.renewing.abort();
        drop(Lease::taken(path.clone()).await.expect("has run out"));
        assert!(!path.exists(), "given back");
    }
}
