//! What each planted defect of `bookkeeper` (Python, threads) must be convicted of, and what it may be convicted of besides.
//!
//! IDs that the register does not have yet are passed over. What a defect is, its own `faults.py` says.

use super::{Best, Planted};

/// Consequences of a refusal that is not taken for one.
const NOT_ENDED: &str = "DETECT-01 DETECT-02 DETECT-03 DETECT-07 STOP-01 STOP-02 STOP-03 STOP-04 STOP-07 MARK-01 MARK-02 PROMPT-01 \
    PROMPT-02 PURGE-01 PURGE-02 PURGE-03 PURGE-04 PURGE-05 LOG-02 LOG-03 LOG-04 LOG-07 RACE-07 RACE-08 RETRY-07 REAUTH-09 REAUTH-12 ROTATE-07";
/// Consequences of a reconnection that does not come about or does not last.
const NOT_BACK: &str = "MARK-01 MARK-03 REAUTH-04 REAUTH-06 REAUTH-08 RECOVER-01 RECOVER-02 RECOVER-05 RECOVER-06 RETRY-04 ROTATE-04 RACE-05 RACE-10 \
    REAUTH-09 REAUTH-11 REAUTH-12 PROMPT-01";
/// Consequences of refreshes that bring nothing.
const NOT_REFRESHED: &str = "DETECT-04 DETECT-05 DETECT-06 MARK-01 PROMPT-03 PURGE-01 PURGE-02 PURGE-08 RACE-03 RACE-08 RACE-11 RECOVER-01 RECOVER-02 \
    RECOVER-05 REFRESH-01 REFRESH-02 REFRESH-03 REFRESH-04 REFRESH-05 REFRESH-06 REFRESH-07 REFRESH-09 REFRESH-13 RETRY-01 RETRY-04 ROTATE-03 ROTATE-04 ROTATE-06 STOP-02";

pub(super) const ALL: &[Planted] = &[
    // detecting
    ("only-400-is-final", "DETECT-02", &["DETECT-03", NOT_ENDED]),
    ("needs-the-phrase", "DETECT-02", &["DETECT-03", NOT_ENDED]),
    ("description-hides-the-code", "DETECT-01", &["DETECT-02 DETECT-03 ROTATE-01 ROTATE-02 ROTATE-03", NOT_ENDED]),
    ("200-means-tokens", "DETECT-08", &[NOT_REFRESHED, NOT_ENDED]),
    ("dies-in-the-error-path", "DETECT-01", &["LOG-01", NOT_ENDED]),
    ("only-the-clock", "DETECT-04", &["PURGE-01", NOT_REFRESHED, NOT_ENDED]),
    ("401-is-the-end", "DETECT-04", &["LOG-01", NOT_REFRESHED]),
    ("replays-for-ever", "DETECT-05", &["REFRESH-09"]),
    ("forbidden-is-expired", "DETECT-06", &["DETECT-05 PROMPT-03 REFRESH-11 MARK-01"]),
    ("never-expires", "REFRESH-04", &[""]),
    ("counts-from-the-load", "REFRESH-04", &["REFRESH-13"]),
    ("lifetime-is-needed", "REFRESH-06", &[NOT_REFRESHED]),
    ("any-fault-is-final", "RETRY-01", &["DETECT-08 RETRY-02 RETRY-03 RETRY-05 RETRY-06 RETRY-07", NOT_REFRESHED]),
    ("429-is-a-refusal", "RETRY-01", &["RETRY-03", NOT_REFRESHED]),
    ("tries-it-again-later", "DETECT-01", &[NOT_ENDED]),
    ("no-time-limit", "RETRY-05", &["RECOVER-01 RECOVER-02 RETRY-04 RACE-03"]),
    ("follows-redirects", "RETRY-06", &["REFRESH-01"]),
    // stopping
    ("five-in-a-burst", "STOP-02", &["RETRY-07 STOP-07 PURGE-02 RACE-07 ROTATE-07 RACE-01"]),
    ("the-library-remembers", "STOP-02", &["STOP-07 PURGE-02 ROTATE-07 RACE-01 RACE-07 RACE-08"]),
    ("hooks-have-their-own-call", "STOP-03", &["STOP-01 STOP-04 ROTATE-01 ROTATE-07"]),
    ("the-session-keeps-its-header", "STOP-01", &["PURGE-01 STOP-03 STOP-04 ROTATE-07 DETECT-07 DETECT-05 RACE-08 RACE-07"]),
    (
        "ends-in-memory",
        "STOP-04",
        &["MARK-02 PURGE-01 PURGE-02 PURGE-03 PURGE-04 PURGE-05 PROMPT-01 STOP-01 STOP-02 STOP-07 ROTATE-07 LOG-04"],
    ),
    ("another-grant", "STOP-06", &["ROTATE-01"]),
    // purging
    ("only-marks", "PURGE-03 PURGE-04", &["PURGE-05 PURGE-06 ROTATE-07"]),
    ("keeps-the-access-token", "PURGE-04", &["PURGE-05 PURGE-06 ROTATE-07"]),
    ("corrupt-copy", "PURGE-03 PURGE-04", &["PURGE-05 PURGE-08 PURGE-09 SECRET-04 SECRET-08 ROTATE-07"]),
    ("keeps-every-pair", "PURGE-08", &["PURGE-03 PURGE-04 PURGE-05 PURGE-09 SECRET-04 ROTATE-07"]),
    ("deletes-the-settings-too", "RECOVER-04", &["PURGE-07 REAUTH-11"]),
    ("one-for-all", "PURGE-07", &["MARK-04 PROMPT-03 RECOVER-02 RECOVER-05 RETRY-01"]),
    ("login-stays-on-disk", "SECRET-06", &["SECRET-04"]),
    ("leaves-without-a-word", "PURGE-09", &[""]),
    ("pleo-must-agree", "PURGE-09", &["RACE-06"]),
    // marking
    (
        "row-exists",
        "MARK-01",
        &["DETECT-01 DETECT-02 DETECT-03 DETECT-07 MARK-02 MARK-03 PROMPT-01 PROMPT-02 PURGE-09 RACE-04 RACE-06 RACE-07 RACE-08 \
        REAUTH-06 REAUTH-09 REAUTH-12 RETRY-07 ROTATE-02 ROTATE-07 PROMPT-03"],
    ),
    ("health-in-memory", "MARK-02", &["MARK-01 PROMPT-01 PROMPT-02 REAUTH-09 REAUTH-12"]),
    ("latches", "MARK-03", &["MARK-01 REAUTH-06 RACE-05 RACE-10 REFRESH-13 RETRY-04 ROTATE-04 PROMPT-03 PROMPT-05"]),
    ("one-healthy-hides-another", "MARK-01", &["DETECT-01 PROMPT-01 PROMPT-02 MARK-02 MARK-04 PURGE-07"]),
    ("marks-the-account", "MARK-04", &["PROMPT-03 MARK-01"]),
    // asking the user
    ("an-error-field-nobody-reads", "PROMPT-02", &[""]),
    ("no-way-back", "PROMPT-01", &["REAUTH-12 REAUTH-09 PROMPT-02"]),
    ("connected-already", "PROMPT-01", &["REAUTH-01 REAUTH-02 REAUTH-03 REAUTH-07 REAUTH-10 DETECT-08 REFRESH-06 RECOVER-03", NOT_BACK]),
    ("blip-asks-the-user", "PROMPT-03", &["MARK-01 RETRY-01 REFRESH-11"]),
    ("tells-nobody", "PROMPT-04", &[""]),
    ("detours", "REAUTH-12", &["PROMPT-01", NOT_BACK]),
    // reauthenticating
    ("a-second-connection", "REAUTH-11", &[""]),
    ("stores-the-failed-exchange", "REAUTH-07", &["REAUTH-06 REAUTH-05 RACE-10 REFRESH-08 STOP-01"]),
    ("clears-before-asking", "REAUTH-06", &["REAUTH-05 REAUTH-07 PURGE-09 REAUTH-03", NOT_REFRESHED]),
    ("another-company", "REAUTH-10", &[""]),
    ("the-old-way-back", "REAUTH-01", &["REAUTH-03 REAUTH-02", NOT_BACK]),
    ("state-from-the-clock", "REAUTH-03", &[""]),
    ("state-only-if-sent", "REAUTH-05", &["REAUTH-04 RACE-10 REAUTH-06"]),
    ("login-is-good-twice", "RACE-10", &["REAUTH-04 REAUTH-05 SECRET-06"]),
    ("asks-for-less-again", "REAUTH-02", &["REFRESH-11"]),
    ("forgets-the-place", "REAUTH-09", &[""]),
    ("reconnects-in-memory", "REAUTH-08", &["MARK-02 STOP-04 REFRESH-03 REFRESH-13 PURGE-03 PURGE-04 PURGE-08", NOT_BACK]),
    // racing
    (
        "a-lock-for-each-caller",
        "RACE-01",
        &["RACE-03 RACE-04 RACE-11 STOP-02 STOP-07 DETECT-05 REFRESH-09 RETRY-02 REFRESH-07 RECOVER-02 PROMPT-03 MARK-01 ROTATE-01 LOG-04"],
    ),
    ("late-refusal-wins", "RACE-05", &["RACE-04 REAUTH-08 MARK-01 MARK-03 RECOVER-01"]),
    ("late-success-wins", "RACE-06", &["RACE-05 RACE-04 REAUTH-08 PURGE-09 MARK-01 RECOVER-01"]),
    ("other-style-next", "REFRESH-12", &["STOP-02 STOP-07 ROTATE-01 PURGE-02"]),
    ("forgets-the-waiters", "RACE-03", &["RACE-11", NOT_REFRESHED, NOT_ENDED]),
    ("crash-leaves-the-lock", "RACE-07", &["LOG-01 RECOVER-08", NOT_REFRESHED, NOT_ENDED, NOT_BACK]),
    ("gives-up-waiting", "RACE-03", &["RECOVER-01 RECOVER-02 RECOVER-05 RACE-11 RECOVER-06 DETECT-04"]),
    ("writes-the-whole-table", "RACE-13", &[]),
    ("no-second-try", "RACE-11", &["DETECT-04 RACE-03"]),
    // keeping and recovering
    ("report-is-not-repeated", "RECOVER-02", &[]),
    ("saves-nothing", "REFRESH-03", &["REFRESH-13 PURGE-02 PURGE-08 RACE-07 PROMPT-03 RECOVER-02 STOP-02 SECRET-04 MARK-01"]),
    ("keeps-the-first-refresh-token", "REFRESH-02", &[NOT_REFRESHED]),
    ("forgets-the-missing-refresh-token", "REFRESH-07", &["PROMPT-03 MARK-01 REFRESH-01"]),
    ("the-client-retries-posts", "RETRY-02", &["RETRY-03 RETRY-07 REFRESH-12 LOG-06"]),
    (
        "wipes-at-the-start",
        "REFRESH-13",
        &[
            "REFRESH-03 REFRESH-04 RACE-07 ROTATE-04 ROTATE-06 REAUTH-08 MARK-01 MARK-02 MARK-03 MARK-04 PURGE-07 RECOVER-01 RECOVER-02 PROMPT-01 PROMPT-03 RETRY-01",
        ],
    ),
    ("from-now-on", "RECOVER-05", &["RECOVER-01 RECOVER-02 RECOVER-06"]),
    ("starts-from-zero", "RECOVER-03", &[""]),
    ("starts-twice", "RECOVER-06", &[""]),
    ("empty-is-empty", "RECOVER-09", &["DETECT-05 DETECT-07"]),
    ("died-is-done", "RECOVER-02", &["RECOVER-01 RECOVER-05 RECOVER-06"]),
    ("stays-paused", "RECOVER-01", &[NOT_BACK]),
    ("gives-up-after-a-blip", "RETRY-04", &["DETECT-08 RETRY-03 RETRY-05 RETRY-06 RETRY-07", NOT_REFRESHED]),
    ("deaf-to-retry-after", "RETRY-03", &[""]),
    ("refreshes-each-call", "REFRESH-09", &["DETECT-05 RETRY-02 RACE-11 LOG-06 DETECT-06 REFRESH-11"]),
    ("exits-on-refusal", "RECOVER-08", &["LOG-01 RECOVER-04 RECOVER-07 RECOVER-09 PROMPT-04", NOT_ENDED, NOT_BACK]),
    ("one-lock-for-all", "RECOVER-07", &["RECOVER-08 RACE-01 RACE-03 RACE-05 RACE-06 RACE-10 RACE-11 RETRY-05 PURGE-09"]),
    // the client's credentials
    (
        "key-from-the-client-secret",
        "ROTATE-04",
        &["RECOVER-04 RECOVER-08 ROTATE-02 ROTATE-05 ROTATE-06 LOG-01 DETECT-01 MARK-01 RECOVER-01 RECOVER-02", NOT_ENDED, NOT_BACK],
    ),
    ("new-secret-new-life", "ROTATE-06", &["ROTATE-04 ROTATE-05 RECOVER-01 RECOVER-02 MARK-01"]),
    ("invalid-client-for-ever", "ROTATE-01", &["STOP-02 STOP-07"]),
    ("hides-the-misconfiguration", "ROTATE-02", &["ROTATE-01 ROTATE-04 STOP-02"]),
    ("blames-the-user", "ROTATE-03", &["LOG-01"]),
    ("a-new-secret-explains-it", "ROTATE-07", &[NOT_ENDED]),
    ("unescaped-secret", "ROTATE-05", &["REFRESH-01 ROTATE-04"]),
    ("refresh-without-credentials", "REFRESH-01", &["REFRESH-12 ROTATE-01 ROTATE-05", NOT_REFRESHED]),
    // logging and keeping secrets
    ("only-says-failed", "LOG-01 LOG-02", &["LOG-04 LOG-07 ROTATE-07 LOG-03"]),
    ("a-traceback-is-enough", "LOG-02", &["LOG-01 LOG-03 LOG-04 LOG-07 ROTATE-07"]),
    ("never-asks-in-the-log", "LOG-03", &["LOG-04"]),
    ("logs-it-as-routine", "LOG-07", &["LOG-01 LOG-02 LOG-03 LOG-04 PROMPT-01 PROMPT-02 PROMPT-04 ROTATE-07"]),
    ("says-nothing-of-attempts", "LOG-05", &[""]),
    ("says-it-differently", "LOG-04", &["LOG-01 LOG-02 LOG-03 LOG-07"]),
    ("chatters-when-held", "LOG-06", &[""]),
    ("logs-the-failed-request", "SECRET-01", &[""]),
    ("logs-the-answer", "SECRET-01", &[""]),
    ("default-access-log", "SECRET-07", &["LOG-06"]),
    ("status-with-everything", "SECRET-03", &[""]),
    ("token-in-the-query", "REFRESH-08 SECRET-02", &[""]),
    ("readable-by-all", "SECRET-05", &["SECRET-04 SECRET-08 PURGE-05"]),
];

/// Where to look for some of them.
pub(super) const BEST: &[Best] = &[
    ("counts-from-the-load", "off_longer_than_the_token_lives"),
    ("only-400-is-final", "refused_as_invalid_token_401"),
    ("lifetime-is-needed", "no_lifetime"),
    ("any-fault-is-final", "token_endpoint_unavailable"),
    ("429-is-a-refusal", "too_many_refreshes"),
    ("pleo-must-agree", "user_disconnects_and_pleo_fails"),
    ("clears-before-asking", "user_denies_consent"),
    ("one-healthy-hides-another", "one_of_two_is_revoked"),
    ("blip-asks-the-user", "token_endpoint_unavailable"),
    ("a-second-connection", "user_revokes_access"),
    ("the-client-retries-posts", "token_endpoint_unavailable"),
    ("gives-up-after-a-blip", "token_endpoint_unavailable"),
    ("crash-leaves-the-lock", "killed_while_it_refreshes"),
    ("exits-on-refusal", "user_revokes_access"),
    ("logs-it-as-routine", "token_endpoint_unavailable"),
    ("follows-redirects", "token_endpoint_redirects"),
    ("report-is-not-repeated", "a_report_meets_401"),
];
