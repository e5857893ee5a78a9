"""An integration with Pleo's addresses hard-coded, in the standard library. With PROXY=ignored it ignores the proxy, with
BEHIND=https it serves only behind a proxy that speaks https."""

import base64, hashlib, json, os, secrets, urllib.error, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

AUTH = "https://auth.pleo.io"
API = "https://external.pleo.io"
CLIENT, SECRET, REDIRECT = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], os.environ["REDIRECT_URI"]
STORE = os.path.join(os.environ["STATE"], "tokens.json")

handlers = [urllib.request.ProxyHandler({})] if os.environ.get("PROXY") == "ignored" else []
opener = urllib.request.build_opener(*handlers)
logins = {}


def load():
    try:
        with open(STORE) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def save(state):
    with open(STORE + ".new", "w") as file:
        json.dump(state, file)
    os.replace(STORE + ".new", STORE)


def ask(url, fields=None, token=None):
    data = None if fields is None else urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(url, data=data)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}


def tokens(fields):
    status, issued = ask(f"{AUTH}/oauth/token", {**fields, "client_id": CLIENT, "client_secret": SECRET})
    if status == 200:
        save({"access": issued["access_token"], "refresh": issued["refresh_token"]})
    elif status in (400, 401):
        save({})
    return status


def work():
    state = load()
    if not state:
        return 409
    status, _ = ask(f"{API}/v2/employees", token=state["access"])
    if status == 401:
        if tokens({"grant_type": "refresh_token", "refresh_token": state["refresh"]}) != 200:
            return 409
        status, _ = ask(f"{API}/v2/employees", token=load()["access"])
    return status


class Handler(BaseHTTPRequestHandler):
    def say(self, status, text="", location=None):
        body = text.encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if os.environ.get("BEHIND") and self.headers.get("X-Forwarded-Proto") != os.environ["BEHIND"]:
            return self.say(426, "https only")
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if path == "/":
            page = "Connected." if load() else "Please <a href='/connect'>reconnect Pleo</a>."
            return self.say(200, f"<p>{page}</p>")
        if path == "/status":
            return self.say(200, json.dumps({"connected": bool(load())}))
        if path == "/connect":
            state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
            logins[state] = verifier
            challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
            wanted = {"response_type": "code", "client_id": CLIENT, "redirect_uri": REDIRECT, "scope": "users:read", "state": state,
                      "code_challenge": challenge, "code_challenge_method": "S256"}
            return self.say(302, location=f"{AUTH}/oauth/authorize?{urllib.parse.urlencode(wanted)}")
        if path == "/callback":
            verifier = logins.pop(query.get("state"), None)
            if not verifier or "code" not in query:
                return self.say(400, "not connected")
            status = tokens({"grant_type": "authorization_code", "code": query["code"], "redirect_uri": REDIRECT, "code_verifier": verifier})
            return self.say(200 if status == 200 else 502, "connected" if status == 200 else "not connected")
        return self.say(404)

    def do_POST(self):
        try:
            status = work()
        except OSError as error:
            return self.say(503, f"Pleo is out of reach: {error}")
        return self.say(200 if status == 200 else 409)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
