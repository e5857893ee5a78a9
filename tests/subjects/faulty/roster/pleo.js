// Pleo as this program speaks to it: with fetch, without following redirects.

import { planted } from "./faults.js";

const env = process.env;
const LIMIT = 6_000;
const FINAL = ["invalid_grant", "invalid_token", "invalid_refresh_token", "unauthorized_client"];
const PATIENCE = ["temporarily_unavailable", "server_error", "slow_down"];

/** Pleo said no, and means it. */
export class Refused extends Error {}
/** Pleo refuses the credentials of this program. */
export class ClientRefused extends Error {}
/** No usable answer; another attempt may fare better. */
export class Passing extends Error {
  constructor(message, wait) {
    super(message);
    this.wait = wait;
  }
}

const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

let caller;
/** Planted: whose request a refresh is made for. */
export const madeFor = (signal) => {
  caller = signal;
};

async function send(url, options, limit = LIMIT) {
  try {
    const signals = [limit ? AbortSignal.timeout(limit) : undefined, planted("ends-with-its-caller") ? caller : undefined].filter(Boolean);
    const signal = signals.length ? AbortSignal.any(signals) : undefined;
    const response = await fetch(url, { redirect: "manual", signal, ...options });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    throw new Passing(error.name === "TimeoutError" ? "no answer in time" : "no connection, or it was lost");
  }
}

function parse(text) {
  try {
    const body = JSON.parse(text);
    return body && typeof body === "object" ? body : {};
  } catch {
    return {};
  }
}

export async function token(form) {
  const basic = Buffer.from(`${encode(env.CLIENT_ID)}:${encode(env.CLIENT_SECRET)}`).toString("base64");
  const headers = { authorization: `Basic ${basic}`, accept: "application/json" };
  const body = new URLSearchParams(form);
  const asked = Date.now();
  const reply = await send(env.TOKEN_URL, { method: "POST", headers, body }, planted("no-deadline") ? 0 : LIMIT);
  const answer = parse(reply.text);
  const code = typeof answer.error === "string" ? answer.error : undefined;
  if (code && reply.status < 500 && reply.status !== 408 && reply.status !== 429) {
    if (code === "invalid_client") throw new ClientRefused(code);
    const rejected = reply.status >= 400 && !PATIENCE.includes(code);
    const refusal = Object.assign(new Refused(/^[a-z_]{1,40}$/.test(code) ? code : "unreadable code"), { request: String(body) });
    if (FINAL.includes(code) || rejected) throw refusal;
  }
  const usable = typeof answer.access_token === "string" && /^[\x21-\x7e]+$/.test(answer.access_token);
  if (reply.status !== 200 || code || !usable) {
    const wait = Number(reply.headers.get("retry-after") ?? NaN);
    throw new Passing(reply.status === 200 ? "unusable token answer" : `HTTP ${reply.status}`, Number.isFinite(wait) ? wait * 1000 : undefined);
  }
  if (planted("saves-for-its-caller") && caller?.aborted) throw new Passing("nobody waits any more");
  const lasts = Number(answer.expires_in ?? NaN) * 1000;
  const known = Number.isFinite(lasts) && lasts > 0;
  return {
    access: answer.access_token,
    refresh: typeof answer.refresh_token === "string" && answer.refresh_token ? answer.refresh_token : undefined,
    ends: known ? asked + lasts : undefined,
    lasts: known ? lasts : undefined,
  };
}

/** One API call: status and answer. */
export async function call(path, access) {
  const reply = await send(env.API_URL.replace(/\/$/, "") + path, { headers: { authorization: `Bearer ${access}` } }, 15_000);
  return { status: reply.status, body: parse(reply.text) };
}

export async function farewell(access) {
  const options = { method: "DELETE", headers: { authorization: `Bearer ${access}` } };
  return (await send(`${env.API_URL.replace(/\/$/, "")}/v1/installations/me`, options, 3_000)).status;
}
