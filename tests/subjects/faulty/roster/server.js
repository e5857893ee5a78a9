// Roster: shows who works at the company, as Pleo knows it.

import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { atRest, connect, disconnect, state, tell } from "./access.js";
import { planted } from "./faults.js";
import { log } from "./log.js";
import { farewell, madeFor, token } from "./pleo.js";
import * as store from "./store.js";
import { asked, start } from "./sync.js";

const env = process.env;
const logins = new Map();
const LOGIN_LIFE = 600_000;
let prompted = false;

function shown() {
  const now = state();
  if (planted("status-from-the-token") && now === "ended") return "connected";
  return now;
}

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const local = (place) => (/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(place ?? "") ? place : "/");
const cookie = (request) => /(?:^|;\s*)roster=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];

function page(request, content) {
  const link = `<a href="/login?next=${encodeURIComponent(request.url)}">Sign in to Pleo</a>`;
  if (shown() === "ended") prompted = true;
  const notice = {
    new: `Not connected yet. ${link}`,
    connected: "The list is kept up to date.",
    misconfigured: `Pleo refuses this program; its operator has to look at it. If that does not help: ${link}`,
    ended: `Access to Pleo has ended: it expired or was revoked. The list below is kept, but no longer up to date. ${link}`,
  }[planted("keeps-prompting") && prompted ? "ended" : shown()];
  return [200, "text/html; charset=utf-8", `<!doctype html><title>Roster</title><p>${notice}</p>${content}`];
}

const json = (body, status = 200) => [status, "application/json", JSON.stringify(body)];
const words = (status, text) => [status, "text/html; charset=utf-8", `<!doctype html><p>${text}</p>`];
const list = () => Object.entries(store.now.people).sort(([, a], [, b]) => (a < b ? -1 : 1));

function login(request, query) {
  for (const [known, { at }] of logins) if (Date.now() - at > LOGIN_LIFE) logins.delete(known);
  const [stateWord, verifier] = [randomBytes(24).toString("base64url"), randomBytes(48).toString("base64url")];
  const session = cookie(request) ?? randomBytes(18).toString("base64url");
  logins.set(stateWord, { verifier, session, next: local(query.get("next")), at: Date.now() });
  const asks = new URLSearchParams({
    response_type: "code", client_id: env.CLIENT_ID, redirect_uri: env.REDIRECT_URI, scope: "users:read companies:read", state: stateWord,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  log("info", state() === "ended" ? "reauthentication started: the user was sent to Pleo" : "login started: the user was sent to Pleo");
  const headers = { location: `${env.AUTHORIZE_URL}?${asks}`, "set-cookie": `roster=${session}; Path=/; HttpOnly; SameSite=Lax` };
  return [302, "text/plain", "", headers];
}

async function callback(request, query) {
  const begun = logins.get(query.get("state"));
  if (!begun || begun.session !== cookie(request)) return words(400, "This login was not begun here. Nothing has changed.");
  logins.delete(query.get("state"));
  if (!query.get("code")) return words(200, "Pleo was not connected. Nothing has changed.");
  try {
    const form = { grant_type: "authorization_code", code: query.get("code"), redirect_uri: env.REDIRECT_URI, code_verifier: begun.verifier };
    const fresh = await token(form);
    if (!fresh.refresh) throw new Error("no refresh token came with the grant");
    connect(fresh);
  } catch (error) {
    log("error", `login failed: ${error.message}`);
    return words(502, "Pleo did not complete the login. Nothing has changed; please try again.");
  }
  asked();
  return [303, "text/plain", "", { location: begun.next }];
}

async function leave() {
  const known = disconnect();
  if (known) {
    const told = await farewell(known).catch((error) => error.message);
    log("info", `Pleo was told of it: ${told}`);
  }
  return json({ pleo: state() });
}

/** Planted: the list is made in the request that asks for it. */
async function listed(gone) {
  madeFor(gone);
  await asked();
  madeFor(undefined);
  return json({ people: list().length }, 202);
}

async function answer(request, gone) {
  const url = new URL(request.url, "http://localhost");
  const place = `${request.method} ${url.pathname}`;
  switch (place) {
    case "GET /":
    case "GET /team":
      return page(request, `<ul>${list().map(([, name]) => `<li>${escape(name)}</li>`).join("")}</ul>`);
    case "GET /status":
      return json({ pleo: shown(), cause: store.now.cause, accounts: shown() === "new" ? [] : ["pleo"] });
    case "GET /people":
      return json(list().map(([id, name]) => ({ id, name })));
    case "GET /settings":
      return json(store.now.settings);
    case "GET /login":
      return login(request, url.searchParams);
    case "GET /signed-in":
      return callback(request, url.searchParams);
    case "POST /sync":
      if (state() !== "connected") {
        if (planted("tells-everybody-always")) tell();
        return json({ problem: "Pleo is not connected" }, 409);
      }
      if (planted("ends-with-its-caller") || planted("saves-for-its-caller")) return listed(gone);
      asked();
      return json({ accepted: true }, 202);
    case "POST /leave":
      return leave();
    default:
      return words(404, "There is nothing here.");
  }
}

const server = http.createServer(async (request, response) => {
  request.resume();
  const gone = new AbortController();
  response.once("close", () => response.writableFinished || gone.abort());
  const [status, type, body, headers] = await answer(request, gone.signal).catch((error) => {
    log("error", `unexpected ${error.name}`);
    return words(500, "Something went wrong here.");
  });
  response.writeHead(status, { "content-type": type, ...headers }).end(body);
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, async () => {
    await atRest(700);
    store.flush();
    log("info", "stopped as asked");
    process.exit(0);
  });
}
server.listen(Number(env.PORT), "127.0.0.1", () => log("info", "started, listening", { port: Number(env.PORT) }));
start();
