// Requests to Pleo. They return what was answered; what follows from it is decided by those who ask.

import { createHash, randomBytes } from "node:crypto";

const { env } = process;
const SCOPE = ["export-jobs:read", "export-jobs:write", "export-items:read"].join(" ");

/** No answer, or none that means anything. */
export class Nothing extends Error {
  /** Milliseconds that Pleo wants to be left alone. */
  wait = 0;
}

/** Pleo rejects even tokens that it has just issued: asking for more of them would not help. */
export class Pointless extends Nothing {}

/** The token endpoint refuses; `code` is OAuth's word for it. */
export class Denied extends Error {
  constructor(code, status) {
    super(code);
    this.code = code;
    this.status = status;
  }
}

export function loginAddress(state) {
  const verifier = randomBytes(32).toString("base64url");
  const address = new URL(env.AUTHORIZE_URL);
  const query = address.searchParams;
  query.set("response_type", "code");
  query.set("client_id", env.CLIENT_ID);
  query.set("redirect_uri", env.REDIRECT_URI);
  query.set("scope", SCOPE);
  query.set("state", state);
  query.set("code_challenge_method", "S256");
  query.set("code_challenge", createHash("sha256").update(verifier, "ascii").digest("base64url"));
  return [address.href, verifier];
}

export const redeem = (code, verifier) => tokens({ grant_type: "authorization_code", code, redirect_uri: env.REDIRECT_URI, code_verifier: verifier });
export const renew = (refresh) => tokens({ grant_type: "refresh_token", refresh_token: refresh });

async function tokens(form) {
  // Pleo's clients have ids and secrets of URL-safe characters, but that is nowhere promised.
  const basic = btoa([env.CLIENT_ID, env.CLIENT_SECRET].map(encodeURIComponent).join(":"));
  const sent = Date.now();
  const { status, text, wait } = await request(env.TOKEN_URL, { method: "POST", headers: { Authorization: `Basic ${basic}` }, body: new URLSearchParams(form) });
  const body = parsed(text);
  if (status < 500 && status !== 429 && status !== 408 && body?.error) throw new Denied(String(body.error), status);
  if (status !== 200 || !body?.access_token) throw Object.assign(new Nothing(`token endpoint said ${status}`), { wait });
  return { access: body.access_token, refresh: body.refresh_token || form.refresh_token, until: body.expires_in ? sent + body.expires_in * 1000 : null };
}

/** Status and body of an API call. */
export async function call(access, method, path, body) {
  const headers = { Authorization: `Bearer ${access}`, ...(body && { "Content-Type": "application/json" }) };
  const { status, text } = await request(env.API_URL + path, { method, headers, body: body && JSON.stringify(body) });
  return { status, body: parsed(text) };
}

async function request(address, options) {
  try {
    const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(8000), ...options });
    return { status: answer.status, text: await answer.text(), wait: patience(answer.headers.get("retry-after")) };
  } catch (error) {
    throw new Nothing(`no answer (${error.cause?.code ?? error.name})`);
  }
}

/** `Retry-After`, in seconds or as a date; nobody is waited for longer than a minute. */
function patience(value) {
  const wait = /^\d+$/.test(value ?? "") ? Number(value) * 1000 : Date.parse(value ?? "") - Date.now();
  return Math.min(Math.max(wait || 0, 0), 60_000);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
