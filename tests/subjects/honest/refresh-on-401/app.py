"""Shows who works here, as Pleo knows it. Pages are rendered on the server; tokens are renewed when Pleo says 401, and never before."""

import functools
import logging
import os
import secrets
import sys
import time

import flask

import database
import pleo
from jsonlog import JsonFormatter

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter())
logging.basicConfig(level=logging.INFO, handlers=[handler])
# The development server's access log would hold authorisation codes.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
log = logging.getLogger("app")

app = flask.Flask(__name__)
app.secret_key = os.environ["COOKIE_KEY"]
app.config.update(SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)


def form(view):
    """A view that only our own forms may post to."""

    @functools.wraps(view)
    def guarded(*args, **kwargs):
        if not secrets.compare_digest(flask.session.get("form", ""), flask.request.form.get("form", "-")):
            return flask.render_template("message.html", message="This form is no longer valid. Please load the page again."), 400
        return view(*args, **kwargs)

    return guarded


@app.context_processor
def form_key():
    return {"form_key": flask.session.setdefault("form", secrets.token_urlsafe(16))}


@app.get("/")
def home():
    link = database.link()
    return flask.render_template("home.html", state=link["state"], staff=database.staff(), settings=database.settings())


@app.get("/staff")
def staff():
    return flask.render_template("staff.html", staff=database.staff())


@app.post("/refresh")
@form
def refresh():
    try:
        people = list(pleo.employees())
    except pleo.SignedOut:
        return flask.render_template("home.html", state="ended", staff=database.staff(), settings=database.settings()), 409
    except pleo.Problem as problem:
        log.warning("staff_not_updated", extra={"reason": str(problem)})
        message = "Pleo cannot be asked at the moment. What you see is what we knew last."
        return flask.render_template("message.html", message=message), 503
    database.replace_staff(people)
    log.info("staff_updated", extra={"people": len(people)})
    return flask.redirect(flask.url_for("home"), 303)


@app.get("/settings")
def show_settings():
    return flask.render_template("settings.html", settings=database.settings())


@app.post("/settings")
@form
def save_settings():
    database.save_setting("sort_by", "email" if flask.request.form.get("sort_by") == "email" else "name")
    return flask.redirect(flask.url_for("show_settings"), 303)


@app.get("/connect")
def connect():
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    back = flask.request.args.get("back", "/")
    # On the server: the session cookie is signed, not secret.
    database.begin_login(state, verifier, back if back.startswith("/") and back[1:2] not in ("/", "\\") else "/")
    flask.session["login"] = state
    log.info("authorization_requested")
    return flask.redirect(pleo.authorize_url(state, verifier), 302)


@app.get("/callback")
def callback():
    state = flask.request.args.get("state", "")
    expected = flask.session.get("login", "")
    login = database.end_login(state) if state and secrets.compare_digest(state.encode(), expected.encode()) else None
    if login is None:
        log.warning("callback_rejected", extra={"reason": "state"})
        return flask.render_template("message.html", message="We did not expect this sign-in. Please start it from here."), 400
    del flask.session["login"]
    if "code" not in flask.request.args:
        log.info("authorization_declined")
        return flask.render_template("message.html", message="You did not allow access to Pleo. Nothing was changed."), 200
    try:
        pleo.sign_in(flask.request.args["code"], login["verifier"])
    except pleo.Problem as problem:
        log.error("authorization_failed", extra={"reason": str(problem)})
        return flask.render_template("message.html", message="Pleo did not let us in. Please try again."), 502
    log.info("authorization_completed")
    return flask.redirect(login["back"], 303)


@app.post("/disconnect")
@form
def disconnect():
    pleo.sign_out()
    log.info("disconnected_by_user")
    return flask.redirect(flask.url_for("home"), 303)


if __name__ == "__main__":
    database.prepare()
    log.info("started", extra={"at": time.time()})
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
