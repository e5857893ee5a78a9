// Works off the spool: one file for each export that was asked for. All that wait are served by one export.

import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { crash, say } from "./main.js";
import { call, Denied, Nothing, Pointless, renew } from "./pleo.js";

const EARLY = 30_000;
const PAUSES = [500, 2_000, 8_000];

export class Worker {
  #state;
  #spool;
  #booked;
  #running = false;
  #renewing = null;

  constructor(state, spool, booked) {
    this.#state = state;
    this.#spool = spool;
    this.#booked = booked;
  }

  /** Takes a request on; once this returns it survives everything. */
  accept() {
    const name = path.join(this.#spool, `${Date.now()}-${randomUUID()}`);
    fs.writeFileSync(`${name}.new`, "");
    fs.renameSync(`${name}.new`, `${name}.job`);
    this.wake();
  }

  waiting() {
    return fs.readdirSync(this.#spool).filter((name) => name.endsWith(".job"));
  }

  /** Begins to work if there is something to do and a way to do it. */
  wake() {
    if (this.#running || this.#state.word() !== "working" || this.waiting().length === 0) return;
    this.#running = true;
    this.#work().finally(() => {
      this.#running = false;
    });
  }

  async #work() {
    for (let failures = 0; this.#state.word() === "working"; ) {
      const serving = this.waiting();
      if (serving.length === 0) return;
      try {
        await this.#export();
      } catch (error) {
        if (!(error instanceof Nothing)) throw error;
        if (failures === PAUSES.length || error instanceof Pointless) {
          say("WARN", `export put off until the next request: ${error.message}`);
          return;
        }
        const pause = Math.max(PAUSES[failures++], error.wait);
        say("WARN", `export failed: ${error.message}; again in ${pause} ms`);
        await new Promise((resolve) => setTimeout(resolve, pause));
        continue;
      }
      for (const name of serving) fs.rmSync(path.join(this.#spool, name));
      say("INFO", `export done for ${serving.length} request(s)`);
      failures = 0;
    }
  }

  async #export() {
    for (const job of await this.#list("/v3/export-jobs?statuses=pending&statuses=in_progress")) {
      if (job.status === "pending") await this.#api("POST", "/v3/export-job-events", { jobId: job.id, event: "started" });
      const address = `/v3/export-jobs/${encodeURIComponent(job.id)}/items`;
      const open = (await this.#list(`${address}?limit=100`)).filter((item) => ["pending", "in_progress"].includes(item.status));
      const booked = this.booked();
      for (const { accountingEntryId: entry } of open) if (!booked.has(entry)) fs.appendFileSync(this.#booked, `${JSON.stringify({ entry })}\n`);
      for (let at = 0; at < open.length; at += 100) {
        const updates = open.slice(at, at + 100).map((item) => ({ accountingEntryId: item.accountingEntryId, status: "successful" }));
        await this.#api("PUT", address, updates);
      }
      await this.#api("POST", "/v3/export-job-events", { jobId: job.id, event: "completed" });
    }
  }

  booked() {
    const text = fs.existsSync(this.#booked) ? fs.readFileSync(this.#booked, "utf8") : "";
    return new Set(text.split("\n").filter(Boolean).map((line) => JSON.parse(line).entry));
  }

  async #list(address) {
    const all = [];
    for (let next = address; next; ) {
      const page = await this.#api("GET", next);
      if (!Array.isArray(page?.data)) throw new Nothing("a list that is none");
      all.push(...page.data);
      next = page.pagination?.hasNextPage && `${address}&after=${encodeURIComponent(page.pagination.endCursor)}`;
    }
    return all;
  }

  async #api(method, address, body) {
    let access = await this.access();
    let answer = await call(access, method, address, body);
    if (answer.status === 401) {
      answer = await call(await this.access(access), method, address, body);
      if (answer.status === 401) throw new Pointless("Pleo said 401 to a new token");
    }
    // A job that ended meanwhile is no trouble.
    if (answer.status >= 300 && !(method !== "GET" && answer.status === 422)) throw new Nothing(`Pleo said ${answer.status}`);
    return answer.body;
  }

  /** A token that Pleo has not rejected. */
  async access(rejected) {
    const tokens = this.#state.tokens();
    if (!tokens) throw new Nothing("nobody is signed in");
    const over = tokens.until && tokens.until - EARLY < Date.now();
    if (!over && tokens.access !== rejected) return tokens.access;
    this.#renewing ??= this.#renew(tokens).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renew(old) {
    say("INFO", "token refresh begins");
    let fresh;
    try {
      fresh = await renew(old.refresh);
    } catch (error) {
      if (!(error instanceof Denied)) {
        say("WARN", `token refresh failed for now: ${error.message}`);
        throw error;
      }
      say("ERROR", `token refresh failed: ${error.code} (status ${error.status})`);
      if (error.code === "invalid_client") {
        this.#state.refuseClient();
        say("ERROR", "Pleo refuses our client credentials; they have to be configured anew");
        crash("client credentials refused");
      }
      if (!this.#state.end(old.version, error.code)) throw new Nothing("the connection changed meanwhile");
      say("ERROR", "the grant was revoked or has expired; its tokens are deleted");
      say("ERROR", "reauthentication required: the home page asks the user to sign in");
      crash("access ended");
    }
    if (!this.#state.rotate(old.version, fresh)) throw new Nothing("the connection changed meanwhile");
    say("INFO", "token refresh done");
    return fresh.access;
  }
}
