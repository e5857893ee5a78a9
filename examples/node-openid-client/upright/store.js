// Everything this integration remembers, in one JSON file. One process writes it, each time as a whole: beside it,
// synced, then renamed over it, so that after kill -9 it is the old one or the new one. (Several processes would need
// a database in its place.)
//
// Tokens and PKCE verifiers are kept encrypted, in memory too; the key comes from the environment and never lies
// beside the data. Superseded and dead ones are in no file once the call that replaced them returns.
//
// `generation` counts every change of the connection. Whoever wants to write the outcome of something slow names the
// generation it started from; if the user reconnected or disconnected meanwhile, nothing is written.

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

export const CONNECTED = "connected";
export const UNAUTHENTICATED = "unauthenticated";

const ATTEMPT_LIFETIME = 600_000; // how long a user may take at Pleo's login and consent pages
const OWNER_ONLY = 0o600;

const EMPTY = {
  connection: { state: UNAUTHENTICATED, reason: "never_connected", problem: null, since: 0, generation: 0, company: null, pair: null },
  attempts: {}, // by the hash of their state: the value itself is only in the user's address bar
  requests: { last: 0, waiting: [] },
  jobs: {}, // "started" or "completed": what Pleo has confirmed
  books: {}, // by accounting entry; `reported` once Pleo has confirmed it
  settings: { series: "B", language: "en" },
};

export class Store {
  #file;
  #key;
  #data;

  constructor(directory, key) {
    this.#file = path.join(directory, "export.json");
    this.#key = Buffer.from(key, "base64");
    // A file that cannot be parsed stops the start: taking it for an empty one would lose everything in it.
    this.#data = fs.existsSync(this.#file) ? JSON.parse(fs.readFileSync(this.#file, "utf8")) : structuredClone(EMPTY);
  }

  // The connection. A pair is { access, refresh, useUntil }; refresh may be null, useUntil null means until refused.

  connection() {
    const { pair, ...connection } = this.#data.connection;
    if (connection.state !== CONNECTED) return { ...connection, pair: null };
    const open = this.#opened(pair);
    // The key was changed or lost: nothing can be read, so nothing can be used. Reconnecting overwrites it.
    return open ? { ...connection, pair: open } : { ...connection, state: UNAUTHENTICATED, reason: "unreadable", problem: null, pair: null };
  }

  /** A user has just given consent: their pair replaces whatever was there. */
  connect(pair, company) {
    const connection = this.#data.connection;
    this.#change({ state: CONNECTED, reason: null, company: company ?? connection.company, pair: this.#sealed(pair) });
  }

  /** Both tokens in one write, or nothing if the connection changed since `generation`. */
  renew(generation, pair) {
    const { state, since, problem } = this.#data.connection;
    if (!this.#isStill(generation)) return false;
    this.#change({ state, since, problem, pair: this.#sealed(pair) });
    return true;
  }

  /** Purges both tokens and marks the connection, unless it changed since `generation`. Everything else stays. */
  end(generation, reason) {
    if (!this.#isStill(generation)) return false;
    this.#change({ state: UNAUTHENTICATED, reason, pair: null });
    return true;
  }

  /** The user's own wish: purges, forgets whose books these are, and hands out the last pair once, for telling Pleo. */
  disconnect() {
    const { pair } = this.connection();
    this.#change({ state: UNAUTHENTICATED, reason: "disconnected_by_user", company: null, pair: null });
    return pair;
  }

  setProblem(problem) {
    const connection = this.#data.connection;
    if (connection.state !== CONNECTED || connection.problem === problem) return;
    connection.problem = problem;
    this.#save();
  }

  // Visits to Pleo's authorise page.

  addAttempt(state, { browser, verifier, backTo }) {
    const now = Date.now();
    const open = Object.entries(this.#data.attempts).filter(([, attempt]) => attempt.made > now - ATTEMPT_LIFETIME);
    this.#data.attempts = Object.fromEntries(open);
    this.#data.attempts[state] = { browser, verifier: this.#seal(verifier), backTo, made: now };
    this.#save();
  }

  /** The attempt with this state, once: a second callback with the same state finds nothing. */
  takeAttempt(state, browser) {
    const attempt = Object.hasOwn(this.#data.attempts, state) ? this.#data.attempts[state] : null;
    if (!attempt || attempt.browser !== browser || attempt.made <= Date.now() - ATTEMPT_LIFETIME) return null;
    delete this.#data.attempts[state];
    this.#save();
    const verifier = this.#open(attempt.verifier);
    return verifier && { verifier, backTo: attempt.backTo };
  }

  // Requests for an export: kept until one that began later has succeeded.

  addRequest() {
    const requests = this.#data.requests;
    requests.waiting.push(++requests.last);
    this.#save();
    return requests.last;
  }

  latestRequest = () => this.#data.requests.last;
  waitingRequests = () => this.#data.requests.waiting.length;

  finishRequests(upTo) {
    const requests = this.#data.requests;
    requests.waiting = requests.waiting.filter((request) => request > upTo);
    this.#save();
  }

  withdrawRequest(withdrawn) {
    const requests = this.#data.requests;
    requests.waiting = requests.waiting.filter((request) => request !== withdrawn);
    this.#save();
  }

  // The users' data.

  jobStage = (job) => this.#data.jobs[job];

  setJobStage(job, stage) {
    this.#data.jobs[job] = stage;
    this.#save();
  }

  /** Books entries; one that is booked already keeps its number. */
  book(job, entries) {
    for (const entry of entries) {
      if (Object.hasOwn(this.#data.books, entry)) continue;
      const number = `${this.#data.settings.series}-${Object.keys(this.#data.books).length + 1}`;
      this.#data.books[entry] = { job, number, bookedAt: new Date().toISOString(), reported: false };
    }
    this.#save();
  }

  booking = (entry) => (Object.hasOwn(this.#data.books, entry) ? this.#data.books[entry] : null);

  setReported(entries) {
    for (const entry of entries) this.#data.books[entry].reported = true;
    this.#save();
  }

  books = () => Object.entries(this.#data.books).map(([entry, { job, number, bookedAt }]) => ({ entry, job, number, bookedAt }));
  settings = () => ({ ...this.#data.settings });

  changeSettings(values) {
    Object.assign(this.#data.settings, values);
    this.#save();
  }

  /** What the file holds, decrypted: for an operator with the key, and for audits of what was really purged. */
  dump() {
    const attempts = Object.values(this.#data.attempts).map((attempt) => ({ ...attempt, verifier: this.#open(attempt.verifier) }));
    return { connection: { ...this.#data.connection, pair: this.#opened(this.#data.connection.pair) }, attempts };
  }

  // Inside.

  #isStill(generation) {
    const connection = this.#data.connection;
    return connection.state === CONNECTED && connection.generation === generation;
  }

  #change(change) {
    const before = this.#data.connection;
    this.#data.connection = { ...before, problem: null, since: Date.now(), ...change, generation: before.generation + 1 };
    this.#save();
  }

  #save() {
    const beside = `${this.#file}.new`;
    const file = fs.openSync(beside, "w", OWNER_ONLY);
    try {
      fs.writeSync(file, JSON.stringify(this.#data));
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(beside, this.#file);
  }

  #sealed = ({ access, refresh, useUntil }) => ({ access: this.#seal(access), refresh: refresh && this.#seal(refresh), useUntil });

  #opened(pair) {
    const access = pair && this.#open(pair.access);
    return access ? { access, refresh: pair.refresh && this.#open(pair.refresh), useUntil: pair.useUntil } : null;
  }

  #seal(text) {
    const iv = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv("aes-256-gcm", this.#key, iv);
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64");
  }

  #open(sealed) {
    const bytes = Buffer.from(sealed, "base64");
    try {
      const decipher = crypto.createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
    } catch {
      return null;
    }
  }
}
