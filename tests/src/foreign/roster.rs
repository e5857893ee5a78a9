//! What each planted defect of `roster` (JavaScript, promises, a timer) must be convicted of, and what it may be convicted of besides.
//!
//! IDs that the register does not have yet are passed over. What a defect is, its own `faults.js` says.

use super::{Best, Planted};

/// Consequences of a refusal that is not taken for one.
const NOT_ENDED: &str = "DETECT-01 DETECT-02 DETECT-03 DETECT-07 STOP-01 STOP-02 STOP-03 STOP-04 STOP-07 MARK-01 MARK-02 PROMPT-01 \
    PROMPT-02 PURGE-01 PURGE-02 PURGE-03 PURGE-04 PURGE-05 LOG-01 LOG-02 LOG-03 LOG-04 LOG-07 RACE-07 RACE-08 RETRY-07 REAUTH-09 REAUTH-12 ROTATE-07";
/// Consequences of refreshes that bring nothing.
const NOT_REFRESHED: &str = "DETECT-04 DETECT-05 DETECT-06 MARK-01 PROMPT-03 PURGE-01 PURGE-02 PURGE-08 RACE-03 RACE-08 RACE-11 RECOVER-01 RECOVER-02 \
    RECOVER-05 REFRESH-01 REFRESH-02 REFRESH-03 REFRESH-04 REFRESH-05 REFRESH-06 REFRESH-07 REFRESH-09 REFRESH-13 RETRY-01 RETRY-04 ROTATE-03 ROTATE-04 ROTATE-06 STOP-02";

pub(super) const ALL: &[Planted] = &[
    ("settles-and-logs", "DETECT-01", &[NOT_ENDED]),
    ("serves-what-it-had", "DETECT-01", &[NOT_ENDED]),
    ("overflowing-timer", "REFRESH-06", &["REFRESH-09 LOG-06", NOT_REFRESHED]),
    ("refused-is-not-ready", "DETECT-01", &["RETRY-02 LOG-06", NOT_ENDED]),
    ("scheduler-goes-on", "STOP-01", &["STOP-03 STOP-04 PURGE-01 ROTATE-01 ROTATE-07 DETECT-07 RACE-08 LOG-06 DETECT-05"]),
    ("undefined-bearer", "STOP-01", &["STOP-03 STOP-04 ROTATE-01 ROTATE-07 LOG-06 REFRESH-08 PURGE-09 DETECT-05"]),
    ("ends-with-its-caller", "RACE-12", &[]),
    ("saves-for-its-caller", "RACE-12", &[]),
    ("keeps-prompting", "PROMPT-05", &["PROMPT-03"]),
    ("drops-the-settings", "RECOVER-04", &["PURGE-07 REAUTH-11"]),
    (
        "promise-per-caller",
        "RACE-01",
        &[
            "RACE-03 RACE-04 RACE-11 STOP-02 STOP-07 DETECT-05 REFRESH-09 RETRY-02 REFRESH-07 PROMPT-03 MARK-01 ROTATE-01 LOG-04 RETRY-07 PURGE-02",
        ],
    ),
    ("promise-for-ever", "RETRY-04", &["DETECT-08 RETRY-03 RETRY-05 RETRY-06 RETRY-07", NOT_REFRESHED]),
    ("no-deadline", "RETRY-05", &["RECOVER-01 RECOVER-05 RETRY-04 RACE-03"]),
    ("spreads-undefined", "REFRESH-07", &["PROMPT-03 MARK-01 REFRESH-01"]),
    ("saves-when-it-stops", "REFRESH-03", &["REFRESH-13 PURGE-02 PURGE-08 RACE-07 PROMPT-03 STOP-02 STOP-07 SECRET-04 MARK-01"]),
    (
        "unhandled-rejection",
        "RECOVER-08",
        &["RECOVER-04 RECOVER-07 RECOVER-09 REAUTH-08 MARK-01 MARK-03 PROMPT-01 PROMPT-02 STOP-03 RECOVER-01 RECOVER-05 SECRET-01"],
    ),
    (
        "status-from-the-token",
        "MARK-01",
        &["DETECT-01 DETECT-02 DETECT-03 DETECT-07 MARK-02 MARK-03 PROMPT-01 PROMPT-02 PURGE-09 RACE-04 RACE-06 RACE-07 RACE-08 \
        REAUTH-06 REAUTH-09 REAUTH-12 RETRY-07 ROTATE-02 ROTATE-07 PROMPT-03"],
    ),
    ("starts-the-list-anew", "RECOVER-09", &[""]),
    ("prints-the-error-object", "SECRET-01", &["LOG-06"]),
    ("says-nothing", "LOG-01 LOG-02", &["LOG-03 LOG-04 LOG-07 ROTATE-07 LOG-05"]),
    ("a-bare-failure", "LOG-01", &["LOG-04 ROTATE-07"]),
    ("tells-everybody-always", "PROMPT-04", &[""]),
    ("hammers", "RETRY-02", &["RETRY-03 RETRY-07 LOG-06 DETECT-08"]),
];

/// Where to look for some of them.
pub(super) const BEST: &[Best] = &[
    ("overflowing-timer", "lifetime_of_three_centuries"),
    ("promise-for-ever", "token_endpoint_unavailable"),
    ("hammers", "token_endpoint_unavailable"),
    ("unhandled-rejection", "user_revokes_access"),
];
