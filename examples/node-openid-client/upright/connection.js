// The one place that knows whether there is access, hands out access tokens and swaps them.
//
// Rules, all of Pleo's making: a refresh kills every earlier token at once, a used refresh token must never be
// presented again, and a refused one ends the connection until the user has given consent anew.

import { setTimeout as pause } from "node:timers/promises";
import * as log from "./log.js";
import { Refused, Unavailable } from "./pleo.js";
import { CONNECTED } from "./store.js";

const ATTEMPTS = 2; // per refresh, and only after passing trouble
const PAUSE = 300; // milliseconds between them

/** There is no access. Only the user can restore it. */
export class NotConnected extends Error {}

export class Tokens {
  #store;
  #pleo;
  #flight = null;
  #notBefore = 0;

  constructor(store, pleo) {
    this.#store = store;
    this.#pleo = pleo;
  }

  /** An access token that is not `rejected`, and whether a refresh was needed to get it. */
  async current(rejected = null) {
    const usable = this.#usable(this.#connection(), rejected);
    if (usable) return { token: usable, refreshed: false };
    // One refresh for all who need one now; they share its outcome, the failure too.
    this.#flight ??= this.#refresh(rejected).finally(() => (this.#flight = null));
    return { token: await this.#flight, refreshed: true };
  }

  /** Waits for a refresh that is under way: its answer should be stored before the process ends. */
  async settle(patience) {
    await Promise.race([this.#flight?.catch(() => {}), pause(patience)]);
  }

  // Inside.

  #connection() {
    // Read from the store every time: a callback or a disconnect may have changed it.
    const connection = this.#store.connection();
    if (connection.state !== CONNECTED) throw new NotConnected();
    return connection;
  }

  #usable({ pair }, rejected) {
    const fresh = pair.useUntil === null || Date.now() < pair.useUntil;
    return fresh && pair.access !== rejected ? pair.access : null;
  }

  async #refresh(rejected) {
    for (let attempt = 1; ; attempt++) {
      // Again before each attempt: what was read before waiting may be superseded.
      const connection = this.#connection();
      const usable = this.#usable(connection, rejected);
      if (usable) return usable;
      try {
        return await this.#refreshOnce(connection, attempt);
      } catch (trouble) {
        if (!(trouble instanceof Unavailable) || attempt === ATTEMPTS || trouble.retryAfter !== null) throw trouble;
      }
      await pause(PAUSE);
    }
  }

  async #refreshOnce({ pair, generation }, attempt) {
    if (pair.refresh === null) return this.#end(generation, "no_refresh_token");
    const left = this.#notBefore - Date.now();
    if (left > 0) throw new Unavailable("asked_to_wait", Math.ceil(left / 1000));
    log.info("token_refresh_started", "refreshing the access token", { attempt });
    let next;
    try {
      next = await this.#pleo.refresh(pair.refresh);
    } catch (failure) {
      return this.#failed(failure, generation, attempt);
    }
    // Stored before anybody may use it: after a kill the newest pair is the one on disk.
    if (!this.#store.renew(generation, { ...next, refresh: next.refresh ?? pair.refresh })) {
      log.info("token_refresh_dropped", "the connection changed during the refresh, its answer is dropped");
      return this.#connection().pair.access;
    }
    log.info("token_refreshed", "access token refreshed", { outcome: "success", attempt });
    return next.access;
  }

  #failed(failure, generation, attempt) {
    if (failure instanceof Unavailable) {
      const { reason, retryAfter } = failure;
      log.warn("token_refresh_failed", "token refresh failed for now, the connection is kept", { outcome: "transient", reason, attempt });
      if (retryAfter !== null) this.#notBefore = Date.now() + retryAfter * 1000;
    }
    if (!(failure instanceof Refused)) throw failure;
    const reason = log.code(failure.code);
    log.error("token_refresh_failed", "token refresh was refused", { outcome: "refused", reason, status: failure.status });
    if (reason === "invalid_client") {
      log.error("client_credentials_refused", "Pleo refused the client credentials of this application: an operator must configure the current secret", { reason });
    }
    // The refusal speaks of the token that was sent. If the store holds another by now, that one is not judged.
    return this.#end(generation, reason);
  }

  #end(generation, reason) {
    if (!this.#store.end(generation, reason)) return this.#connection().pair.access;
    log.error("authorisation_lost", "the refresh token expired or was revoked: connection unauthenticated, tokens discarded, work is held", { reason });
    log.warn("reauthentication_required", "the user must reauthenticate: reconnect to Pleo at /connect", { reason });
    throw new NotConnected();
  }
}
