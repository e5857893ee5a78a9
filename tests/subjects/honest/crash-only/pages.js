// What the user and the scheduler see.

import { randomBytes } from "node:crypto";
import http from "node:http";
import { say } from "./main.js";
import { call, Denied, loginAddress, Nothing, redeem } from "./pleo.js";

const logins = new Map(); // a restart forgets them: the user begins again

export function serve(state, worker, port) {
  const pages = {
    "GET /": () => [200, home(state.word())],
    "GET /status": () => [200, { pleo: state.word(), spool: worker.waiting().length }],
    "GET /booked": () => [200, [...worker.booked()].sort()],
    "POST /export": () => {
      worker.accept();
      return [202, { spool: worker.waiting().length }];
    },
    "GET /sign-in": (request) => signIn(request),
    "GET /signed-in": (request, query) => signedIn(state, worker, request, query),
    "POST /sign-out": () => signOut(state, worker),
  };
  http
    .createServer(async (request, response) => {
      request.resume();
      const address = new URL(request.url, "http://here");
      const page = pages[`${request.method} ${address.pathname}`] ?? (() => [404, "<p>Nothing here.</p>"]);
      const [status, content, headers] = await page(request, address.searchParams);
      const html = typeof content === "string";
      // One request a connection: nothing is half sent when this process ends.
      response.writeHead(status, { "Content-Type": html ? "text/html; charset=utf-8" : "application/json", Connection: "close", ...headers });
      response.end(html ? `<!doctype html><title>Export</title>${content}` : JSON.stringify(content));
    })
    .listen(port, "127.0.0.1", () => say("INFO", `listening on ${port}`));
}

function home(word) {
  switch (word) {
    case "working":
      return "<h1>Export</h1><p>All is well with Pleo.</p>";
    case "ended":
      return '<h1>Export</h1><p>Pleo has ended our access. Exports wait until you <a href="/sign-in">sign in to Pleo again</a>.</p>';
    case "refused-client":
      return "<h1>Export</h1><p>Exports wait for our support staff, who have been told.</p>";
    default:
      return '<h1>Export</h1><p><a href="/sign-in">Sign in to Pleo</a> to begin.</p>';
  }
}

function signIn() {
  for (const [state, { begun }] of logins) if (begun < Date.now() - 600_000) logins.delete(state);
  const state = randomBytes(32).toString("hex");
  const browser = randomBytes(16).toString("hex");
  const [address, verifier] = loginAddress(state);
  logins.set(state, { verifier, browser, begun: Date.now() });
  return [302, "", { Location: address, "Set-Cookie": `sign-in=${browser}; Path=/signed-in; HttpOnly; SameSite=Lax; Max-Age=600` }];
}

async function signedIn(state, worker, request, query) {
  const login = logins.get(query.get("state"));
  if (!login || !(request.headers.cookie ?? "").split("; ").includes(`sign-in=${login.browser}`)) {
    say("WARN", "a sign-in that was not begun here was refused");
    return [400, '<p>We do not know this sign-in. <a href="/sign-in">Begin again</a></p>'];
  }
  logins.delete(query.get("state"));
  if (!query.get("code")) return [200, "<p>You did not sign in; nothing has changed.</p>"];
  try {
    state.begin(await redeem(query.get("code"), login.verifier));
  } catch (error) {
    if (!(error instanceof Denied || error instanceof Nothing)) throw error;
    say("ERROR", `a sign-in failed: ${error.message}`);
    return [502, '<p>Pleo did not accept the sign-in. <a href="/sign-in">Try again</a></p>'];
  }
  say("INFO", "signed in");
  worker.wake();
  return [303, "", { Location: "/" }];
}

async function signOut(state, worker) {
  try {
    if (state.word() === "working") await call(await worker.access(), "DELETE", "/v1/installations/me");
  } catch (error) {
    if (!(error instanceof Nothing)) throw error;
    say("WARN", `Pleo was not told of the sign-out: ${error.message}`);
  }
  const tokens = state.tokens();
  if (tokens) state.end(tokens.version);
  say("INFO", "signed out");
  return [200, { pleo: state.word() }];
}
