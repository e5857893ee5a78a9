//! The verbs of one sandbox, whatever their form: requests go through the agent, programs through the supervisor.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use super::{
    Agent, Answer, AuthorizeUrl, Bindings, CallbackUrl, Ended, Follow, Look, ProcId, SubjectError, Supervisor,
    manifest::{Connect, StatusPattern, Trigger, Verb},
};

/// Who performs the verbs.
#[derive(Debug, Clone)]
pub struct Driver {
    /// The user's browser.
    pub agent: Arc<Agent>,
    /// Who runs programs.
    pub supervisor: Arc<Supervisor>,
    /// The environment of programs.
    pub env: BTreeMap<String, String>,
    /// Where programs run.
    pub cwd: PathBuf,
}

/// What a verb answered.
#[derive(Debug, Clone)]
pub enum Answered {
    /// A page or a reply.
    Http(Answer),
    /// A program's end.
    Ran(Ended),
    /// Nothing was asked: the subject does it unaided.
    Unasked,
}

/// How a trigger was answered, by the manifest's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Taken on.
    Accepted,
    /// Honestly refused.
    Refused,
    /// Answered by neither of the manifest's patterns.
    Neither,
}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Driver {
    /// Performs a verb once.
    ///
    /// # Errors
    /// No answer: a transport error, a time-out; or the program could not be run.
    pub async fn perform(
        &self,
        name: &str,
        verb: &Verb,
        bindings: &Bindings,
        follow: Follow,
        limit: Duration,
    ) -> Result<Answered, SubjectError> {
        todo!()
    }

    /// Performs a trigger; redirects are not followed.
    ///
    /// # Errors
    /// As [`Self::perform`].
    pub async fn trigger(&self, trigger: &Trigger, bindings: &Bindings, limit: Duration) -> Result<Answered, SubjectError> {
        todo!()
    }

    /// Begins to connect, up to the authorise URL, which is not requested. For a program that stays to wait for the callback, also its process.
    ///
    /// # Errors
    /// No authorise URL came out.
    pub async fn begin(
        &self,
        connect: &Connect,
        bindings: &Bindings,
        limit: Duration,
    ) -> Result<(AuthorizeUrl, Option<ProcId>), SubjectError> {
        todo!()
    }

    /// Delivers a callback where the manifest wants it.
    ///
    /// # Errors
    /// No answer.
    pub async fn deliver(
        &self,
        connect: &Connect,
        callback: &CallbackUrl,
        waiting: Option<ProcId>,
        bindings: &Bindings,
        limit: Duration,
    ) -> Result<Answered, SubjectError> {
        todo!()
    }

    /// Looks at a prompt: a page, or a program's output.
    ///
    /// # Errors
    /// No answer.
    pub async fn look(&self, verb: &Verb, bindings: &Bindings, limit: Duration) -> Result<Look, SubjectError> {
        todo!()
    }
}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Answered {
    /// HTTP status, or exit code (128 + signal where one ended it).
    #[must_use]
    pub fn status(&self) -> i32 {
        todo!()
    }

    /// Body, or standard output.
    #[must_use]
    pub fn text(&self) -> &str {
        todo!()
    }

    /// Whether the answer is what the pattern says.
    #[must_use]
    pub fn matches(&self, pattern: &StatusPattern) -> bool {
        todo!()
    }

    /// Whether a trigger was accepted or refused.
    #[must_use]
    pub fn outcome(&self, trigger: &Trigger) -> Outcome {
        todo!()
    }

    /// The program ended by a signal, or with an exit that `exits` does not list.
    #[must_use]
    pub fn crashed(&self, exits: &[i32]) -> bool {
        todo!()
    }
}
