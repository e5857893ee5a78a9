//! The verbs of one sandbox, whatever their form: requests go through the agent, programs through the supervisor.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};

use super::{
    Agent, AgentError, Answer, AuthorizeUrl, Bindings, CallbackUrl, Ended, Exit, Follow, Look, ProcId, Signer, SpawnRequest, Stdin,
    SubjectError, Supervisor, SupervisorEvent,
    manifest::{Argv, Callback, Connect, StatusPattern, Trigger, Verb},
};

/// Programs whose output is an answer, not a log.
const PROBES: &[&str] = &["status", "settings", "data", "dump", "prompt"];

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
            Verb::Human(_) => Err(SubjectError::Unsupported { key: format!("{name}.human"), instead: "write http, steps or run".into() }),
        }
    }

    /// Performs a trigger, signed if it is to be; redirects are not followed.
    ///
    /// # Errors
    /// As [`Self::perform`].
    pub async fn trigger(
        &self,
        trigger: &Trigger,
        bindings: &Bindings,
        sign: &Signer<'_>,
        limit: Duration,
    ) -> Result<Answered, SubjectError> {
        if let (Verb::Http(call), true) = (&trigger.verb, trigger.signed) {
            return Ok(Answered::Http(self.agent.message(call, bindings, sign, limit).await?));
        }
        self.perform(&trigger.name, &trigger.verb, bindings, Follow::Never, limit).await
    }

    /// Begins to connect, up to the authorise URL, which is not requested. For a program, also its process: it may stay to wait for the callback.
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
            Verb::Run(argv) => {
                let stdin = if connect.callback == Callback::Stdin { Stdin::Open } else { Stdin::Empty };
                let request = SpawnRequest { stdin, ..self.request("connect", argv, bindings)? };
                let (proc, mut events) = self.supervisor.spawn_watched(&request).await?;
                match timeout(limit, self.printed_url(&mut events)).await {
                    Ok(Ok(url)) => Ok((url, Some(proc))),
                    Ok(Err(error)) => Err(error),
                    Err(_) => {
                        self.supervisor.kill_tree(proc).await?;
                        Err(SubjectError::NoAuthorizeUrl { how: format!("it printed none within {limit:?}") })
                    }
                }
            }
            Verb::Auto | Verb::Human(_) => Err(SubjectError::Unsupported {
                key: "connect".into(),
                instead: "write http, steps or run, so that the authorise URL can be seen".into(),
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
        match (&connect.callback, waiting) {
            (Callback::Served, _) => Ok(Answered::Http(self.agent.deliver(callback, limit).await?)),
            (Callback::Run(argv), _) => {
                let bindings = bindings.with("callback_url", callback.0.as_str());
                Ok(Answered::Ran(self.run("callback", argv, &bindings, limit).await?))
            }
            (Callback::Stdin, Some(proc)) => {
                self.supervisor.feed(proc, &format!("{}\n", callback.0)).await?;
                match self.supervisor.wait_exit(proc, limit).await? {
                    Some(Exit { code, signal }) => Ok(Answered::Ran(Ended { code, signal, ..Ended::default() })),
                    None => Err(SubjectError::TooSlow { name: "connect".into(), after: limit }),
                }
            }
            (Callback::Stdin, None) => {
                Err(SubjectError::Unsupported { key: "connect.callback.stdin".into(), instead: "give connect as run = […]".into() })
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
        let authorize = self.agent.find_authorize_url(answered.text());
        let named = self.agent.connect_url_in(answered.text());
        Ok(Look {
            status: answered.status(),
            body: answered.text().to_owned(),
            url: None,
            leads_to_authorize: authorize.is_some() || named,
            actions: u32::from(authorize.is_some() || named),
            fields: 0,
            took: None,
            authorize,
        })
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It could not be started, or did not end in time.
    pub async fn run(&self, name: &str, argv: &Argv, bindings: &Bindings, limit: Duration) -> Result<Ended, SubjectError> {
        let ended = self.supervisor.run_to_end(&self.request(name, argv, bindings)?, limit).await?;
        if ended.timed_out {
            return Err(SubjectError::TooSlow { name: name.to_owned(), after: limit });
        }
        Ok(ended)
    }

    /// What it prints is log like any other output of the subject, but for probes, whose output is their answer.
    fn request(&self, name: &str, argv: &Argv, bindings: &Bindings) -> Result<SpawnRequest, SubjectError> {
        let (argv, private) = (bindings.fill_all(argv)?, PROBES.contains(&name));
        Ok(SpawnRequest { name: name.to_owned(), argv, env: self.env.clone(), cwd: self.cwd.clone(), stdin: Stdin::Empty, private })
    }

    async fn printed_url(&self, events: &mut UnboundedReceiver<SupervisorEvent>) -> Result<AuthorizeUrl, SubjectError> {
        while let Some(event) = events.recv().await {
            match event {
                SupervisorEvent::Line { text, .. } => {
                    if let Some(url) = self.agent.find_authorize_url(&text) {
                        return Ok(url);
                    }
                }
                SupervisorEvent::Exited { code, signal, .. } => {
                    return Err(SubjectError::NoAuthorizeUrl { how: format!("it {} without printing one", Exit { code, signal }) });
                }
                SupervisorEvent::Started { .. } | SupervisorEvent::Flooded { .. } => {}
            }
        }
        Err(SubjectError::SupervisorGone)
    }
}

impl Answered {
    /// HTTP status, or exit code (128 + signal where one ended it); 0 where nothing was asked.
    #[must_use]
    pub fn status(&self) -> i32 {
        match self {
            Self::Http(answer) => i32::from(answer.status),
            Self::Ran(ended) => ended.code.unwrap_or_else(|| 128 + ended.signal.unwrap_or(0)),
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
        match (pattern, self) {
            (StatusPattern::Json { pointer, is }, _) => serde_json::from_str::<serde_json::Value>(self.text())
                .is_ok_and(|json| json.pointer(pointer).is_some_and(|value| is_as_said(value, is))),
            (StatusPattern::Text(pattern), _) => pattern.is_match(self.text()),
            (StatusPattern::Status(set), Self::Http(answer)) => set.contains(answer.status),
            (StatusPattern::Exit(code), Self::Ran(ended)) => ended.code == Some(*code),
            (StatusPattern::Status(_), Self::Ran(_) | Self::Unasked) | (StatusPattern::Exit(_), Self::Http(_) | Self::Unasked) => false,
        }
    }

    /// Whether a trigger was accepted or refused.
    #[must_use]
    pub fn outcome(&self, trigger: &Trigger) -> Outcome {
        let accepted = trigger.accepted.as_ref().map_or_else(|| self.is_success(), |pattern| self.matches(pattern));
        let refused = trigger.refused.as_ref().is_none_or(|pattern| self.matches(pattern));
        match (accepted, refused) {
            (true, _) => Outcome::Accepted,
            (false, true) => Outcome::Refused,
            (false, false) => Outcome::Neither,
        }
    }

    /// The program ended by a signal, or with an exit other than 0 that `exits` does not list.
    #[must_use]
    pub fn crashed(&self, exits: &[i32]) -> bool {
        match self {
            Self::Ran(ended) => !ended.timed_out && ended.code.is_none_or(|code| code != 0 && !exits.contains(&code)),
            Self::Http(_) | Self::Unasked => false,
        }
    }

    /// 2xx without a redirect; exit 0.
    fn is_success(&self) -> bool {
        match self {
            Self::Http(answer) => (200..300).contains(&answer.status) && answer.redirects == 0 && answer.authorize.is_none(),
            Self::Ran(ended) => ended.code == Some(0),
            Self::Unasked => true,
        }
    }
}

impl SubjectError {
    /// Nothing was answered: a transport error, a time-out. Says nothing about the work.
    #[must_use]
    pub fn is_no_answer(&self) -> bool {
        match self {
            Self::Agent(error) => AgentError::is_no_answer(error),
            Self::TooSlow { .. } => true,
            Self::Environment { .. }
            | Self::SupervisorGone
            | Self::NotListening { .. }
            | Self::NoAuthorizeUrl { .. }
            | Self::Spawn(_)
            | Self::Placeholder(_)
            | Self::Unsupported { .. }
            | Self::PortTaken { .. }
            | Self::EndedEarly { .. }
            | Self::NotReady { .. } => false,
        }
    }
}

/// The value is the one that a manifest names, or one of those that it names; `"3"` or `"true"` will do for a number or a truth value.
fn is_as_said(value: &serde_json::Value, said: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (value, said) {
        (Value::Number(number), Value::String(text)) => number.to_string() == *text,
        (Value::Bool(truth), Value::String(text)) => text == if *truth { "true" } else { "false" },
        (value, said) => value == said || said.as_array().is_some_and(|all| all.iter().any(|one| is_as_said(value, one))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_what_the_manifest_says_or_one_of_a_list_quoted_or_not() {
        for said in [json!("off"), json!(["gone", "off"]), json!([3, "off"])] {
            assert!(is_as_said(&json!("off"), &said), "{said}");
        }
        assert!(is_as_said(&json!(true), &json!("true")) && is_as_said(&json!(3), &json!("3")) && is_as_said(&json!([1]), &json!([1])));
        for said in [json!("offline"), json!(["on"]), json!([]), json!(null), json!({"off": true})] {
            assert!(!is_as_said(&json!("off"), &said), "{said}");
        }
        assert!(!is_as_said(&json!("true"), &json!(true)));
    }
}
