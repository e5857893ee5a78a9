// Access to Pleo: the grant, its tokens, and calls with them.

import { createHash, randomBytes } from "node:crypto";
import { log } from "./log.js";

export class AccessEnded extends Error {}
export class Misconfigured extends Error {}
export class Unavailable extends Error {}
/** The token endpoint's no; the message is its error code. */
export class Refused extends Error {}

const SCOPE = "export-jobs:read export-jobs:write export-items:read";
const EARLY = 90_000; // milliseconds before its end a token is no longer used

export class Access {
  #env;
  #keep;
  #ending = null; // tokens that were refused
  #refreshing = null; // everybody who needs a new token waits for the same one
  #last = null;
  #patience = 0; // until then Pleo asked to be left alone
  #misconfigured = false; // a restart brings other credentials

  constructor(env, keep) {
    this.#env = env;
    this.#keep = keep;
  }

  state() {
    const { tokens, ended } = this.#keep.data;
    if (tokens) return this.#misconfigured ? "misconfigured" : "connected";
    return ended ? "reauthentication_required" : "not_connected";
  }

  authorize(state) {
    const verifier = randomBytes(48).toString("base64url");
    const url = new URL(this.#env.AUTHORIZE_URL);
    url.search = new URLSearchParams({
      response_type: "code",
      client_id: this.#env.CLIENT_ID,
      redirect_uri: this.#env.REDIRECT_URI,
      scope: SCOPE,
      state,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    return { url: url.href, verifier };
  }

  async grant(code, verifier) {
    const tokens = await this.#ask({ grant_type: "authorization_code", code, redirect_uri: this.#env.REDIRECT_URI, code_verifier: verifier });
    if (!tokens.refresh) throw new Unavailable("no refresh token");
    await this.#keep.change((data) => Object.assign(data, { tokens, ended: null }));
  }

  async disconnect() {
    if (this.#keep.data.tokens) {
      await this.call("DELETE", "/v1/installations/me").catch((error) => log.warn({ reason: error.message }, "Pleo was not told"));
    }
    await this.#keep.change((data) => Object.assign(data, { tokens: null, ended: null, subscription: null }));
    log.info("disconnected");
  }

  /** The body of a 2xx answer; other statuses that are `fine` give null. */
  async call(method, path, body, fine = []) {
    let token = await this.#token();
    let answer = await this.#send(token, method, path, body);
    if (answer.status === 401) {
      token = await this.#token(token);
      answer = await this.#send(token, method, path, body);
    }
    if (fine.includes(answer.status)) return null;
    if (!answer.ok) throw new Unavailable(`${method} ${path.split("?")[0]}: ${answer.status}`);
    return answer.text ? JSON.parse(answer.text) : {};
  }

  /** FLAW=hooked: the webhook's handler has a copy of the token of its own, and does not ask how the connection stands. */
  callWithTheLastToken(method, path) {
    if (this.#last) this.#send(this.#last, method, path).catch(() => {});
  }

  async #send(token, method, path, body) {
    if (this.#env.FLAW === "hooked") this.#last = token;
    const options = { method, headers: { Authorization: `Bearer ${token}` } };
    if (body) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    return this.#fetch(this.#env.API_URL + path, options);
  }

  async #token(rejected) {
    const { tokens } = this.#keep.data;
    if (!tokens || tokens === this.#ending) throw new AccessEnded("no access");
    if (this.#misconfigured) throw new Misconfigured("client credentials");
    const fresh = !tokens.expires || tokens.expires - EARLY > Date.now();
    if (fresh && tokens.access !== rejected) return tokens.access;
    this.#refreshing ??= this.#refresh(tokens).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refresh(old) {
    if (Date.now() < this.#patience) throw new Unavailable("Pleo asked for patience");
    log.info("token refresh: attempt");
    let tokens;
    try {
      tokens = await this.#ask({ grant_type: "refresh_token", refresh_token: old.refresh });
    } catch (error) {
      if (error instanceof Refused) return this.#refused(old, error.message);
      log.warn({ reason: error.message, retryable: true }, "token refresh: failed");
      throw error;
    }
    tokens.refresh ??= old.refresh;
    const taken = await this.#keep.change((data) => data.tokens === old && ((data.tokens = tokens), true));
    // Somebody connected or disconnected meanwhile: that counts, not this.
    if (!taken) throw new Unavailable("the connection changed");
    log.info("token refresh: success");
    return tokens.access;
  }

  async #refused(old, error) {
    log.error({ reason: error, retryable: false }, "token refresh: failed");
    if (error === "invalid_client") {
      this.#misconfigured = true;
      log.fatal("the client credentials were refused; a new secret has to be configured");
      throw new Misconfigured(error);
    }
    // From here on nothing is done with it, whenever the rest follows.
    this.#ending = old;
    if (this.#env.LISTENER_DELAY) setTimeout(() => this.#end(old, error), Number(this.#env.LISTENER_DELAY));
    else await this.#end(old, error);
    throw new AccessEnded(error);
  }

  async #end(old, error) {
    const ended = await this.#keep.change((data) => data.tokens === old && (Object.assign(data, { tokens: null, ended: error }), true));
    if (ended) {
      log.error({ cause: error }, "refresh token expired or revoked: the connection is unauthenticated now");
      log.warn("reauthentication required: waiting for the user to log in again");
    }
  }

  async #ask(fields) {
    const { CLIENT_ID, CLIENT_SECRET, TOKEN_URL } = this.#env;
    const encoded = [CLIENT_ID, CLIENT_SECRET].map((part) => new URLSearchParams({ part }).toString().slice("part=".length));
    const asked = Date.now();
    const answer = await this.#fetch(TOKEN_URL, {
      method: "POST",
      headers: { Authorization: `Basic ${Buffer.from(encoded.join(":")).toString("base64")}`, Accept: "application/json" },
      body: new URLSearchParams(fields),
    });
    let body = null;
    try {
      body = JSON.parse(answer.text);
    } catch {
      // A proxy's error page, or half an answer: judged by its status.
    }
    const passing = answer.status >= 500 || answer.status === 429 || answer.status === 408;
    if (passing) this.#patience = Math.max(this.#patience, until(answer.retryAfter));
    if (typeof body?.error === "string" && !passing) throw new Refused(body.error);
    if (answer.status !== 200 || typeof body?.access_token !== "string" || body.access_token === "") {
      throw new Unavailable(`token endpoint: ${answer.status}`);
    }
    const lifetime = Number(body.expires_in);
    return { access: body.access_token, refresh: body.refresh_token || undefined, expires: lifetime > 0 ? asked + lifetime * 1000 : null };
  }

  async #fetch(url, options) {
    try {
      const response = await fetch(url, { ...options, redirect: "manual", signal: AbortSignal.timeout(10_000) });
      return { status: response.status, ok: response.ok, retryAfter: response.headers.get("retry-after"), text: await response.text() };
    } catch (error) {
      throw new Unavailable(`${new URL(url).pathname}: ${error.cause?.code ?? error.name}`);
    }
  }
}

/** When a pause ends that is given in seconds or as a date; a minute is the longest that is kept. */
function until(retryAfter) {
  const end = /^\d+$/.test(retryAfter ?? "") ? Date.now() + Number(retryAfter) * 1000 : Date.parse(retryAfter ?? "");
  return Number.isNaN(end) ? 0 : Math.min(end, Date.now() + 60_000);
}
