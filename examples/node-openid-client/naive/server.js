// Exports Pleo's accounting entries to our own books.

import fs from "node:fs";
import path from "node:path";
import express from "express";
import session from "express-session";
import * as client from "openid-client";

const { AUTHORIZE_URL, TOKEN_URL, API_URL, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SCOPES, PORT, DATA_DIR, SESSION_SECRET } = process.env;

const TOKEN_FILE = path.join(DATA_DIR, "tokens.json");
const BOOKS_FILE = path.join(DATA_DIR, "books.json");
const SETTINGS_FILE = path.join(DATA_DIR, "settings.json");

const config = new client.Configuration(
  { issuer: new URL(AUTHORIZE_URL).origin, authorization_endpoint: AUTHORIZE_URL, token_endpoint: TOKEN_URL },
  CLIENT_ID,
  CLIENT_SECRET,
);

function readJson(file, fallback) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : fallback;
}

function writeJson(file, value) {
  fs.writeFileSync(file, JSON.stringify(value, null, 2));
}

function saveTokens(tokens) {
  const saved = { ...tokens, expires_at: Date.now() + tokens.expires_in * 1000 };
  writeJson(TOKEN_FILE, saved);
  return saved;
}

async function getAccessToken() {
  let tokens = readJson(TOKEN_FILE, null);
  if (!tokens) throw new Error("Not connected to Pleo");
  if (Date.now() > tokens.expires_at - 60_000) {
    tokens = saveTokens(await client.refreshTokenGrant(config, tokens.refresh_token));
  }
  return tokens.access_token;
}

async function pleo(method, pathname, body) {
  const token = await getAccessToken();
  const response = await client.fetchProtectedResource(
    config,
    token,
    new URL(pathname, API_URL),
    method,
    body ? JSON.stringify(body) : undefined,
    new Headers({ "content-type": "application/json" }),
  );
  if (!response.ok) throw new Error(`Pleo answered ${response.status} to ${method} ${pathname}`);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

async function exportPendingJobs() {
  const { data: jobs } = await pleo("GET", "/v3/export-jobs?statuses=pending");
  for (const job of jobs) {
    await pleo("POST", "/v3/export-job-events", { jobId: job.id, event: "started" });
    const { data: items } = await pleo("GET", `/v3/export-jobs/${job.id}/items`);
    const books = readJson(BOOKS_FILE, []);
    const updates = items.map((item) => {
      books.push({ entry: item.accountingEntryId, number: `B-${books.length + 1}` });
      return { accountingEntryId: item.accountingEntryId, status: "successful", externalId: `B-${books.length}` };
    });
    writeJson(BOOKS_FILE, books);
    await pleo("PUT", `/v3/export-jobs/${job.id}/items`, updates);
    await pleo("POST", "/v3/export-job-events", { jobId: job.id, event: "completed" });
  }
  return jobs.length;
}

const app = express();
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }));

app.get("/", (req, res) => {
  const connected = fs.existsSync(TOKEN_FILE);
  res.send(`<!doctype html>
    <title>Pleo export</title>
    <h1>Pleo export</h1>
    ${connected ? '<p>Connected to Pleo.</p><form method="post" action="/export"><button>Export now</button></form>' : ""}
    <p><a href="/connect">${connected ? "Reconnect" : "Connect to Pleo"}</a></p>`);
});

app.get("/connect", async (req, res) => {
  const codeVerifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  req.session.codeVerifier = codeVerifier;
  req.session.state = state;
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: SCOPES,
    code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: "S256",
    state,
  });
  res.redirect(url.href);
});

app.get("/callback", async (req, res) => {
  const tokens = await client.authorizationCodeGrant(config, new URL(req.originalUrl, REDIRECT_URI), {
    pkceCodeVerifier: req.session.codeVerifier,
    expectedState: req.session.state,
  });
  saveTokens(tokens);
  res.redirect("/");
});

app.post("/export", async (req, res) => {
  try {
    res.json({ exported: await exportPendingJobs() });
  } catch (error) {
    console.error("Export failed:", error);
    res.status(500).json({ error: error.message });
  }
});

app.get("/books", (req, res) => res.json(readJson(BOOKS_FILE, [])));

app.get("/settings", (req, res) => res.json(readJson(SETTINGS_FILE, { series: "B", language: "en" })));

app.get("/status", (req, res) => res.json({ connected: fs.existsSync(TOKEN_FILE) }));

app.listen(PORT, "127.0.0.1", () => console.log(`Listening on ${PORT}`));
