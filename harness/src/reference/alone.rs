//! One at a time, among the tasks of this process and among the processes that share the folder: a lock on a file, which the kernel
//! takes back when its holder dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use tokio::sync::{Mutex, MutexGuard};

/// What only one may do at a time.
pub(crate) struct Alone {
    tasks: Mutex<()>,
    path: PathBuf,
}

/// A turn; it ends when this is dropped.
pub(crate) struct Turn<'a> {
    _process: File,
    _task: MutexGuard<'a, ()>,
}

impl Alone {
    /// With the file that stands for it.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { tasks: Mutex::new(()), path }
    }

    /// Waits for its turn.
    pub(crate) async fn turn(&self) -> io::Result<Turn<'_>> {
        let task = self.tasks.lock().await;
        Ok(Turn { _process: locked(&self.path).await?, _task: task })
    }
}

/// The file, locked until it is dropped.
pub(crate) async fn locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    waiting.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_turn_is_waited_for_until_the_other_is_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let [one, other] = [(), ()].map(|()| Alone::new(dir.path().join("a.lock")));
        let turn = one.turn().await.expect("is free");
        assert!(tokio::time::timeout(Duration::from_millis(50), other.turn()).await.is_err(), "both at once");
        drop(turn);
        // The turn that nobody waits for any more is given back at once.
        drop(other.turn().await.expect("is free again"));
        drop(one.turn().await.expect("is free again"));
    }
}
