//! The verbs of one sandbox, whatever their form: requests go through the agent, programs through the supervisor.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    Agent, Answer, AuthorizeUrl, Bindings, CallbackUrl, Ended, Follow, Look, ProcId, SpawnRequest, Stdin, SubjectError, Supervisor,
    SupervisorEvent,
    manifest::{Callback, Connect, StatusPattern, Trigger, Verb},
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
        match verb {
            Verb::Http(call) => Ok(Answered::Http(self.agent.send(call, bindings, follow, limit).await?)),
            Verb::Run(argv) => Ok(Answered::Ran(self.run(name, argv, bindings, limit).await?)),
            Verb::Auto => Ok(Answered::Unasked),
            Verb::Human(_) => Err(SubjectError::Unsupported {
                key: format!("{name}.human"),
                instead: "use `http`, `run` or `auto`: nobody can be asked here".into(),
            }),
        }
    }

    /// Performs a trigger; redirects are not followed.
    ///
    /// # Errors
    /// As [`Self::perform`].
    pub async fn trigger(&self, trigger: &Trigger, bindings: &Bindings, limit: Duration) -> Result<Answered, SubjectError> {
        self.perform(&trigger.name, &trigger.verb, bindings, Follow::Never, limit).await
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
        match &connect.verb {
            Verb::Http(_) => Ok((self.agent.begin(connect, bindings, limit).await?, None)),
            Verb::Run(argv) => self.begin_by_program(argv, connect, bindings, limit).await,
            Verb::Auto | Verb::Human(_) => Err(SubjectError::Unsupported {
                key: "connect".into(),
                instead: "use `http` or `run`: the user's browser must be led to the authorise endpoint".into(),
            }),
        }
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
        match &connect.callback {
            Callback::Served => Ok(Answered::Http(self.agent.deliver(callback, limit).await?)),
            Callback::Run(argv) => {
                let bindings = bindings.with("callback_url", callback.0.as_str());
                Ok(Answered::Ran(self.run("callback", argv, &bindings, limit).await?))
            }
            Callback::Stdin => {
                let id = waiting.ok_or_else(|| SubjectError::EndedEarly {
                    name: "connect".into(),
                    how: "ended".into(),
                    lines: vec!["its standard input was to be given the callback".into()],
                })?;
                self.supervisor.feed(id, &format!("{}\n", callback.0)).await?;
                let exit = self.supervisor.wait_exit(id, limit).await?;
                let ended = Ended {
                    code: exit.and_then(|e| e.code),
                    signal: exit.and_then(|e| e.signal),
                    timed_out: exit.is_none(),
                    ..Ended::default()
                };
                Ok(Answered::Ran(ended))
            }
        }
    }

    /// Looks at a prompt: a page, or a program's output.
    ///
    /// # Errors
    /// No answer.
    pub async fn look(&self, verb: &Verb, bindings: &Bindings, limit: Duration) -> Result<Look, SubjectError> {
        if let Verb::Http(call) = verb {
            return Ok(self.agent.look(call, bindings, limit).await?);
        }
        let answered = self.perform("prompt", verb, bindings, Follow::Pages, limit).await?;
        let body = answered.text().to_owned();
        let authorize = self.agent.find_authorize_url(&body);
        Ok(Look {
            status: answered.status(),
            text: body.clone(),
            body,
            url: None,
            leads_to_authorize: authorize.is_some(),
            authorize,
            actions: 1,
            fields: 0,
        })
    }

    async fn run(&self, name: &str, argv: &[String], bindings: &Bindings, limit: Duration) -> Result<Ended, SubjectError> {
        let ended = self.supervisor.run_to_end(&self.request(name, argv, bindings, Stdin::Empty)?, limit).await?;
        if ended.timed_out {
            return Err(SubjectError::TooSlow { name: name.to_owned(), after: limit });
        }
        Ok(ended)
    }

    /// Its output is the subject's output: log lines like any other, but for probes, whose output is their answer.
    fn request(&self, name: &str, argv: &[String], bindings: &Bindings, stdin: Stdin) -> Result<SpawnRequest, SubjectError> {
        let private = matches!(name, "status" | "settings" | "data" | "dump" | "prompt");
        let argv = argv.iter().map(|word| bindings.fill(word)).collect::<Result<_, _>>()?;
        Ok(SpawnRequest { name: name.to_owned(), argv, env: self.env.clone(), cwd: self.cwd.clone(), stdin, private })
    }

    async fn begin_by_program(
        &self,
        argv: &[String],
        connect: &Connect,
        bindings: &Bindings,
        limit: Duration,
    ) -> Result<(AuthorizeUrl, Option<ProcId>), SubjectError> {
        let stdin = if matches!(connect.callback, Callback::Stdin) { Stdin::Open } else { Stdin::Empty };
        let (id, mut events) = self.supervisor.spawn_watched(&self.request("connect", argv, bindings, stdin)?).await?;
        let mut lines = Vec::new();
        let found = timeout(limit, async {
            while let Some(event) = events.recv().await {
                match event {
                    SupervisorEvent::Line { text, .. } => {
                        if let Some(url) = self.agent.find_authorize_url(&text) {
                            return Some(url);
                        }
                        lines.push(text);
                    }
                    SupervisorEvent::Exited { .. } => return None,
                    SupervisorEvent::Started { .. } | SupervisorEvent::Flooded { .. } => {}
                }
            }
            None
        })
        .await;
        match found {
            Ok(Some(url)) => Ok((url, Some(id))),
            Ok(None) => {
                Err(SubjectError::EndedEarly { name: "connect".into(), how: "ended without printing the authorise URL".into(), lines })
            }
            Err(_) => {
                self.supervisor.kill_tree(id).await?;
                Err(SubjectError::TooSlow { name: "connect".into(), after: limit })
            }
        }
    }
}

impl Answered {
    /// HTTP status, or exit code (128 + signal where one ended it).
    #[must_use]
    pub fn status(&self) -> i32 {
        match self {
            Self::Http(answer) => i32::from(answer.status),
            Self::Ran(ended) => ended.code.or(ended.signal.map(|s| 128 + s)).unwrap_or(-1),
            Self::Unasked => 0,
        }
    }

    /// Body, or standard output.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Http(answer) => &answer.body,
            Self::Ran(ended) => &ended.stdout,
            Self::Unasked => "",
        }
    }

    /// Whether the answer is what the pattern says.
    #[must_use]
    pub fn matches(&self, pattern: &StatusPattern) -> bool {
        match pattern {
            StatusPattern::Json { pointer, is } => {
                let json: Option<serde_json::Value> = serde_json::from_str(self.text()).ok();
                json.as_ref().and_then(|json| json.pointer(pointer)).is_some_and(|value| value == is)
            }
            StatusPattern::Status(set) => matches!(self, Self::Http(answer) if set.contains(answer.status)),
            StatusPattern::Text(regex) => regex.is_match(self.text()),
            StatusPattern::Exit(code) => matches!(self, Self::Ran(ended) if ended.code == Some(*code)),
        }
    }

    /// Whether a trigger was accepted or refused.
    #[must_use]
    pub fn outcome(&self, trigger: &Trigger) -> Outcome {
        let accepted = trigger.accepted.as_ref().map_or_else(|| self.succeeded(), |pattern| self.matches(pattern));
        let refused = trigger.refused.as_ref().is_none_or(|pattern| self.matches(pattern));
        match (accepted, refused) {
            (true, _) => Outcome::Accepted,
            (false, true) => Outcome::Refused,
            (false, false) => Outcome::Neither,
        }
    }

    /// 2xx without a redirect, exit 0.
    fn succeeded(&self) -> bool {
        match self {
            Self::Http(answer) => answer.status / 100 == 2 && answer.redirects == 0,
            Self::Ran(ended) => ended.code == Some(0),
            Self::Unasked => true,
        }
    }

    /// The program ended by a signal, or with an exit that `exits` does not list.
    #[must_use]
    pub fn crashed(&self, exits: &[i32]) -> bool {
        match self {
            Self::Ran(ended) => {
                ended.signal.is_some() || ended.code.is_some_and(|code| code != 0 && !exits.is_empty() && !exits.contains(&code))
            }
            Self::Http(_) | Self::Unasked => false,
        }
    }
}
