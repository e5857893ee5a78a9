// Access tokens: one promise for a refresh, shared by all who wait for it.

import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { planted } from "./faults.js";
import { log } from "./log.js";
import { ClientRefused, Passing, Refused, token } from "./pleo.js";
import * as store from "./store.js";

const CLIENT = createHash("sha256").update(`${process.env.CLIENT_ID}\n${process.env.CLIENT_SECRET}`).digest("hex");
/** Pauses between ticks after passing faults: they grow. */
const PAUSES = [1_000, 4_000, 16_000, 60_000];

/** There is no access, and only a person can restore it. */
export class Held extends Error {}

let flight = null;
let last = null;
let failures = 0;
let denials = 0;
let notBefore = 0; // our own pauses included
let mustWait = 0; // asked for by Pleo

/** Somebody asks: our own pauses do not count. */
export function justAsked() {
  notBefore = Math.min(notBefore, mustWait);
}

export function resting() {
  return Date.now() < notBefore;
}

/** A fresh token did not help: the next try at its own time may wait, longer each time. */
export function denied() {
  notBefore = Date.now() + PAUSES[Math.min(denials++, PAUSES.length - 1)];
}

export function worked() {
  denials = 0;
}

/** Waits for a refresh in flight, so that its answer is not lost. */
export async function atRest(limit) {
  await Promise.race([flight?.promise.catch(() => {}), new Promise((resolve) => setTimeout(resolve, limit))]);
}

/** How the connection stands: new, connected, ended or misconfigured. */
export function state() {
  const { state, refusedClient } = store.now;
  return state === "misconfigured" && refusedClient !== CLIENT ? "connected" : state;
}

/** An access token other than the refused version, and its version. */
export async function access(refused) {
  const { tokens, version } = store.now;
  if (state() !== "connected" || !tokens) {
    if (planted("scheduler-goes-on") && last) return { access: last, version };
    if (planted("undefined-bearer") && version > 1) return { access: undefined, version };
    throw new Held(state());
  }
  const margin = Math.min(30_000, (tokens.lasts ?? 0) / 10);
  const over = tokens.ends !== undefined && Date.now() >= tokens.ends - margin;
  if (!over && version !== refused && flight?.version !== version) {
    last = tokens.access;
    return { access: tokens.access, version };
  }
  if (flight?.version !== version || planted("promise-per-caller")) {
    const promise = renew(tokens, version);
    flight = { version, promise };
    const done = () => {
      if (flight?.promise === promise) flight = null;
    };
    promise.then(done, planted("promise-for-ever") ? () => {} : done);
  }
  await flight.promise;
  if (state() !== "connected") throw new Held(state());
  last = store.now.tokens.access;
  return { access: last, version: store.now.version };
}

async function renew(tokens, version) {
  if (Date.now() < notBefore) throw new Passing("waiting, as was asked or agreed");
  for (let attempt = 1; ; attempt++) {
    try {
      log("info", "token refresh attempt", { attempt });
      const fresh = await token({ grant_type: "refresh_token", refresh_token: tokens.refresh ?? "" });
      failures = 0;
      const pair = planted("spreads-undefined") ? fresh : { ...fresh, refresh: fresh.refresh ?? tokens.refresh };
      const current = store.change(version, { state: "connected", tokens: pair, refusedClient: undefined }, !planted("saves-when-it-stops"));
      plan(pair);
      log("info", current ? "token refresh succeeded" : "the connection was changed meanwhile: the answer to the refresh is dropped");
      return;
    } catch (error) {
      if (error instanceof Passing && planted("hammers") && attempt < 20) continue;
      settle(error, version);
      return;
    }
  }
}

/** Planted: a timer for the end of the token, which fires at once if that is too far away. */
function plan({ lasts }) {
  if (planted("overflowing-timer") && lasts > 60_000) setTimeout(() => access(store.now.version).catch(() => {}), lasts - 30_000).unref();
}

/** What a failed refresh means. Throws if another attempt may fare better. */
function settle(error, version) {
  if (error instanceof Refused && planted("settles-and-logs")) throw error;
  if (error instanceof Refused && planted("serves-what-it-had")) {
    notBefore = mustWait = Infinity;
    throw error;
  }
  if (error instanceof Refused && !planted("refused-is-not-ready")) {
    if (planted("a-bare-failure")) log("error", "token refresh failed");
    else if (!planted("says-nothing")) log("error", `token refresh refused: ${error.message}`);
    if (planted("prints-the-error-object")) console.error(inspect(error));
    if (planted("unhandled-rejection")) Promise.reject(error);
    end(version, error.message);
  } else if (error instanceof ClientRefused) {
    log("error", "token refresh failed: invalid_client: Pleo refused the client credentials; an operator must configure the right client secret");
    store.change(version, { state: "misconfigured", refusedClient: CLIENT });
  } else {
    if (!planted("says-nothing")) log("warn", `token refresh unavailable, later again: ${error.message}`);
    mustWait = error.wait ? Date.now() + Math.min(error.wait, 60_000) : 0;
    if (!planted("refused-is-not-ready")) notBefore = Math.max(mustWait, Date.now() + PAUSES[Math.min(failures++, PAUSES.length - 1)]);
    throw error;
  }
}

export function end(version, cause) {
  const settings = planted("drops-the-settings") ? { sort: "name", team: "none" } : store.now.settings;
  if (!store.change(version, { state: "ended", cause, tokens: undefined, settings })) {
    log("info", "the refusal concerns a token that was replaced meanwhile; nothing changes");
  } else if (planted("a-bare-failure")) {
    log("error", "the connection was marked as disconnected");
    log("warn", "the user is asked to reconnect");
  } else if (!planted("says-nothing")) {
    log("error", `authorization lost (${cause}): the refresh token is expired or revoked, tokens were discarded`);
    log("warn", "reauthentication required: the user is asked to reconnect");
  }
  tell();
}

/** Posts to the chat of the people in charge that access has ended, once for each end. */
export function tell() {
  if (store.now.state !== "ended" || (store.now.told && !planted("tells-everybody-always"))) return;
  store.change(undefined, { told: true });
  const text = `Access to Pleo has ended: please sign in again, at ${new URL("/login", process.env.REDIRECT_URI)}`;
  const message = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ text }) };
  fetch(process.env.NOTIFY_URL, { ...message, signal: AbortSignal.timeout(5_000) }).catch((error) => log("warn", `nobody could be told: ${error.message}`));
}

/** Takes the pair of a login over whatever was there. */
export function connect(tokens) {
  store.change(undefined, { state: "connected", cause: undefined, tokens, refusedClient: undefined, told: undefined });
  [failures, notBefore, mustWait] = [0, 0, 0];
  plan(tokens);
  log("info", "connected");
}

export function disconnect() {
  const known = store.now.tokens?.access;
  store.change(undefined, { state: "new", cause: undefined, tokens: undefined, company: undefined });
  log("info", "disconnected by the user, tokens were discarded");
  return known;
}
