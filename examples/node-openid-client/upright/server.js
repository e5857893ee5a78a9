// The web side: pages for the user, a trigger for a scheduler, and the way to Pleo's consent page and back.

import crypto from "node:crypto";
import express from "express";
import { randomPKCECodeVerifier, randomState } from "openid-client";
import { Tokens } from "./connection.js";
import * as log from "./log.js";
import * as pages from "./pages.js";
import { Pleo, Refused, Unavailable } from "./pleo.js";
import { Store } from "./store.js";
import { Work } from "./work.js";

// Longer than an export takes when all is well, short enough that a hung Pleo never makes our own users wait.
const PATIENCE = 2000;

process.umask(0o077); // what we store is for nobody else
const env = process.env;
const store = new Store(env.DATA_DIR, env.STORE_KEY);
const addresses = { authorize: env.AUTHORIZE_URL, token: env.TOKEN_URL, api: env.API_URL, redirect: env.REDIRECT_URI };
const pleo = new Pleo(addresses, env.CLIENT_ID, env.CLIENT_SECRET, env.SCOPES);
const tokens = new Tokens(store, pleo);
const work = new Work(store, tokens, pleo);

// No access log: one that records `?code=…` would leak authorization codes.
const app = express();
app.disable("x-powered-by");
app.set("query parser", "simple");
app.use((req, res, next) => {
  res.set({ "Cache-Control": "no-store", "Referrer-Policy": "no-referrer" }); // the callback's address holds the code
  next();
});

// Pages.

app.get("/", (req, res) => res.send(pages.home(store.connection(), req.originalUrl, store.books().length, store.waitingRequests())));
app.get("/books", (req, res) => res.send(pages.books(store.connection(), req.originalUrl, store.books())));
app.get("/records", (req, res) => res.json(store.books()));
app.get("/settings", (req, res) => res.json(store.settings()));

app.put("/settings", express.json(), (req, res) => {
  const known = store.settings();
  const wanted = Object.entries(req.body ?? {});
  if (!wanted.every(([name, value]) => Object.hasOwn(known, name) && typeof value === "string")) {
    return res.status(400).json({ error: "unknown_setting" });
  }
  store.changeSettings(Object.fromEntries(wanted));
  res.json(store.settings());
});

app.get("/status", (req, res) => {
  const { state, reason, problem, since, company } = store.connection();
  const known = ["never_connected", "disconnected_by_user"].includes(reason) ? [] : [{ id: "pleo", company }];
  res.json({ state, reason, problem, since, held: store.waitingRequests(), connections: known });
});

// Work.

app.post("/export", async (req, res) => {
  const { outcome, jobs, retryAfter, status } = await work.request(PATIENCE);
  if (outcome === "done") return res.json({ jobs });
  if (outcome === "unavailable") return res.status(503).set("Retry-After", String(retryAfter ?? 1)).json({ error: "pleo_unavailable" });
  if (outcome === "api_refuses") return res.status(502).json({ error: "pleo_refuses", status });
  res.status(202).json({ accepted: outcome });
});

// Connecting, reconnecting, disconnecting.

app.get("/connect", async (req, res) => {
  const state = randomState();
  const verifier = randomPKCECodeVerifier();
  const browser = cookie(req, "browser") || crypto.randomBytes(32).toString("base64url");
  store.addAttempt(digest(state), { browser: digest(browser), verifier, backTo: ownPath(req.query.next) });
  const { reason, state: was } = store.connection();
  log.info("reauthentication_started", "sending the user to Pleo's authorise page", { was: reason ?? was });
  // The state is worth nothing in any other browser.
  res.cookie("browser", browser, { httpOnly: true, sameSite: "lax", secure: env.REDIRECT_URI.startsWith("https:"), maxAge: 86_400_000 });
  res.redirect(await pleo.authorizeUrl(state, verifier));
});

app.get("/callback", async (req, res) => {
  const { state, code, error } = req.query;
  const attempt = isText(state) ? store.takeAttempt(digest(state), digest(cookie(req, "browser"))) : null;
  if (!attempt) {
    log.warn("reauthentication_failed", "a callback that belongs to no open attempt was refused", { reason: "unknown_state" });
    return res.status(400).send(pages.outcome("This sign-in was not started here, took too long or was already used. Nothing was changed.", "/"));
  }
  if (!isText(code)) {
    log.warn("reauthentication_failed", "the user came back without consent", { reason: isText(error) ? log.code(error) : "no_code" });
    return res.send(pages.outcome("Pleo did not grant access. Nothing was changed; you can try again at any time.", attempt.backTo));
  }
  let pair;
  try {
    pair = await pleo.exchange(code, state, attempt.verifier);
  } catch (failure) {
    return exchangeFailed(failure, attempt, res);
  }
  await adopt(pair, attempt, res);
});

function exchangeFailed(failure, attempt, res) {
  if (!(failure instanceof Refused || failure instanceof Unavailable)) throw failure;
  const reason = failure instanceof Refused ? log.code(failure.code) : failure.reason;
  log.error("reauthentication_failed", "the code could not be exchanged for tokens", { reason });
  if (reason === "invalid_client") log.error("client_credentials_refused", "Pleo refused the client credentials of this application", { reason });
  res.status(502).send(pages.outcome("Pleo could not complete the sign-in. Nothing was changed; please try again.", attempt.backTo));
}

async function adopt(pair, attempt, res) {
  const company = await pleo.company(pair.access);
  const before = store.connection().company;
  if (company && before && company !== before) {
    // Our books and settings are that company's. Mixing in another one's would be found out much later.
    log.warn("reauthentication_failed", "consent was given for another company", { reason: "other_company" });
    const message = "You gave consent for another company than the one connected here. Nothing was changed. To move to that company, disconnect first.";
    return res.status(409).send(pages.outcome(message, attempt.backTo));
  }
  store.connect(pair, company);
  log.info("reauthentication_completed", "connected to Pleo, the new tokens are stored");
  work.resume();
  res.redirect(303, attempt.backTo);
}

app.post("/disconnect", async (req, res) => {
  const pair = store.disconnect();
  log.info("disconnected", "the user disconnected, tokens discarded");
  if (pair) {
    try {
      log.info("installation_removed", "Pleo was told", { status: await pleo.removeInstallation(pair.access) });
    } catch (trouble) {
      if (!(trouble instanceof Unavailable)) throw trouble;
      log.warn("installation_not_removed", "Pleo could not be told", { reason: trouble.reason });
    }
  }
  res.redirect(303, "/");
});

// Inside.

app.use((req, res) => res.status(404).send(pages.outcome("There is nothing here.", "/")));

// eslint-disable-next-line no-unused-vars -- Express tells error handlers by their four parameters
app.use((defect, req, res, next) => {
  const status = defect?.status >= 400 && defect.status < 500 ? defect.status : 500;
  // The kind and no more: texts of exceptions may quote what was sent.
  if (status === 500) log.error("defect", "unexpected error in a request", { kind: defect?.name, path: req.path });
  res.status(status).send(pages.outcome(status === 500 ? "Something went wrong on our side." : "This request was not understood.", "/"));
});

const isText = (value) => typeof value === "string" && value !== "";
const digest = (value) => crypto.createHash("sha256").update(value).digest("hex");

/** Only a path on this site: `//host` and `/\host` would lead elsewhere. */
function ownPath(target) {
  return isText(target) && /^\/(?![/\\])[\x21-\x7e]*$/.test(target) ? target : "/";
}

function cookie(req, name) {
  const pairs = (req.headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
  return pairs.find(([key]) => key === name)?.[1] ?? "";
}

const server = app.listen(Number(env.PORT), "127.0.0.1", (failure) => {
  if (failure) throw failure;
  log.info("started", "serving", { state: store.connection().state });
  work.resume();
});

process.once("SIGTERM", async () => {
  server.close();
  server.closeIdleConnections();
  await tokens.settle(2000);
  process.exit(0);
});
