// The work: exports what Pleo lists to our books and tells Pleo. One run at a time, as Pleo asks of exports. Requests
// for it are durable, held while there is no access, and done once after.

import { NotConnected } from "./connection.js";
import * as log from "./log.js";
import { Unavailable } from "./pleo.js";
import { CONNECTED } from "./store.js";

const BATCH = 100; // Pleo takes no more items in one update

// Refreshes without a single good answer after which the API, not the token, is taken to be at fault. The second one
// is for a grant that ended while the first was on its way: it is refused, and then everybody knows.
const FRUITLESS_REFRESHES = 2;

/** The API answers 401 or 403 whatever token it is shown. */
export class ApiRefuses extends Error {
  constructor(status) {
    super("the API refuses");
    this.status = status;
  }
}

/** Pleo no longer takes anything for this job: it expired, was cancelled or is unknown. */
class JobGone extends Error {}

export class Work {
  #store;
  #tokens;
  #pleo;
  #running = Promise.resolve();
  #next = null;

  constructor(store, tokens, pleo) {
    this.#store = store;
    this.#tokens = tokens;
    this.#pleo = pleo;
  }

  /** Asks for one export and waits a little for its end: what became of it, and details. */
  async request(patience) {
    const request = this.#store.addRequest();
    if (this.#store.connection().state !== CONNECTED) return { outcome: "held" };
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, patience, { outcome: "running" })));
    try {
      return await Promise.race([this.#schedule().then((jobs) => ({ outcome: "done", jobs })), late]);
    } catch (failure) {
      if (failure instanceof NotConnected) return { outcome: "held" };
      // Refused in the open rather than accepted and forgotten.
      this.#store.withdrawRequest(request);
      if (failure instanceof Unavailable) return { outcome: "unavailable", retryAfter: failure.retryAfter };
      if (failure instanceof ApiRefuses) return { outcome: "api_refuses", status: failure.status };
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Does what was held: after a reconnection, and at a start after a crash. One run serves all that wait. */
  resume() {
    const waiting = this.#store.waitingRequests();
    if (waiting === 0 || this.#store.connection().state !== CONNECTED) return;
    log.info("work_resumed", "doing the work that was held", { requests: waiting });
    this.#schedule().catch(() => {}); // logged where it failed; the requests still wait
  }

  // Inside.

  /** The run after the one that is going on: that one may have read its list already. All who ask meanwhile share it. */
  #schedule() {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#running = this.#next;
        this.#next = null;
        return this.#run();
      });
    this.#next.catch(() => {}); // whoever waits sees it; nobody waiting is no crash
    return this.#next;
  }

  async #run() {
    const served = this.#store.latestRequest();
    try {
      const jobs = await new Run(this.#store, this.#tokens, this.#pleo).exportJobs();
      this.#store.finishRequests(served);
      log.info("export_done", "export jobs done", { jobs });
      return jobs;
    } catch (failure) {
      if (failure instanceof NotConnected) log.info("export_held", "not connected: the export waits for a reconnection");
      else if (failure instanceof Unavailable) log.warn("export_failed", "Pleo could not be reached or did not answer properly", { reason: failure.reason });
      else if (failure instanceof ApiRefuses) log.error("export_failed", "the API refuses although the token was just refreshed", { reason: `status_${failure.status}` });
      else log.error("export_failed", "unexpected error", { reason: failure?.name });
      throw failure;
    }
  }
}

/** One run; it counts its own refreshes. */
class Run {
  #store;
  #tokens;
  #pleo;
  #fruitless = 0;

  constructor(store, tokens, pleo) {
    this.#store = store;
    this.#tokens = tokens;
    this.#pleo = pleo;
  }

  async exportJobs() {
    // Those in progress are ours, left by an interruption: they go on where they stopped.
    const jobs = await this.#list("/v3/export-jobs?statuses=in_progress&statuses=pending");
    for (const job of jobs) {
      try {
        await this.#exportJob(job);
      } catch (failure) {
        if (!(failure instanceof JobGone)) throw failure;
        log.warn("job_gone", "Pleo ended this job meanwhile, the next ones go on", { job: job.id });
      }
    }
    return jobs.length;
  }

  async #exportJob(job) {
    if (job.status === "pending" && !this.#store.jobStage(job.id)) await this.#tell(job.id, "started");
    const items = await this.#list(`/v3/export-jobs/${encodeURIComponent(job.id)}/items`);
    const open = items.filter((item) => ["pending", "in_progress"].includes(item.status)).map((item) => item.accountingEntryId);
    // Booked first: what Pleo is told must be true. Booking an entry again changes nothing.
    this.#store.book(job.id, open);
    // What Pleo has confirmed once is not reported again.
    const unreported = open.filter((entry) => !this.#store.booking(entry).reported);
    let failed = items.some((item) => item.status === "failed");
    for (let start = 0; start < unreported.length; start += BATCH) {
      failed = (await this.#report(job.id, unreported.slice(start, start + BATCH))) || failed;
    }
    await this.#tell(job.id, failed ? "completed_with_errors" : "completed");
  }

  /** Whether Pleo took exception to some of them. */
  async #report(job, entries) {
    const updates = entries.map((entry) => {
      const { number, bookedAt } = this.#store.booking(entry);
      return { accountingEntryId: entry, status: "successful", externalId: number, exportedAt: bookedAt };
    });
    const { body } = await this.#call("PUT", `/v3/export-jobs/${encodeURIComponent(job)}/items`, updates);
    const wrong = new Set((body?.errors ?? []).map((error) => error.accountingEntryId));
    this.#store.setReported(entries.filter((entry) => !wrong.has(entry)));
    return wrong.size > 0;
  }

  async #tell(job, event) {
    const { status } = await this.#call("POST", "/v3/export-job-events", { jobId: job, event }, [422]);
    // 422: the job is already past that event, perhaps by a report of ours whose answer was lost.
    if (status === 422) log.warn("job_event_refused", "Pleo did not accept the event for this job", { job, job_event: event });
    this.#store.setJobStage(job, event === "started" ? "started" : "completed");
  }

  async #list(path) {
    const all = [];
    const seen = new Set();
    for (let after = ""; ; ) {
      const { body } = await this.#call("GET", after ? `${path}${path.includes("?") ? "&" : "?"}after=${encodeURIComponent(after)}` : path);
      if (!Array.isArray(body?.data)) throw new Unavailable("api_answer_unreadable");
      all.push(...body.data);
      after = body.pagination?.endCursor;
      // A cursor that comes back would make this loop endless.
      if (!body.pagination?.hasNextPage || !after || seen.has(after)) return all;
      seen.add(after);
    }
  }

  async #call(method, path, body, expected = []) {
    for (let rejected = null; ; ) {
      const { token, refreshed } = await this.#tokens.current(rejected);
      if (refreshed) this.#fruitless += 1;
      const answer = await this.#pleo.call(token, method, path, body);
      if (answer.status !== 401 && answer.status !== 403) return this.#accepted(path, answer, expected);
      if (this.#isSettled(answer.status)) throw new ApiRefuses(answer.status);
      // The clock may say that the token is good: Pleo's word counts. Pleo did not act on the call, so it is repeated.
      log.info("access_token_rejected", "the API rejected the access token", { status: answer.status });
      rejected = token;
    }
  }

  #accepted(path, answer, expected) {
    const good = answer.status >= 200 && answer.status < 300;
    if (!good && path.startsWith("/v3/export-jobs/") && [404, 422].includes(answer.status)) throw new JobGone();
    if (!good && !expected.includes(answer.status)) throw new Unavailable(`api_status_${answer.status}`, answer.retryAfter);
    this.#fruitless = 0;
    this.#store.setProblem(null);
    return answer;
  }

  /** Whether another refresh is pointless. A 403 may be a sign of a lost grant, but mostly it is a missing right. */
  #isSettled(status) {
    const known = this.#store.connection().problem === "forbidden";
    if (status === 403 && (known || this.#fruitless >= 1)) {
      this.#store.setProblem("forbidden");
      return true;
    }
    if (this.#fruitless < FRUITLESS_REFRESHES) return false;
    this.#store.setProblem("api_refuses");
    return true;
  }
}
