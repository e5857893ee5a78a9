//! Which lines of log tell that the API answered 403, whatever else the subject's lines look like.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    catalogue::log::grade::{Grade, grade},
    judge::Exchange,
};

/// A warning, or worse, that names the status or its meaning, and speaks of the API: by name, or by the path of a call that was denied.
pub(super) fn tells_of(text: &str, denied: &[&Exchange<'_>]) -> bool {
    let path = |x: &&Exchange<'_>| text.contains(x.path.split('?').next().unwrap_or(x.path));
    grade(text) == Some(Grade::Grave) && DENIED.is_match(text) && (API.is_match(text) || denied.iter().any(path))
}

/// 403 where a status stands, not in a time, a port or a count.
static DENIED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(concat!(
        r"(?i)\bforbidden\b|insufficient[\s_-]*(?:scope|permission|privilege|right)|",
        r#"(?:status|code|http|response|answer|return|got|with|denied)[a-z_]*["']?\s*[:=(]?\s*["']?403\b|"#,
        r#"http/[\d.]+["']?\s+403\b|/\S*["']?\s+403\b"#,
    ))
});

static API: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)\bpleo|(?:\b|_)api(?:\b|_)|upstream|access[\s_-]*token|scope"));

#[allow(clippy::expect_used, reason = "fixed patterns, each compiled by a test")]
fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a fixed pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_that_names_the_status_tells_and_an_access_log_does_not() {
        for line in [
            r#"{"level":"warn","event":"api_unauthorized","status":403,"path":"/v3/export-jobs","msg":"refused, renewing"}"#,
            r#"{"level":40,"status":403,"msg":"Pleo refused the access token"}"#,
            "time=2026-01-01T10:00:00Z level=WARN msg=\"pleo api refused the access token\" http_status=403",
            "2026-01-01 10:00:00 ERROR the Pleo API answered 403",
            "[error] Pleo: insufficient scope",
            "WARNING:sync:GET https://external.pleo.io/v3/export-jobs \"HTTP/1.1\" 403",
        ] {
            assert!(tells_of(line, &[]), "{line}");
        }
        for line in [
            r#"{"level":"info","event":"api_call","status":403,"path":"/v3/export-jobs"}"#,
            r#"{"level":"warn","time":"2026-01-01T10:00:00.403Z","pid":403,"event":"api_unauthorized","status":401}"#,
            r#"{"level":"warn","event":"api_slow","status":200,"ms":403}"#,
            "127.0.0.1 - - [01/Jan/2026] \"GET /v3/export-jobs HTTP/1.1\" 403 12",
            "WARN a form came back without its token: 403 Forbidden",
        ] {
            assert!(!tells_of(line, &[]), "{line}");
        }
    }
}
