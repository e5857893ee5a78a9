// A back end without a face: another program, say a mobile app, talks to it in JSON. Work is done while the caller waits,
// and refused with 409 while there is no access to Pleo. Pleo itself tells of new export jobs, at an address that is subscribed at each login.

import http from "node:http";
import { randomBytes } from "node:crypto";
import { Access, AccessEnded, Misconfigured, Refused, Unavailable } from "./access.js";
import { exportEverything } from "./exporter.js";
import { Keep } from "./keep.js";
import { log } from "./log.js";
import { isPleos, subscribe } from "./webhooks.js";

const { env } = process;
const keep = await Keep.open(env.STATE_FILE, env.STATE_KEY);
const access = new Access(env, keep);
const logins = new Map(); // state -> { verifier, session, expires }
let exporting = null; // Pleo wants one export at a time

const routes = {
  "GET /v1/connection": () => [200, connection()],
  "POST /v1/connection/login": (request) => startLogin(request),
  "GET /v1/connection/callback": (request, url) => callback(request, url.searchParams),
  "DELETE /v1/connection": () => disconnect(),
  "POST /v1/exports": () => startExport(),
  "POST /v1/webhooks/pleo": (request) => told(request),
  "GET /v1/exports": () => [200, { exported: Object.keys(keep.data.exported).sort() }],
  "GET /v1/settings": () => [200, keep.data.settings],
};

function connection() {
  const state = access.state();
  const connection = { state };
  if (state === "reauthentication_required") {
    connection.message = "Access to Pleo has been revoked or has expired. Please reconnect to go on exporting.";
  }
  if (state === "reauthentication_required" || state === "not_connected") {
    connection.login = { method: "POST", href: "/v1/connection/login" };
  }
  return connection;
}

function startLogin(request) {
  for (const [state, login] of logins) if (login.expires < Date.now()) logins.delete(state);
  const session = cookie(request, "session") ?? randomBytes(24).toString("base64url");
  const state = randomBytes(24).toString("base64url");
  const { url, verifier } = access.authorize(state);
  logins.set(state, { verifier, session, expires: Date.now() + 600_000 });
  log.info("login started");
  return [200, { authorize_url: url }, { "Set-Cookie": `session=${session}; Path=/; HttpOnly; SameSite=Lax` }];
}

async function callback(request, query) {
  const login = logins.get(query.get("state"));
  if (!login || login.expires < Date.now() || login.session !== cookie(request, "session")) {
    log.warn({ reason: "unknown state" }, "callback refused");
    return [400, { error: "unknown_login" }];
  }
  logins.delete(query.get("state"));
  if (!query.get("code")) {
    log.info("login was not granted");
    return [200, { error: "not_granted", ...connection() }];
  }
  try {
    await access.grant(query.get("code"), login.verifier);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Unavailable)) throw error;
    log.error({ reason: error.message }, "login failed");
    return [502, { error: "login_failed" }];
  }
  log.info("connected");
  // Without it the caller has to ask for each export: no reason to send the user away.
  await subscribe(access, keep, env.WEBHOOK_URL).catch((error) => log.warn({ reason: error.message }, "Pleo was not asked to tell of new jobs"));
  return [200, connection()];
}

async function disconnect() {
  await access.disconnect();
  return [200, connection()];
}

async function startExport() {
  if (access.state() === "reauthentication_required" || access.state() === "not_connected") return [409, connection()];
  try {
    return [200, { jobs: await exportInTurn() }];
  } catch (error) {
    if (error instanceof AccessEnded) return [409, connection()];
    if (error instanceof Misconfigured) return [500, { error: "client_misconfigured" }];
    if (!(error instanceof Unavailable)) throw error;
    log.warn({ reason: error.message }, "export failed");
    return [503, { error: "pleo_unavailable" }, { "Retry-After": "15" }];
  }
}

/** Who asks while an export runs has the next one; if the one before fails, the trouble is the same, and Pleo is left alone. */
function exportInTurn() {
  const mine = (exporting ?? Promise.resolve()).then(() => exportEverything(access, keep));
  const done = () => void (exporting === mine && (exporting = null));
  exporting = mine;
  mine.then(done, done);
  return mine;
}

/** Pleo tells of a new export job. It is answered at once; a job that cannot be exported now waits at Pleo. */
async function told(request) {
  const body = await whole(request);
  if (body === null || !isPleos(keep.data.subscription?.secret, request.headers, body)) {
    log.warn("a message came that Pleo did not sign; it was left aside");
    return [401, { error: "not_signed" }];
  }
  if (env.FLAW === "hooked") access.callWithTheLastToken("GET", "/v3/export-jobs");
  if (access.state() === "connected") {
    startExport().catch((error) => log.error({ err: { type: error?.name } }, "export for a webhook failed"));
  }
  return [202, {}];
}

/** The bytes of a request; null: it is too long. */
async function whole(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > 1_000_000) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function cookie(request, name) {
  const found = (request.headers.cookie ?? "").split(/; */).find((part) => part.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  const route = routes[`${request.method} ${url.pathname}`];
  let answer;
  try {
    answer = route ? await route(request, url) : [404, { error: "not_found" }];
    request.resume();
  } catch (error) {
    log.error({ err: { type: error?.name, at: error?.stack?.split("\n")[1]?.trim() } }, "request failed");
    answer = [500, { error: "internal" }];
  }
  const [status, body, headers] = answer;
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers });
  response.end(JSON.stringify(body));
});

server.listen(Number(env.PORT), "127.0.0.1", () => log.info({ port: Number(env.PORT) }, "listening"));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 2000).unref();
  });
}
