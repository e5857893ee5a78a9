"""The planted defects: small and realistic, one at a time, switched on by the name in DEFECT. The numbers are those of the project's
collection of failures seen in real integrations and libraries."""

import logging
import os
import sys

DEFECTS = {
    # detecting
    "only-400-is-final": "F01: takes a refusal for one at status 400 only",
    "needs-the-phrase": "F03: takes a refusal for one only if its description says expired",
    "description-hides-the-code": "F04: compares the description, where there is one, in place of the code",
    "200-means-tokens": "F05: takes whatever comes with status 200 for tokens",
    "dies-in-the-error-path": "F07: names an exception class that does not exist where a refusal is handled",
    "only-the-clock": "F10: refreshes by the clock only, never because of a 401",
    "401-is-the-end": "F10: takes an API 401 for the end of the grant, without a refresh",
    "replays-for-ever": "F11: refreshes and repeats up to ten times while the API answers 401",
    "forbidden-is-expired": "F12: takes an API 403 for the end of the grant",
    "never-expires": "F14: never finds an access token used up",
    "counts-from-the-load": "F15: counts the lifetime from the moment at which the tokens are loaded",
    "lifetime-is-needed": "F18: cannot do without expires_in",
    "any-fault-is-final": "F22: ends the connection at any failed refresh",
    "429-is-a-refusal": "F23: takes 429 for a refusal",
    "tries-it-again-later": "F27: takes a refusal for a passing fault",
    "no-time-limit": "F30: waits for the token endpoint for minutes",
    "follows-redirects": "F31: asks for tokens with urllib as it comes, which follows redirects",
    # stopping
    "five-in-a-burst": "F33: presents a refused refresh token five times in a row",
    "the-library-remembers": "F34: keeps the refused refresh token in memory and presents it for each further call",
    "hooks-have-their-own-call": "F36: calls the API for a webhook although the connection has ended",
    "the-session-keeps-its-header": "F42: goes on with the access token that its HTTP session still holds",
    "ends-in-memory": "F56: ends the connection in memory only",
    "another-grant": "F77: asks for tokens with client_credentials once the user's grant is over",
    # purging
    "only-marks": "F44: marks the connection and leaves both tokens in their row",
    "keeps-the-access-token": "F44: removes the refresh token only",
    "corrupt-copy": "F48: leaves a copy of the tokens in a second file",
    "keeps-every-pair": "F48: keeps every pair it ever had",
    "deletes-the-settings-too": "F50: deletes the settings with the tokens",
    "one-for-all": "F52: one company's refusal clears the tokens of all",
    "login-stays-on-disk": "F54: leaves state and verifier of a login in the database",
    "leaves-without-a-word": "F143: does not tell Pleo that the user disconnected",
    "pleo-must-agree": "F143: keeps the tokens of a disconnected user if Pleo's answer is no success",
    # marking
    "row-exists": "F55: says connected as long as there is a row",
    "health-in-memory": "F56: remembers the end in memory only, for its status",
    "latches": "F60: the mark never clears",
    "one-healthy-hides-another": "F63: says connected if any company is",
    "marks-the-account": "F63: shows every company as ended when one is",
    # asking the user
    "an-error-field-nobody-reads": "F57: shows a bare link and no word of why",
    "no-way-back": "F66: says that access has ended, and offers no way to restore it",
    "connected-already": "F67: refuses to connect what it has a row for",
    "blip-asks-the-user": "F26: asks the user to connect after any failed refresh",
    "tells-nobody": "F65: writes the mail that says that access has ended, and does not send it",
    "detours": "F67: leads through four pages before the consent page",
    # reauthenticating
    "a-second-connection": "F68: makes a second connection of a reconnection",
    "stores-the-failed-exchange": "F71: stores what a failed exchange brought",
    "clears-before-asking": "F71: forgets the tokens before the user has consented",
    "another-company": "F72: goes on with whatever company the user has picked",
    "the-old-way-back": "F78: leaves PKCE out when reconnecting",
    "state-from-the-clock": "F78: takes its state from the clock",
    "state-only-if-sent": "F78: checks the state of a callback only if there is one",
    "login-is-good-twice": "F78: accepts a callback as often as it comes",
    "asks-for-less-again": "F12: forgets a scope when reconnecting",
    "forgets-the-place": "F74: brings the user to the front page after a login",
    "reconnects-in-memory": "F103: keeps the pair of a reconnection in memory only",
    # racing
    "a-lock-for-each-caller": "F81: has a lock for each caller",
    "late-refusal-wins": "F87: a late refusal ends what the user has reconnected",
    "late-success-wins": "F88, F89: a late success undoes a reconnection or a disconnection",
    "other-style-next": "F96: sends a refused refresh again with the other client authentication",
    "forgets-the-waiters": "F99: never wakes who waits for a refresh that succeeds",
    "crash-leaves-the-lock": "F100: leaves its lock behind when it is killed during a refresh",
    "gives-up-waiting": "F29: drops the work of whoever would have to wait for a refresh",
    "writes-the-whole-table": "F112: reads the tokens of all companies before a refresh, and writes all of them after it",
    "no-second-try": "F39: tells whoever asks what came of it, and does not repeat a call that met 401 while another refreshed: an error",
    # keeping and recovering
    "report-is-not-repeated": "F39: refreshes when a report meets 401, and takes it for made",
    "saves-nothing": "F103: keeps refreshed tokens in memory only",
    "keeps-the-first-refresh-token": "F104: ignores the new refresh token of an answer",
    "forgets-the-missing-refresh-token": "F105: stores no refresh token where an answer carries none",
    "the-client-retries-posts": "F108: its HTTP client sends a failed refresh eight times",
    "wipes-at-the-start": "F113: forgets all tokens when it starts",
    "from-now-on": "F115: ignores after a reconnection what came into being before",
    "starts-from-zero": "F116: reports everything again after a reconnection",
    "starts-twice": "F120: says started again of a job in progress",
    "empty-is-empty": "F119: takes a 401 for an empty list, and the end for a reason to delete its copy of the staff",
    "died-is-done": "F59: notes jobs as done that met a dead connection, and reports them so later, without their items",
    "stays-paused": "F75: stays paused after a reconnection until it is restarted",
    "gives-up-after-a-blip": "F101: refreshes no more, until a restart, after a passing fault",
    "deaf-to-retry-after": "F23: does not heed Retry-After",
    "refreshes-each-call": "F123: refreshes before every call",
    "exits-on-refusal": "F07: exits when a refresh is refused",
    "one-lock-for-all": "F100: answers its users only when no refresh is in flight",
    # the client's credentials
    "key-from-the-client-secret": "F76: seals with a key made from the client secret",
    "new-secret-new-life": "F125: forgets all tokens when its client secret has changed",
    "invalid-client-for-ever": "F126: goes on presenting refused credentials",
    "hides-the-misconfiguration": "F127: stays connected in its status when its credentials are refused",
    "blames-the-user": "F127: logs refused credentials as something the user has to mend",
    "a-new-secret-explains-it": "F128: takes invalid_grant under a new secret for a passing fault",
    "unescaped-secret": "F129: puts its secret into the body with percent signs and ampersands escaped, and nothing else",
    "refresh-without-credentials": "F130: sends no client credentials with a refresh",
    # logging and keeping secrets
    "only-says-failed": "F132: logs that something failed",
    "a-traceback-is-enough": "F133: logs a stack trace and nothing else",
    "never-asks-in-the-log": "F133: does not log that reauthentication is called for",
    "logs-it-as-routine": "F133: logs a refusal like any passing fault, as information, and mails nobody",
    "says-nothing-of-attempts": "F132: logs no refresh that it begins and none that succeeds",
    "says-it-differently": "F132: logs the first refusal for what it is, and later ones as work that failed",
    "chatters-when-held": "F32: logs a hundred lines whenever work is held",
    "logs-the-failed-request": "F134: logs the request of a refused refresh",
    "logs-the-answer": "F136: logs what the token endpoint answers",
    "default-access-log": "F134: has the access log of its framework, with authorization codes in it",
    "status-with-everything": "F138: shows the access token in its status",
    "token-in-the-query": "F138: sends the access token in a query as well",
    "readable-by-all": "F142: keeps its tokens unsealed in a database that every user of the machine may read",
}

_name = os.environ.get("DEFECT", "")
if _name and _name not in DEFECTS:
    sys.exit(f"there is no defect named {_name}")


def planted(name: str) -> bool:
    assert name in DEFECTS, name
    return name == _name


def log_to(logger: str, words: str, *values) -> None:
    """Planted: logs what must not be logged."""
    logging.getLogger(logger).info(words, *values)
