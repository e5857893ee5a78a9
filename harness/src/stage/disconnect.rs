//! The user disconnects in the subject.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{cast::Cast, recorder::Recorder};
use crate::{
    canary::CanarySet,
    evidence::{Outcome, Verb, What},
    subject::{Bindings, Driver, Follow, manifest},
};

/// The user's wish, ready to be told; owns what it needs, so that it can go on unattended.
struct Farewell {
    call: u32,
    verb: manifest::Verb,
    driver: Driver,
    bindings: Bindings,
    recorder: Recorder,
    canaries: CanarySet,
    open: Arc<AtomicUsize>,
    limit: Duration,
}

impl Cast {
    /// The user disconnects; `detached`: and goes on with other things before the answer has come. Nothing happens where there is no way to.
    pub(super) async fn disconnect(&mut self, detached: bool) {
        let manifest::Disconnect::Verb(verb) = self.setting.manifest.disconnect.clone() else { return };
        let call = self.recorder.next_call();
        self.last_stimulus = self.recorder.now();
        let connection = self.named(0);
        self.recorder.record(What::VerbCalled {
            call,
            verb: Verb::Disconnect,
            source: None,
            wanted: None,
            item: None,
            connection,
            instance: None,
        });
        let farewell = Farewell {
            call,
            verb,
            driver: self.driver.clone(),
            bindings: self.bound_to(0),
            recorder: self.recorder.clone(),
            canaries: self.canaries.clone(),
            open: Arc::clone(&self.open_triggers),
            limit: self.limit(),
        };
        if detached {
            farewell.open.fetch_add(1, Ordering::AcqRel);
            self.detached.push(tokio::spawn(async move {
                farewell.answer().await;
                farewell.open.fetch_sub(1, Ordering::AcqRel);
            }));
        } else {
            farewell.answer().await;
        }
    }
}

impl Farewell {
    /// Tells it and records the answer.
    async fn answer(&self) {
        let answered = self.driver.perform("disconnect", &self.verb, &self.bindings, Follow::Pages, self.limit).await;
        let (outcome, status, detail) = match &answered {
            Ok(answered) if answered.status() < 400 => (Outcome::Accepted, Some(answered.status()), String::new()),
            Ok(answered) => (Outcome::Refused, Some(answered.status()), String::new()),
            Err(error) => (Outcome::NoAnswer, None, self.canaries.redact(&error.to_string())),
        };
        self.recorder.record(What::VerbAnswered { call: self.call, outcome, status, detail });
    }
}
