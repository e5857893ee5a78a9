//! What a rule must fulfil beyond its grammar.

use std::net::IpAddr;

use super::{Fate, Match, Point, Reshape, Rule};

/// What is wrong with a rule: in which of its members, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({advice})")]
pub struct RuleFault {
    /// `on`, `at` or `fate`.
    pub member: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub advice: String,
}

/// Members of a token response that have words of their own.
const TOKEN_MEMBERS: [&str; 5] = ["access_token", "refresh_token", "expires_in", "token_type", "scope"];

impl Rule {
    /// Whether the rule can come true.
    ///
    /// # Errors
    /// The first thing that cannot.
    pub fn check(&self) -> Result<(), RuleFault> {
        check_match(&self.on)?;
        check_fate(&self.fate)?;
        if self.at == Point::Replying && comes_too_late(&self.fate) {
            return Err(fault("at", "half of a reply is written by then: another cannot take its place", "at = \"committed\""));
        }
        Ok(())
    }
}

fn check_match(on: &Match) -> Result<(), RuleFault> {
    if on.nth == Some(0) || on.times == Some(0) {
        return Err(fault("on", "nth and times count from 1", "leave it out to match every request"));
    }
    if on.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
        return Err(fault("on", "this is no probability", "0 to 1"));
    }
    if on.clock.is_some() && on.from.is_none() && on.lasting.is_none() {
        return Err(fault("on", "clock goes with from or for only", "for = \"30s\""));
    }
    Ok(())
}

fn check_fate(fate: &Fate) -> Result<(), RuleFault> {
    match fate {
        Fate::Status { code, .. } => check_status(*code),
        Fate::Replace { status, headers, .. } => {
            let is_token = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            match headers.keys().find(|name| !is_token(name)) {
                Some(name) => Err(fault("fate", &format!("{name:?} is no name of a header"), "letters, digits and hyphens")),
                None => check_status(status.unwrap_or(200)),
            }
        }
        Fate::Redirect { to, status } => {
            if !matches!(status, None | Some(301 | 302 | 303 | 307 | 308)) {
                return Err(fault("fate", "this is no redirect", "301, 302, 303, 307 or 308"));
            }
            if !stays_here(to) {
                return Err(fault("fate", "a redirect leads to a path or to a URL on loopback", "to = \"/elsewhere\""));
            }
            Ok(())
        }
        Fate::Hold(gate) if gate.is_empty() => Err(fault("fate", "the gate has no name", "fate = { hold = \"gate-a\" }")),
        Fate::Reshape(shape) => check_shape(shape),
        Fate::Pass
        | Fate::Delay(_)
        | Fate::Hold(_)
        | Fate::Drop
        | Fate::Truncate { .. }
        | Fate::Garble(_)
        | Fate::Reset
        | Fate::Throttle { .. }
        | Fate::Hang => Ok(()),
    }
}

fn check_status(code: u16) -> Result<(), RuleFault> {
    if (200..=599).contains(&code) { Ok(()) } else { Err(fault("fate", "this is no HTTP status", "200 to 599")) }
}

fn check_shape(shape: &Reshape) -> Result<(), RuleFault> {
    if *shape == Reshape::default() {
        return Err(fault("fate", "this changes nothing", "fate = { reshape = { expires_in = \"string\" } }"));
    }
    match shape.extra.keys().find(|name| TOKEN_MEMBERS.contains(&name.as_str())) {
        Some(name) => Err(fault("fate", &format!("{name} is no further member"), "extra is for what a token response does not have")),
        None => Ok(()),
    }
}

fn comes_too_late(fate: &Fate) -> bool {
    match fate {
        Fate::Status { .. } | Fate::Replace { .. } | Fate::Redirect { .. } | Fate::Garble(_) | Fate::Reshape(_) => true,
        Fate::Pass
        | Fate::Delay(_)
        | Fate::Hold(_)
        | Fate::Drop
        | Fate::Truncate { .. }
        | Fate::Reset
        | Fate::Throttle { .. }
        | Fate::Hang => false,
    }
}

/// A path, or a URL of this host.
fn stays_here(to: &str) -> bool {
    if to.starts_with('/') {
        return !to.starts_with("//") && !to.starts_with("/\\");
    }
    let Ok(url) = url::Url::parse(to) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    matches!(url.scheme(), "http" | "https") && (host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

fn fault(member: &'static str, message: &str, advice: &str) -> RuleFault {
    RuleFault { member, message: message.to_owned(), advice: advice.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_this_host() {
        for to in ["/", "/oauth/token?x=1", "http://127.0.0.1:9/x", "https://localhost", "http://[::1]:80/"] {
            assert!(stays_here(to), "{to}");
        }
        for to in [
            "",
            "oauth",
            "//example.test/x",
            "/\\example.test",
            "http://example.test/",
            "ftp://127.0.0.1/",
            "http://127.0.0.1.example.test/",
        ] {
            assert!(!stays_here(to), "{to}");
        }
    }
}
