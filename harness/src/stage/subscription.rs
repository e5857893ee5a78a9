//! Work that the subject asked the provider to tell it of: the webhooks of a subscription that it made itself.

use std::time::Duration;

use regrant_mock_server::{Control, control::UnitKind, journal::WebhookEnd};

use super::cast::Cast;
use crate::{
    evidence::{Outcome, SUBSCRIPTION},
    subject::manifest::{Trigger, Verb, WorkKind},
};

/// The source of work that no manifest names.
pub(super) fn trigger() -> Trigger {
    Trigger { name: SUBSCRIPTION.into(), verb: Verb::Auto, accepted: None, refused: None, done: None, exits: Vec::new(), signed: true }
}

/// Whether a trigger is that one.
pub(super) fn is(trigger: &Trigger) -> bool {
    trigger.name == SUBSCRIPTION
}

impl Cast {
    /// Whether the subject subscribed itself to the export jobs of a connection's company. Where its work is to read something else, a job
    /// is none of its units of work, and its subscription no source of them.
    pub(super) fn is_subscribed(&self, link: usize) -> bool {
        let jobs = self.setting.units.contains(&UnitKind::Export) || self.setting.work == Some(WorkKind::Push);
        jobs && self.control().subscribers(self.company(link)) > 0
    }
}

/// An export job is made in the company, as by a user at Pleo, and whoever subscribed is told of it.
pub(super) async fn tell(control: &Control, company: usize, limit: Duration) -> (Outcome, Option<i32>, String) {
    match tokio::time::timeout(limit, control.tell_subscribers(company)).await {
        Ok(ends) => came_to(&ends),
        Err(_) => (Outcome::NoAnswer, None, format!("the webhook was not answered within {limit:?}")),
    }
}

/// Taken on, if one delivery was; of several answers the first of that kind is told.
fn came_to(ends: &[WebhookEnd]) -> (Outcome, Option<i32>, String) {
    let answers = || ends.iter().filter_map(|end| if let WebhookEnd::Answered(status) = end { Some(*status) } else { None });
    if let Some(status) = answers().find(|status| (200..300).contains(status)) {
        return (Outcome::Accepted, Some(status.into()), String::new());
    }
    if let Some(status) = answers().next() {
        return (Outcome::Refused, Some(status.into()), String::new());
    }
    let why = ends.iter().find_map(|end| if let WebhookEnd::Failed(why) = end { Some(why.clone()) } else { None });
    (Outcome::NoAnswer, None, why.unwrap_or_else(|| "nobody is subscribed any more".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_in_a_manifest_has_the_same_name() {
        assert_eq!(SUBSCRIPTION, crate::subject::manifest::OWN_SUBSCRIPTION);
    }

    #[test]
    fn a_webhook_is_taken_on_refused_or_not_answered() {
        let (good, bad, none) = (WebhookEnd::Answered(202), WebhookEnd::Answered(409), WebhookEnd::Failed("reset".into()));
        assert_eq!(came_to(&[none.clone(), bad.clone(), good]), (Outcome::Accepted, Some(202), String::new()));
        assert_eq!(came_to(&[none.clone(), bad]), (Outcome::Refused, Some(409), String::new()));
        assert_eq!(came_to(&[none]), (Outcome::NoAnswer, None, "reset".into()));
        assert_eq!(came_to(&[]).0, Outcome::NoAnswer);
    }
}
