//! The user connects the subject with Pleo: consents, denies, walks away; and callbacks that nobody should believe.

use std::{sync::atomic::Ordering, time::Duration};

use regrant_mock_server::{ConsentMode, fault::scenario::Reconnect};
use url::Url;

use super::{cast::Cast, probes::look_for_canaries, recorder::Recorder};
use crate::{
    canary::CanarySet,
    collect::brief,
    evidence::{self, Outcome, Wanted, What},
    subject::{
        Answered, AuthorizeUrl, Bindings, CallbackUrl, Consent, Consented, Driver, ProcId, SubjectError,
        manifest::{Connect, HttpCall, Verb},
    },
};

/// How much of an answer to a verb a history keeps, in bytes.
pub(super) const DETAIL: usize = 200;

impl Cast {
    /// One login. True if the callback was delivered and answered with success.
    pub(super) async fn connect(&mut self, wanted: Wanted, forge: Reconnect) -> bool {
        let outcome = self.connect_once(wanted, forge).await;
        let outcome = if outcome == Outcome::NoAnswer && self.is_back().await { self.connect_once(wanted, forge).await } else { outcome };
        outcome == Outcome::Accepted
    }

    async fn connect_once(&mut self, wanted: Wanted, forge: Reconnect) -> Outcome {
        let link = self.link(forge.connection);
        let call = self.called_connect(wanted, link);
        let (outcome, status, detail) = match self.log_in(call, wanted, forge).await {
            Ok((status, detail)) if status < 400 => (Outcome::Accepted, Some(status), detail),
            Ok((status, detail)) => (Outcome::Refused, Some(status), detail),
            Err(error) => (unanswered(&error), None, self.canaries.redact(&error.to_string())),
        };
        self.recorder.record(What::VerbAnswered { call, outcome, status, detail });
        if wanted == Wanted::Consent {
            self.note_grant(link);
        }
        outcome
    }

    fn called_connect(&mut self, wanted: Wanted, link: usize) -> u32 {
        let call = self.recorder.next_call();
        self.last_stimulus = self.recorder.now();
        let connection = self.named(link);
        self.recorder.record(What::VerbCalled {
            call,
            verb: evidence::Verb::Connect,
            source: None,
            wanted: Some(wanted),
            item: None,
            connection,
            instance: None,
        });
        call
    }

    /// The user goes on with other things before the answer to the callback has come.
    pub(super) async fn connect_detached(&mut self, how: Reconnect) {
        let link = self.link(how.connection);
        let call = self.called_connect(Wanted::Consent, link);
        match self.consented(how).await {
            Ok(login) => {
                self.note_grant(link);
                let delivery = Delivery { call, twice: how.callback_twice, ..self.delivery(login) };
                self.unattended(delivery.answer());
            }
            Err(error) => self.recorder.record_answer(call, &Err(error), &self.canaries),
        }
    }

    /// Goes on beside the story until it has its answer.
    fn unattended(&mut self, answered: impl Future<Output = ()> + Send + 'static) {
        let open = std::sync::Arc::clone(&self.open_triggers);
        open.fetch_add(1, Ordering::AcqRel);
        self.detached.push(tokio::spawn(async move {
            answered.await;
            open.fetch_sub(1, Ordering::AcqRel);
        }));
    }

    /// Two logins of one browser: both are begun and consented to before the first comes back, and both come back at once.
    pub(super) async fn connect_in_two_tabs(&mut self, how: Reconnect) {
        let link = self.link(how.connection);
        let mut tabs = Vec::new();
        for _ in 0..2 {
            let call = self.called_connect(Wanted::Consent, link);
            match self.consented(how).await {
                Ok(login) => tabs.push(Delivery { call, twice: how.callback_twice, ..self.delivery(login) }),
                Err(error) => self.recorder.record_answer(call, &Err(error), &self.canaries),
            }
        }
        let answered = futures::future::join_all(tabs.into_iter().map(Delivery::answer));
        if how.detached {
            self.unattended(async {
                answered.await;
            });
        } else {
            answered.await;
        }
        self.note_grant(link);
    }

    /// A login up to the callback, which is not delivered yet.
    async fn consented(&mut self, how: Reconnect) -> Result<Login, SubjectError> {
        let connect = self.setting.manifest.connect.clone();
        let link = self.link(how.connection);
        let bindings = self.bound_to(link);
        let (url, waiting) = self.driver.begin(&connect, &bindings, self.limit()).await?;
        self.control().consent_for(how.company.map_or(link, |company| company.saturating_sub(1) as usize));
        let consented = self.at_the_provider(&url, Wanted::Consent).await;
        self.control().consent_for(0);
        Ok(Login { consented: consented?, bindings, waiting })
    }

    fn delivery(&self, login: Login) -> Delivery {
        Delivery {
            call: 0,
            twice: false,
            login,
            driver: self.driver.clone(),
            connect: self.setting.manifest.connect.clone(),
            recorder: self.recorder.clone(),
            canaries: self.canaries.clone(),
            limit: self.limit(),
        }
    }

    async fn log_in(&mut self, call: u32, wanted: Wanted, forge: Reconnect) -> Result<(i32, String), SubjectError> {
        let connect = self.setting.manifest.connect.clone();
        let link = self.link(forge.connection);
        let bindings = self.bound_to(link);
        let from = if forge.from_prompt { self.way_from_the_prompt(&bindings).await } else { None };
        let (url, waiting) = match &from {
            Some((_, url)) => (url.clone(), None),
            None => self.driver.begin(&connect, &bindings, self.limit()).await?,
        };
        // Each connection is another company's.
        let company = forge.company.map_or(link, |company| company.saturating_sub(1) as usize);
        if wanted == Wanted::Consent {
            self.consents_for(link, company);
            if company != link {
                self.recorder.record(What::OtherCompany { call, company: u32::try_from(company + 1).unwrap_or(u32::MAX) });
            }
        }
        self.control().consent_for(company);
        let consented = self.at_the_provider(&url, wanted).await;
        self.control().consent_for(0);
        let consented = consented?;
        let callback = match consented {
            Consented::Callback(callback) => callback,
            Consented::Page(_) if wanted == Wanted::Abandon => return Ok((200, "walked away at the consent page".into())),
            Consented::Page(page) => {
                return Ok((i32::from(page.status.max(400)), "the provider showed a page instead of sending the user back".into()));
            }
        };
        if forge.lingers {
            // The user takes their time: what the subject keeps of a login meanwhile can be looked at.
            self.settle().await;
            self.read_storage().await;
        }
        if forge.forged_first {
            let state = format!("forged-{:032x}", rand::random::<u128>());
            self.deliver_forged(call, &callback, Some(&state)).await;
        }
        if forge.stateless_first {
            self.deliver_forged(call, &callback, None).await;
        }
        if forge.callback_twice {
            let login = Login { consented: Consented::Callback(callback), bindings, waiting };
            return Delivery { call, ..self.delivery(login) }.deliver_twice().await;
        }
        let Some((from, _)) = from else { return self.deliver(call, &bindings, &callback, waiting).await };
        let (delivered, end) = self.deliver_to_the_end(call, &bindings, &callback, waiting).await?;
        if let Some(end) = end {
            let there = is_there(&from, &end);
            let to = brief(end.path(), &self.canaries, DETAIL);
            self.recorder.record(What::Returned { call, to, there });
        }
        Ok(delivered)
    }

    /// The place that `prompt.from` names, and where its way to the consent page leads.
    async fn way_from_the_prompt(&self, bindings: &Bindings) -> Option<(Url, AuthorizeUrl)> {
        let from = self.setting.manifest.prompt.as_ref()?.from.as_ref()?;
        let from = bindings.fill(from).ok()?;
        let base = Url::parse(bindings.get("base_url")?).ok()?;
        let place = base.join(&from).ok()?;
        let call = HttpCall { method: "GET".into(), url: place.to_string(), ..HttpCall::default() };
        let look = self.driver.look(&Verb::Http(call), bindings, self.limit()).await.ok()?;
        Some((place, look.authorize?))
    }

    async fn at_the_provider(&self, url: &AuthorizeUrl, wanted: Wanted) -> Result<Consented, SubjectError> {
        let (mode, consent) = match wanted {
            Wanted::Consent => (ConsentMode::Auto, Consent::Allow),
            Wanted::Deny => (ConsentMode::Deny, Consent::Deny),
            Wanted::Abandon => (ConsentMode::Page, Consent::WalkAway),
        };
        self.control().consent(mode);
        let consented = self.driver.agent.authorize(url, consent, self.limit()).await;
        self.control().consent(ConsentMode::Auto);
        Ok(consented?)
    }

    async fn deliver(
        &self,
        call: u32,
        bindings: &Bindings,
        callback: &CallbackUrl,
        waiting: Option<ProcId>,
    ) -> Result<(i32, String), SubjectError> {
        Ok(self.deliver_to_the_end(call, bindings, callback, waiting).await?.0)
    }

    /// The answer to a callback, and the address at which the browser is then.
    async fn deliver_to_the_end(
        &self,
        call: u32,
        bindings: &Bindings,
        callback: &CallbackUrl,
        waiting: Option<ProcId>,
    ) -> Result<((i32, String), Option<Url>), SubjectError> {
        let login = Login { consented: Consented::Callback(callback.clone()), bindings: bindings.clone(), waiting };
        Delivery { call, ..self.delivery(login) }.deliver().await
    }

    /// A callback with a made-up code and a state that the subject did not issue.
    async fn deliver_forged(&self, call: u32, genuine: &CallbackUrl, state: Option<&str>) {
        let code = format!("forged-{:032x}", rand::random::<u128>());
        let mut url = genuine.0.clone();
        url.query_pairs_mut().clear().append_pair("code", &code).extend_pairs(state.map(|s| ("state", s)));
        self.recorder.record(What::CallbackDelivered { call, forged: true, status: None, code: None });
        let connect = self.setting.manifest.connect.clone();
        // Whatever it answers, even nothing: only an exchange would be wrong, and that is seen on the wire.
        let answered = self.driver.deliver(&connect, &CallbackUrl(url), None, &self.bindings, self.limit()).await;
        if let Ok(Answered::Http(answer)) = answered {
            self.look_for_canaries("connect", &answer.body);
        }
    }
}

/// A login that was consented to.
struct Login {
    consented: Consented,
    bindings: Bindings,
    waiting: Option<ProcId>,
}

/// A callback, ready to be delivered; owns what it needs, so that it can go on unattended.
struct Delivery {
    call: u32,
    /// A browser repeats the request.
    twice: bool,
    login: Login,
    driver: Driver,
    connect: Connect,
    recorder: Recorder,
    canaries: CanarySet,
    limit: Duration,
}

impl Delivery {
    /// Delivers it and records the answer.
    async fn answer(self) {
        let answered = if self.twice { self.deliver_twice().await } else { self.deliver().await.map(|(answer, _)| answer) };
        self.recorder.record_answer(self.call, &answered, &self.canaries);
    }

    /// The second comes while the first is being answered. A program that waits for the callback gets it once from each.
    async fn deliver_twice(&self) -> Result<(i32, String), SubjectError> {
        let (first, second) = tokio::join!(self.deliver_to(self.login.waiting), self.deliver_to(None));
        first.or(second).map(|(answer, _)| answer)
    }

    /// The answer, and the address at which the browser is then.
    async fn deliver(&self) -> Result<((i32, String), Option<Url>), SubjectError> {
        self.deliver_to(self.login.waiting).await
    }

    async fn deliver_to(&self, waiting: Option<ProcId>) -> Result<((i32, String), Option<Url>), SubjectError> {
        let callback = match &self.login.consented {
            Consented::Callback(callback) => callback,
            Consented::Page(page) => {
                let answer = (i32::from(page.status.max(400)), "the provider showed a page instead of sending the user back".into());
                return Ok((answer, None));
            }
        };
        let code = query(&callback.0, "code").and_then(|code| self.canaries.name_of(&code));
        // Recorded before it is delivered: what follows is its doing.
        self.recorder.record(What::CallbackDelivered { call: self.call, forged: false, status: None, code });
        let answered = self.driver.deliver(&self.connect, callback, waiting, &self.login.bindings, self.limit).await?;
        if let Answered::Http(answer) = &answered {
            look_for_canaries(&self.recorder, &self.canaries, "connect", &answer.body);
        }
        // A program that ends with 0 has succeeded; a page has its status.
        let status = match &answered {
            Answered::Http(answer) => i32::from(answer.status),
            Answered::Ran(ended) => {
                if ended.code == Some(0) {
                    200
                } else {
                    500
                }
            }
            Answered::Unasked => 200,
        };
        let end = match &answered {
            Answered::Http(answer) => Some(answer.url.clone()),
            Answered::Ran(_) | Answered::Unasked => None,
        };
        Ok(((status, brief(answered.text(), &self.canaries, DETAIL)), end))
    }
}

impl Recorder {
    /// What became of a login.
    fn record_answer(&self, call: u32, answered: &Result<(i32, String), SubjectError>, canaries: &CanarySet) {
        let (outcome, status, detail) = match answered {
            Ok((status, detail)) if *status < 400 => (Outcome::Accepted, Some(*status), detail.clone()),
            Ok((status, detail)) => (Outcome::Refused, Some(*status), detail.clone()),
            Err(error) => (unanswered(error), None, canaries.redact(&error.to_string())),
        };
        self.record(What::VerbAnswered { call, outcome, status, detail });
    }
}

/// The same path, and all that the query said.
fn is_there(from: &Url, end: &Url) -> bool {
    let said: Vec<_> = end.query_pairs().collect();
    from.path() == end.path() && from.query_pairs().all(|pair| said.contains(&pair))
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn unanswered(error: &SubjectError) -> Outcome {
    match error {
        SubjectError::Agent(error) if !error.is_no_answer() => Outcome::Refused,
        _ => Outcome::NoAnswer,
    }
}
