// Pleo as this integration sees it: the authorise page, the token endpoint (through openid-client) and the resource API.
//
// openid-client builds and checks the OAuth messages. What it leaves to its user is decided here: which answers end a
// grant, which are passing trouble, and what a usable token answer is.

import * as oauth from "openid-client";

const TIMEOUT = 5; // seconds. A hung Pleo must not hold up work and the next attempt for long.

// The refresh token (or the client) is refused for good. `invalid_grant` and `invalid_token` are in Pleo's pages,
// `invalid_refresh_token` was seen in the field, the others are RFC 6749's.
const FINAL = new Set(["invalid_grant", "invalid_token", "invalid_refresh_token", "unauthorized_client", "invalid_client"]);

// Errors by name that say "later", whatever status they come with.
const PASSING = new Set(["temporarily_unavailable", "server_error", "slow_down"]);

/** The authorisation server said no, and asking again cannot help. */
export class Refused extends Error {
  constructor(code, status) {
    super("refused");
    Object.assign(this, { code, status });
  }
}

/** No usable answer this time. Says nothing about the tokens. */
export class Unavailable extends Error {
  constructor(reason, retryAfter = null) {
    super(reason);
    Object.assign(this, { reason, retryAfter });
  }
}

export class Pleo {
  #at;
  #scopes;
  #config;

  constructor({ authorize, token, api, redirect }, clientId, clientSecret, scopes) {
    this.#at = { api, redirect };
    this.#scopes = scopes;
    const server = { issuer: new URL(authorize).origin, authorization_endpoint: authorize, token_endpoint: token };
    this.#config = new oauth.Configuration(server, clientId, {}, oauth.ClientSecretBasic(clientSecret));
    this.#config.timeout = TIMEOUT;
    this.#config[oauth.customFetch] = fetchTokenAnswer;
  }

  // OAuth.

  async authorizeUrl(state, verifier) {
    // The scopes are the same every time: what was granted once must be granted again to resume the same work.
    return oauth.buildAuthorizationUrl(this.#config, {
      redirect_uri: this.#at.redirect,
      scope: this.#scopes,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    }).href;
  }

  exchange(code, state, verifier) {
    const landed = new URL(this.#at.redirect);
    landed.search = new URLSearchParams({ code, state });
    return ask(() => oauth.authorizationCodeGrant(this.#config, landed, { pkceCodeVerifier: verifier, expectedState: state }));
  }

  refresh(refreshToken) {
    return ask(() => oauth.refreshTokenGrant(this.#config, refreshToken));
  }

  // The resource API.

  async call(accessToken, method, path, body) {
    try {
      const response = await fetch(this.#at.api + path, {
        method,
        headers: { authorization: `Bearer ${accessToken}`, accept: "application/json", ...(body && { "content-type": "application/json" }) },
        body: body && JSON.stringify(body),
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT * 1000),
      });
      return { status: response.status, retryAfter: retryAfter(response), body: parsed(await response.text()) };
    } catch (broken) {
      throw new Unavailable(kindOf(broken));
    }
  }

  /** The company that this token speaks for, or null if Pleo does not say. */
  async company(accessToken) {
    try {
      const { status, body } = await this.call(accessToken, "GET", "/v1/introspect");
      return (status === 200 && body?.data?.subjectURN) || null;
    } catch (trouble) {
      if (trouble instanceof Unavailable) return null;
      throw trouble;
    }
  }

  async removeInstallation(accessToken) {
    return (await this.call(accessToken, "DELETE", "/v1/installations/me")).status;
  }
}

async function ask(request) {
  const asked = Date.now();
  try {
    const answer = await request();
    const lifetime = answer.expires_in === undefined ? null : answer.expires_in * 1000;
    // Refresh a little early, but never by more than a tenth: lifetimes may be seconds or months.
    const useUntil = lifetime === null ? null : asked + lifetime - Math.min(30_000, lifetime / 10);
    return { access: answer.access_token, refresh: answer.refresh_token ?? null, useUntil };
  } catch (error) {
    // openid-client wraps what its fetch throws.
    for (const cause of [error, error.cause]) if (cause instanceof Refused || cause instanceof Unavailable) throw cause;
    // Perhaps Pleo did act and only the reply was lost. Then the stored refresh token is dead already, and one more try
    // with it is what finds that out.
    throw new Unavailable(kindOf(error));
  }
}

/**
 * The fetch that openid-client uses. It judges the answer first, because on a 401 with a challenge openid-client no
 * longer shows the error in the body, and it drops the oddities for which openid-client would refuse a whole answer,
 * when Pleo has already swapped the tokens.
 */
async function fetchTokenAnswer(url, options) {
  const response = await fetch(url, options); // openid-client asks for redirect: "manual"
  const body = parsed(await response.text());
  const error = body?.error;
  if (typeof error === "string" && isFinal(response.status, error)) throw new Refused(error, response.status);
  if (!response.ok || error != null) throw new Unavailable(`status_${response.status}`, retryAfter(response));
  const { access_token, token_type = "Bearer", refresh_token, expires_in } = body ?? {};
  if (!isText(access_token) || !isText(token_type) || token_type.toLowerCase() !== "bearer") throw new Unavailable("no_token_in_answer");
  const clean = { access_token, token_type };
  if (isText(refresh_token)) clean.refresh_token = refresh_token; // without one, the stored one stays valid (RFC 6749, section 6)
  const lifetime = lifetimeOf(expires_in);
  if (lifetime !== null) clean.expires_in = lifetime;
  return Response.json(clean);
}

function isFinal(status, error) {
  if (status >= 500 || status === 408 || status === 429 || PASSING.has(error)) return false;
  // A named error that nobody announced still is Pleo rejecting the request; at other statuses it is noise.
  return FINAL.has(error) || [400, 401, 403].includes(status);
}

function lifetimeOf(value) {
  const seconds = typeof value === "string" && value.trim() ? Number(value) : value;
  // Nobody issues a token that is dead at birth: zero and less say as little as nothing does.
  return Number.isFinite(seconds) && seconds > 0 ? seconds : null;
}

/** Seconds, at most an hour. (Pleo sends no dates here; a date counts as no header.) */
function retryAfter(response) {
  const value = response.headers.get("retry-after") ?? "";
  return /^\d+$/.test(value) ? Math.min(Number(value), 3600) : null;
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

const isText = (value) => typeof value === "string" && value !== "";

/** The kind of a network error, and no more of it. */
const kindOf = (error) => [error?.cause?.cause?.code, error?.cause?.code, error?.code, error?.name].find((kind) => /^[A-Za-z_]{1,40}$/.test(kind)) ?? "Error";
