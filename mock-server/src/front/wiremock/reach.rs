//! Which rules wiremock can carry out: those that need a whole reply, decided at once.

use std::collections::BTreeMap;

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
    match &rule.fate {
        Fate::Hold(_) => Some("it answers under a lock, and whoever waits there stops the whole server"),
        Fate::Hang => Some("it always answers"),
        Fate::Reset => Some("it can close a connection, not reset it"),
        Fate::Truncate { .. } => Some("it writes whole replies only"),
        Fate::Throttle { .. } => Some("it writes a reply in one go"),
        Fate::Delay(_) | Fate::Drop if rule.at == Point::Replying => Some("it writes whole replies only"),
        Fate::Delay(_) if rule.at != Point::Committed => {
            Some("a wait before the decision would stop the whole server (at `committed` the reply alone is late, and that it can)")
        }
        Fate::Status { code, .. } | Fate::Replace { status: Some(code), .. } | Fate::Redirect { status: Some(code), .. }
            if !(200..=999).contains(code) =>
        {
            Some("it writes a status from 200 to 999 only")
        }
        Fate::Replace { content_type, headers, .. } => header_obstacle(content_type.as_deref(), headers),
        Fate::Pass | Fate::Delay(_) | Fate::Status { .. } | Fate::Redirect { .. } | Fate::Drop | Fate::Garble(_) | Fate::Reshape(_) => None,
    }
}

fn header_obstacle(content_type: Option<&str>, headers: &BTreeMap<String, String>) -> Option<&'static str> {
    let its_own = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "content-length" | "transfer-encoding" | "connection");
    if content_type.is_some_and(|kind| http::HeaderValue::from_str(kind).is_err()) {
        Some("it writes no header with control characters")
    } else if headers.keys().any(|name| its_own(name)) {
        Some("it writes the headers about length and connection by itself")
    } else if headers.keys().any(|name| http::HeaderName::from_bytes(name.as_bytes()).is_err()) {
        Some("it writes no header of that name")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;
    use crate::fault::{CutShort, Garble, Match};

    fn beyond(at: Point, fate: Fate) -> bool {
        check(&Rule { on: Match::default(), at, fate, until: None }).is_err()
    }

    fn replace(content_type: &str, headers: &[&str]) -> Fate {
        let headers = headers.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        Fate::Replace { status: None, content_type: Some(content_type.into()), headers, body: "<html>".into() }
    }

    fn status(code: u16) -> Fate {
        Fate::Status { code, error: None, description: None, retry_after: Some(1.into()) }
    }

    #[test]
    fn what_wiremock_can_write_is_carried_out() {
        let redirect = Fate::Redirect { to: "/".into(), status: None };
        let reshape = Fate::Reshape(Box::default());
        let fates = [status(503), replace("text/html", &["x-odd"]), redirect, Fate::Garble(Garble::Json), reshape, Fate::Drop];
        for at in [Point::Arrived, Point::Authenticated, Point::Decided, Point::Committed] {
            for fate in &fates {
                assert!(!beyond(at, fate.clone()), "{fate:?} at {at:?}");
            }
        }
        assert!(!beyond(Point::Committed, Fate::Delay(Duration::from_millis(5))));
    }

    #[test]
    fn what_wiremock_cannot_do_is_refused() {
        let truncate = Fate::Truncate { after: None, then: CutShort::Fin };
        let throttle = Fate::Throttle { bytes_per_second: NonZeroU32::MIN };
        for fate in [Fate::Hold("g".into()), Fate::Hang, Fate::Reset, truncate, throttle] {
            for at in [Point::Arrived, Point::Authenticated, Point::Decided, Point::Committed, Point::Replying] {
                assert!(beyond(at, fate.clone()), "{fate:?} at {at:?}");
            }
        }
        assert!(beyond(Point::Replying, Fate::Drop));
        for at in [Point::Arrived, Point::Authenticated, Point::Decided, Point::Replying] {
            assert!(beyond(at, Fate::Delay(Duration::from_millis(5))), "{at:?}");
        }
        for odd in [status(99), replace("a\r\nb: c", &[]), replace("text/html", &["Content-Length"]), replace("text/html", &["a b"])] {
            assert!(beyond(Point::Arrived, odd.clone()), "{odd:?}");
        }
    }

    #[test]
    fn the_refusal_names_the_fate_and_the_way_out() {
        let rule = Rule { on: Match::default(), at: Point::Committed, fate: Fate::Hold("gate-a".into()), until: None };
        let told = check(&rule).map_err(|error| error.to_string());
        assert!(told.is_err_and(|text| text.contains("`hold gate-a`") && text.contains("PleoServer")));
    }
}
