"""Copies Pleo's employees into our own database."""

import json
import os
import sqlite3

from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, render_template_string, url_for

DATABASE = os.path.join(os.environ["DATA_DIR"], "app.db")
API_URL = os.environ["API_URL"]

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]


def db():
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    return connection


def init_db():
    with db() as con:
        con.executescript(
            """
            CREATE TABLE IF NOT EXISTS token (name TEXT PRIMARY KEY, value TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS employee (id TEXT PRIMARY KEY, name TEXT, email TEXT, code TEXT);
            CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
            INSERT OR IGNORE INTO setting VALUES ('department', 'Finance');
            """
        )


def fetch_token(name):
    row = db().execute("SELECT value FROM token WHERE name = ?", (name,)).fetchone()
    return json.loads(row["value"]) if row else None


def update_token(name, token, refresh_token=None, access_token=None):
    with db() as con:
        con.execute("INSERT OR REPLACE INTO token VALUES (?, ?)", (name, json.dumps(token)))


oauth = OAuth(app, fetch_token=fetch_token, update_token=update_token)
oauth.register(
    name="pleo",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    authorize_url=os.environ["AUTHORIZE_URL"],
    access_token_url=os.environ["TOKEN_URL"],
    client_kwargs={"scope": os.environ["SCOPES"], "code_challenge_method": "S256"},
)

PAGE = """
<!doctype html>
<title>Employee sync</title>
<h1>Employee sync</h1>
{% if connected %}
  <p>Connected to Pleo. <a href="{{ url_for('connect') }}">Reconnect</a></p>
  <form method="post" action="{{ url_for('sync') }}"><button>Sync now</button></form>
{% else %}
  <p><a href="{{ url_for('connect') }}">Connect to Pleo</a></p>
{% endif %}
<p>{{ count }} employees.</p>
"""


@app.get("/")
def index():
    count = db().execute("SELECT count(*) FROM employee").fetchone()[0]
    return render_template_string(PAGE, connected=fetch_token("pleo") is not None, count=count)


@app.get("/connect")
def connect():
    return oauth.pleo.authorize_redirect(os.environ["REDIRECT_URI"])


@app.get("/callback")
def callback():
    token = oauth.pleo.authorize_access_token()
    update_token("pleo", token)
    return redirect(url_for("index"))


@app.post("/sync")
def sync():
    try:
        count = sync_employees()
    except Exception as error:
        app.logger.exception("Sync failed")
        return jsonify(error=str(error)), 500
    return jsonify(synced=count)


def sync_employees():
    params = {"limit": 100}
    count = 0
    while True:
        response = oauth.pleo.get(f"{API_URL}/v2/employees", params=params, token=fetch_token("pleo"))
        response.raise_for_status()
        page = response.json()
        with db() as con:
            for employee in page["data"]:
                name = f"{employee['firstName']} {employee['lastName']}"
                con.execute(
                    "INSERT OR REPLACE INTO employee VALUES (?, ?, ?, ?)",
                    (employee["id"], name, employee["email"], employee.get("code")),
                )
                count += 1
        if not page["pagination"]["hasNextPage"]:
            return count
        params["after"] = page["pagination"]["endCursor"]


@app.get("/employees")
def employees():
    rows = db().execute("SELECT * FROM employee ORDER BY id").fetchall()
    return jsonify([dict(row) for row in rows])


@app.get("/settings")
def settings():
    rows = db().execute("SELECT * FROM setting").fetchall()
    return jsonify({row["name"]: row["value"] for row in rows})


@app.get("/status")
def status():
    return jsonify(connected=fetch_token("pleo") is not None)


if __name__ == "__main__":
    init_db()
    app.run(port=int(os.environ["PORT"]))
