//! A scenario told while a test plays the subject.

use std::{sync::mpsc, thread};

use tokio::sync::watch;

use super::Pleo;
use crate::fault::{
    CannotDo,
    scenario::Scenario,
    script::{self, Told},
};

/// A story that is being told on a thread of its own. Dropping it ends the telling; what was done stays done.
#[derive(Debug)]
#[must_use = "the story ends when it is dropped"]
pub struct Story {
    over: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Why a story cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The door cannot carry out one of its rules. Nothing was installed.
    #[error(transparent)]
    CannotDo(#[from] CannotDo),
    /// No thread or no runtime could be made.
    #[error("no thread to tell the story on: {0}")]
    Thread(std::io::Error),
}

impl Pleo {
    /// Plays the provider's part of a scenario, as `regrant serve --scenario` does: puts its policy in force, waits (if it has a
    /// prologue) for the first API request that succeeds, installs its rules and goes through its steps. Where a step is the
    /// subject's, it waits for the client's next request.
    ///
    /// # Errors
    /// A rule that the door cannot carry out.
    pub fn tell(&self, scenario: &Scenario) -> Result<Story, StoryError> {
        scenario.rules.iter().try_for_each(|rule| self.control().can_install(rule))?;
        let (control, scenario) = (self.control().clone(), scenario.clone());
        let (stop, mut stopped) = watch::channel(false);
        let (tells, over) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StoryError::Thread)?;
        let (begins, begun) = mpsc::channel();
        let tell = move || {
            runtime.block_on(async {
                let told = script::run(&control, &scenario, |told| {
                    // Only the first is awaited.
                    let _sent = begins.send(());
                    if told == Told::End {
                        tells.send_replace(true);
                    }
                });
                tokio::select! {
                    () = told => {}
                    _ = stopped.changed() => {}
                }
            });
        };
        let thread = thread::Builder::new().name("story".into()).spawn(tell).map_err(StoryError::Thread)?;
        // What the client does from here on belongs to the story. If its thread panicked, it has said so by itself.
        let _begun = begun.recv();
        Ok(Story { over, stop, thread: Some(thread) })
    }
}

impl Story {
    /// Whether it is told to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until it is told to its end; false if it never will be. Give it a limit of your own: a story waits for the client.
    pub async fn over(&mut self) -> bool {
        self.over.wait_for(|over| *over).await.is_ok()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It panicked if this fails, and has said so by itself.
            let _joined = thread.join();
        }
    }
}
