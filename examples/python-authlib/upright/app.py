"""The web side: pages for the user, a trigger for a scheduler, and the way to Pleo's consent page and back."""

import hashlib
import os
import secrets
import signal

import waitress
from flask import Flask, Response, jsonify, redirect, render_template, request

import logs
from connection import Tokens
from pleo import Addresses, Pleo, Refused, Unavailable
from store import CONNECTED, Attempt, Store
from work import Work

# Longer than a sync takes when all is well, short enough that a hung Pleo never makes our own users wait.
PATIENCE = 2.0

# Why access was lost, in the words of the person who must do something about it.
REASONS = {
    "never_connected": "This integration is not connected to Pleo yet.",
    "disconnected_by_user": "You disconnected this integration from Pleo.",
    "invalid_client": (
        "Pleo no longer accepts the credentials of this application. Its operator must renew them;"
        " after that, please reconnect to restore access."
    ),
}
LOST = "Access to Pleo has expired or was revoked. Please reconnect to restore it; your settings and records are kept."

os.umask(0o077)  # what we store is for nobody else
logs.set_up()
store = Store(os.environ["DATA_DIR"], os.environ["STORE_KEY"])
pleo = Pleo(
    Addresses(os.environ["AUTHORIZE_URL"], os.environ["TOKEN_URL"], os.environ["API_URL"], os.environ["REDIRECT_URI"]),
    os.environ["CLIENT_ID"],
    os.environ["CLIENT_SECRET"],
    os.environ["SCOPES"],
)
tokens = Tokens(store, pleo, os.environ["DATA_DIR"])
work = Work(store, tokens, pleo)
app = Flask(__name__)


# Pages.


@app.get("/")
def home():
    return page("home.html", count=len(store.employees()), waiting=store.waiting_requests())


@app.get("/employees")
def employees():
    return page("employees.html", employees=store.employees())


@app.get("/records")
def records():
    return jsonify(store.employees())


@app.get("/settings")
def settings():
    return jsonify(store.settings())


@app.put("/settings")
def change_settings():
    known, wanted = store.settings(), request.get_json()
    if not isinstance(wanted, dict) or not all(name in known and isinstance(value, str) for name, value in wanted.items()):
        return jsonify(error="unknown_setting"), 400
    store.change_settings(wanted)
    return jsonify(store.settings())


@app.get("/status")
def status():
    connection = store.connection()
    known = [] if connection.reason in ("never_connected", "disconnected_by_user") else [{"id": logs.CONNECTION, "company": connection.company}]
    return jsonify(
        state=connection.state,
        reason=connection.reason,
        problem=connection.problem,
        since=connection.since,
        held=store.waiting_requests(),
        connections=known,
    )


# Work.


@app.post("/sync")
def sync():
    outcome, detail = work.request(PATIENCE)
    if outcome == "done":
        return jsonify(employees=detail)
    if outcome == "unavailable":
        return jsonify(error="pleo_unavailable"), 503, {"Retry-After": str(int(detail or 1))}
    if outcome == "api_refuses":
        return jsonify(error="pleo_refuses", status=detail), 502
    return jsonify(accepted=outcome), 202


# Connecting, reconnecting, disconnecting.


@app.get("/connect")
def connect():
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    browser = request.cookies.get("browser") or secrets.token_urlsafe(32)
    store.add_attempt(digest(state), digest(browser), Attempt(verifier, own_path(request.args.get("next", "/"))))
    connection = store.connection()
    logs.info("reauthentication_started", "sending the user to Pleo's authorise page", was=connection.reason or connection.state)
    answer = redirect(pleo.authorize_url(state, verifier))
    # The state is worth nothing in any other browser.
    answer.set_cookie("browser", browser, httponly=True, samesite="Lax", secure=request.is_secure, max_age=86400)
    return answer


@app.get("/callback")
def callback():
    attempt = store.take_attempt(digest(request.args.get("state", "")), digest(request.cookies.get("browser", "")))
    if attempt is None:
        logs.warning("reauthentication_failed", "a callback that belongs to no open attempt was refused", reason="unknown_state")
        return outcome("This sign-in was not started here, took too long or was already used. Nothing was changed.", "/", 400)
    code = request.args.get("code")
    if not code:
        reason = logs.code(request.args.get("error", "no_code"))
        logs.warning("reauthentication_failed", "the user came back without consent", reason=reason)
        return outcome("Pleo did not grant access. Nothing was changed; you can try again at any time.", attempt.back_to)
    try:
        pair = pleo.exchange(code, attempt.verifier)
    except (Refused, Unavailable) as failure:
        reason = logs.code(failure.code) if isinstance(failure, Refused) else failure.reason
        logs.error("reauthentication_failed", "the code could not be exchanged for tokens", reason=reason)
        if reason == "invalid_client":
            logs.error("client_credentials_refused", "Pleo refused the client credentials of this application", reason=reason)
        return outcome("Pleo could not complete the sign-in. Nothing was changed; please try again.", attempt.back_to, 502)
    return adopt(pair, attempt)


def adopt(pair, attempt):
    company, before = pleo.company(pair.access), store.connection().company
    if company and before and company != before:
        # Our records and settings are that company's. Mixing in another one's would be found out much later.
        logs.warning("reauthentication_failed", "consent was given for another company", reason="other_company")
        return outcome(
            "You gave consent for another company than the one connected here. Nothing was changed. "
            "To move to that company, disconnect first.", attempt.back_to, 409,
        )  # fmt: skip
    store.connect(pair, company)
    logs.info("reauthentication_completed", "connected to Pleo, the new tokens are stored")
    work.resume()
    return redirect(attempt.back_to, 303)


@app.post("/disconnect")
def disconnect():
    pair = store.disconnect()
    logs.info("disconnected", "the user disconnected, tokens discarded")
    if pair is not None:
        try:
            told = pleo.remove_installation(pair.access)
            logs.info("installation_removed", "Pleo was told", status=told)
        except Unavailable as trouble:
            logs.warning("installation_not_removed", "Pleo could not be told", reason=trouble.reason)
    return redirect("/", 303)


# Inside.


def page(template: str, **values):
    connection = store.connection()
    # The way back to exactly here; this template is only rendered for GET.
    here = request.full_path if request.query_string else request.path
    lost = None if connection.state == CONNECTED else REASONS.get(connection.reason, LOST)
    return render_template(template, lost=lost, problem=connection.problem, here=here, **values)


def outcome(message: str, back_to: str, status: int = 200):
    return render_template("outcome.html", message=message, back_to=back_to), status


def own_path(target: str) -> str:
    """Only a path on this site: `//host` and `/\\host` would lead elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@app.after_request
def keep_private(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"  # the callback's address holds the code
    return answer


@app.errorhandler(Exception)
def unexpected(defect):
    code = getattr(defect, "code", None)
    if isinstance(code, int) and code < 500:
        return outcome("There is nothing here.", "/", code)
    # The kind and no more: texts of exceptions may quote what was sent.
    logs.error("defect", "unexpected error in a request", kind=type(defect).__name__, path=request.path)
    return outcome("Something went wrong on our side.", "/", 500)


def stop(*_):
    raise SystemExit  # lets waitress end what it is serving


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    work.resume()
    logs.info("started", "serving", state=store.connection().state)
    # Waitress writes no access log: one that records `?code=…` would leak authorization codes.
    waitress.serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=16, ident=None)
    work.stop()
    tokens.settle(patience=2)
    os._exit(0)  # threads that still wait for Pleo must not hold up the end; all that matters is stored
