//! Which rules wiremock can carry out: those that need a whole reply, decided at once.

use crate::fault::{CannotDo, Fate, Point, Rule};

/// Whether a rule can be carried out.
///
/// # Errors
/// It cannot.
pub(super) fn check(rule: &Rule) -> Result<(), CannotDo> {
    match obstacle(rule) {
        None => Ok(()),
        Some(why) => Err(CannotDo { fate: rule.fate.word(), at: rule.at, why }),
    }
}

/// Why a rule cannot be carried out by one who writes whole replies at once.
fn obstacle(rule: &Rule) -> Option<&'static str> {
    let half = rule.at == Point::Replying;
    match &rule.fate {
        Fate::Pass => None,
        Fate::Hold(_) => Some("it answers under a lock, and whoever waits there stops the whole server"),
        Fate::Hang => Some("it always answers"),
        Fate::Reset => Some("it can close a connection, not reset it"),
        Fate::Delay(_) | Fate::Status { .. } | Fate::Replace { .. } | Fate::Drop if half => Some("it writes whole replies only"),
        Fate::Delay(_) if rule.at != Point::Committed => {
            Some("a wait before the decision would stop the whole server (at `committed` the reply alone is late, and that it can)")
        }
        Fate::Status { code, .. } | Fate::Replace { status: Some(code), .. } if !(200..=999).contains(code) => {
            Some("it writes a status from 200 to 999 only")
        }
        Fate::Replace { content_type: Some(kind), .. } if http::HeaderValue::from_str(kind).is_err() => {
            Some("it writes no header with control characters")
        }
        Fate::Delay(_) | Fate::Status { .. } | Fate::Replace { .. } | Fate::Drop => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::Match;

    fn beyond(at: Point, fate: Fate) -> bool {
        check(&Rule { on: Match::default(), at, fate, until: None }).is_err()
    }

    #[test]
    fn what_wiremock_can_write_is_carried_out() {
        let status = Fate::Status { code: 503, error: None, description: None, retry_after: Some(1) };
        let replace = Fate::Replace { status: None, content_type: Some("text/html".into()), body: "<html>".into() };
        for at in [Point::Arrived, Point::Authenticated, Point::Decided, Point::Committed] {
            assert!(!beyond(at, status.clone()) && !beyond(at, replace.clone()) && !beyond(at, Fate::Drop), "{at:?}");
        }
        assert!(!beyond(Point::Committed, Fate::Delay(Duration::from_millis(5))));
    }

    #[test]
    fn what_wiremock_cannot_do_is_refused() {
        for fate in [Fate::Hold("g".into()), Fate::Hang, Fate::Reset] {
            assert!(beyond(Point::Arrived, fate.clone()) && beyond(Point::Committed, fate.clone()), "{fate:?}");
        }
        assert!(beyond(Point::Replying, Fate::Drop));
        assert!(beyond(Point::Arrived, Fate::Delay(Duration::from_millis(5))));
        assert!(beyond(Point::Arrived, Fate::Status { code: 99, error: None, description: None, retry_after: None }));
        let odd = Fate::Replace { status: None, content_type: Some("a\r\nb: c".into()), body: String::new() };
        assert!(beyond(Point::Arrived, odd));
    }

    #[test]
    fn the_refusal_names_the_fate_and_the_way_out() {
        let rule = Rule { on: Match::default(), at: Point::Committed, fate: Fate::Hold("gate-a".into()), until: None };
        let told = check(&rule).map_err(|error| error.to_string());
        assert!(told.is_err_and(|text| text.contains("`hold gate-a`") && text.contains("PleoServer")));
    }
}
