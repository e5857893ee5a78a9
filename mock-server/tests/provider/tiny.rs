//! An integration of the smallest kind that does it right, and a person who plays their part of a story with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use regrant_mock_server::{
    Control, Provider,
    fault::{
        scenario::{Act, Await, Scenario},
        script::{self, Told},
    },
    journal::{Endpoint, What},
};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use crate::support::*;

/// How long it waits for an answer.
const GIVES_UP: Duration = Duration::from_secs(2);

/// What it knows, and how it works.
pub(crate) struct Tiny {
    provider: Arc<Provider>,
    tokens: Mutex<Option<Tokens>>,
    /// Only one refreshes at a time.
    refreshing: Mutex<()>,
    secret: Mutex<Option<String>>,
}

impl Tiny {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        let secret = Mutex::new(provider.client().1);
        Self { provider, tokens: Mutex::new(None), refreshing: Mutex::new(()), secret }
    }

    pub(crate) async fn is_connected(&self) -> bool {
        self.tokens.lock().await.is_some()
    }

    async fn ask(&self, text: &str) -> Option<Answer> {
        let mut raw = Raw::open(&self.provider).await;
        tokio::time::timeout(GIVES_UP, raw.try_ask(text)).await.ok().flatten()
    }

    async fn token_request(&self, fields: &[(&str, &str)]) -> Option<Answer> {
        let (id, secret) = (self.provider.client().0, self.secret.lock().await.clone().unwrap_or_default());
        self.ask(&form("/oauth/token", &[fields, &[("client_id", &id), ("client_secret", &secret)]].concat())).await
    }

    pub(crate) async fn connect(&self) {
        let sent_back = self.ask(&authorize(&self.provider, "")).await.expect("the browser is answered");
        let Some(code) = redirected(&sent_back, "code") else { return };
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", "http://127.0.0.1:9/callback"),
            ("code_verifier", VERIFIER),
        ];
        if let Some(answer) = self.token_request(&fields).await.filter(|answer| answer.status == 200) {
            *self.tokens.lock().await = Some(tokens(&answer));
        }
    }

    /// Tells Pleo, and forgets the tokens whatever it answers.
    async fn leave(&self) {
        let _ = self.call(|token| with_body("DELETE", "/v1/installations/me", token, "")).await;
        *self.tokens.lock().await = None;
    }

    /// Fetches what is pending and reports it.
    pub(crate) async fn work(&self) {
        let Some(jobs) = self.call(|token| get("/v3/export-jobs?statuses=pending", token)).await else { return };
        for job in jobs["data"].as_array().into_iter().flatten().filter_map(|job| job["id"].as_str()) {
            self.export(job).await;
        }
    }

    async fn export(&self, job: &str) -> Option<()> {
        let event = |event: &str| json!({"jobId": job, "event": event}).to_string();
        let path = format!("/v3/export-jobs/{job}/items");
        self.call(|token| with_body("POST", "/v3/export-job-events", token, &event("started"))).await?;
        let items = self.call(|token| get(&path, token)).await?;
        let done = |item: &Value| json!({"accountingEntryId": item["accountingEntryId"], "status": "successful", "externalId": "x"});
        let report: Value = items["data"].as_array()?.iter().map(done).collect();
        self.call(|token| with_body("PUT", &path, token, &report.to_string())).await?;
        self.call(|token| with_body("POST", "/v3/export-job-events", token, &event("completed"))).await?;
        Some(())
    }

    /// One call, with a refresh where the token is refused.
    async fn call(&self, request: impl Fn(&str) -> String) -> Option<Value> {
        for _ in 0..2 {
            let token = self.tokens.lock().await.as_ref()?.access.clone();
            let answer = self.ask(&request(&token)).await?;
            match answer.status {
                200..=299 => return Some(serde_json::from_str(&answer.body).unwrap_or_default()),
                401 | 403 => self.refresh(&token).await?,
                _ => return None,
            }
        }
        None
    }

    /// `None`: there is no new token. After a final refusal the tokens are forgotten.
    async fn refresh(&self, stale: &str) -> Option<()> {
        let _alone = self.refreshing.lock().await;
        let now = self.tokens.lock().await.clone()?;
        if now.access != stale {
            return Some(());
        }
        let answer = self.token_request(&[("grant_type", "refresh_token"), ("refresh_token", &now.refresh)]).await?;
        match answer.status {
            200 => {
                let json: Value = serde_json::from_str(&answer.body).ok()?;
                let access = json["access_token"].as_str()?.to_owned();
                // Without a new one the old one stays good (RFC 6749 section 6).
                let refresh = json["refresh_token"].as_str().filter(|token| !token.is_empty()).map_or(now.refresh, str::to_owned);
                *self.tokens.lock().await = Some(Tokens { access, refresh });
            }
            400 | 401 => {
                *self.tokens.lock().await = None;
                return None;
            }
            _ => return None,
        }
        Some(())
    }
}

/// What the person is told.
#[derive(Debug)]
enum Turn {
    Connect,
    Act(Act),
    Secret(String),
    /// The story waits for the integration since this line of the journal.
    Wait {
        since: u64,
    },
}

/// Tells a story to a person with such an integration; what was left to them, and whether it is connected at the end.
pub(crate) async fn told(provider: Arc<Provider>, scenario: &Scenario) -> (Vec<Act>, bool) {
    let tiny = Arc::new(Tiny::new(provider.clone()));
    let (turns, taken) = mpsc::unbounded_channel();
    let person = tokio::spawn(play(provider.control().clone(), tiny.clone(), taken));
    let (control, since) = (provider.control(), AtomicU64::new(0));
    let (mut left, mut ended) = (Vec::new(), false);
    let waits = |_: &Await| turns.send(Turn::Wait { since: since.load(Ordering::SeqCst) });
    let mut is_theirs = false;
    script::run(control, scenario, |what| {
        let was = std::mem::replace(&mut is_theirs, matches!(what, Told::Left(_)));
        if is_theirs && !was {
            // What they do follows from here on.
            since.store(control.last_entry(), Ordering::SeqCst);
        }
        let sent = match what {
            Told::Prologue => turns.send(Turn::Connect),
            Told::Left(act) => {
                left.push(act.clone());
                turns.send(Turn::Act(act.clone()))
            }
            Told::NewSecret(canary) => turns.send(Turn::Secret(canary.value)),
            // These come by themselves once work has begun.
            Told::Awaiting(wait) if wait.held.is_some() || wait.request.is_some() => Ok(()),
            Told::Awaiting(wait) => waits(wait),
            Told::AwaitingRequest => turns.send(Turn::Wait { since: since.load(Ordering::SeqCst) }),
            Told::CameTrue(_) => {
                since.store(control.last_entry(), Ordering::SeqCst);
                Ok(())
            }
            Told::Did(_) => Ok(()),
            Told::End => {
                ended = true;
                Ok(())
            }
        };
        sent.expect("the person listens");
    })
    .await;
    drop(turns);
    person.await.expect("the person is well");
    assert!(ended, "the story has an end");
    let connected = tiny.is_connected().await;
    (left, connected)
}

async fn play(control: Control, tiny: Arc<Tiny>, mut turns: mpsc::UnboundedReceiver<Turn>) {
    let (mut at_work, mut new_secret) = (JoinSet::new(), None);
    while let Some(turn) = turns.recv().await {
        match turn {
            Turn::Connect => {
                tiny.connect().await;
                tiny.work().await;
            }
            Turn::Secret(secret) => new_secret = Some(secret),
            Turn::Act(act) => perform(&tiny, &act, &mut at_work, &mut new_secret).await,
            Turn::Wait { since } => {
                while control.held_anywhere() == 0
                    && let Some(done) = at_work.join_next().await
                {
                    assert!(done.is_ok() || done.is_err_and(|error| error.is_cancelled()), "it came to grief at work");
                }
                let worked = |what: &What| matches!(what, What::Arrived(one) if matches!(one.endpoint, Endpoint::Token | Endpoint::Api));
                if !control.journal().iter().any(|entry| entry.n > since && worked(&entry.what)) {
                    control.go_on();
                }
            }
        }
    }
    while let Some(done) = at_work.join_next().await {
        assert!(done.is_ok() || done.is_err_and(|error| error.is_cancelled()), "it came to grief at work");
    }
}

async fn perform(tiny: &Arc<Tiny>, act: &Act, at_work: &mut JoinSet<()>, new_secret: &mut Option<String>) {
    match act {
        Act::Reconnect(_) => tiny.connect().await,
        // The browser is sent back, or leaves the page: nothing is exchanged.
        Act::Deny(_) | Act::Abandon(_) => drop(tiny.ask(&authorize(&tiny.provider, "")).await),
        Act::Disconnect(_) => tiny.leave().await,
        Act::Trigger(how) => {
            let (tiny, times, together) = (tiny.clone(), how.times, how.together);
            at_work.spawn(async move {
                if together {
                    futures::future::join_all((0..times).map(|_| tiny.work())).await;
                } else {
                    for _ in 0..times {
                        tiny.work().await;
                    }
                }
            });
        }
        Act::Kill(_) => at_work.abort_all(),
        Act::Reload(_) => {
            if let Some(secret) = new_secret.take() {
                *tiny.secret.lock().await = Some(secret);
            }
        }
        Act::Pause(_) | Act::HangUp(_) | Act::Continue(_) | Act::Restart(_) | Act::Stop(_) | Act::Outlive(_) => {}
        _ => panic!("{act:?} is the provider's"),
    }
}
