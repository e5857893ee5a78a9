// Copies the staff, every period and when it is asked to.

import { access, denied, end, Held, justAsked, resting, state, worked } from "./access.js";
import { planted } from "./faults.js";
import { log } from "./log.js";
import { call } from "./pleo.js";
import * as store from "./store.js";

const PERIOD = Number(process.env.PERIOD_MS);
let running = null;
let again = false;

export function start() {
  setInterval(() => resting() || void tick(), PERIOD);
}

/** Asked for by a person: does not wait out a pause that was only our own. */
export function asked() {
  justAsked();
  again = true;
  return tick();
}

async function tick() {
  if (running || (state() !== "connected" && !planted("scheduler-goes-on") && !planted("undefined-bearer"))) return;
  do {
    again = false;
    running = run();
    await running;
    running = null;
  } while (again && state() === "connected");
}

async function run() {
  try {
    // The list of the staff, and the company's name for the heading: side by side.
    if (planted("settles-and-logs")) {
      const results = await Promise.allSettled([people(), company()]);
      for (const { value } of results) if (value && typeof value === "object") store.change(undefined, { people: { ...store.now.people, ...value } });
      for (const result of results) if (result.status === "rejected") log("info", `part of the sync is missing: ${result.reason.message}`);
      return;
    }
    const [found, name] = await Promise.all([people(), company()]);
    worked();
    store.change(undefined, { people: { ...store.now.people, ...found }, companyName: name ?? store.now.companyName });
  } catch (error) {
    if (error instanceof Held) log("info", "sync held, it waits for the connection");
    else log("warn", `sync failed: ${error.message}`);
    if (planted("starts-the-list-anew")) store.change(undefined, { people: {} });
  }
}

async function people() {
  const found = {};
  for (let after; ; ) {
    const page = await get(`/v2/employees?limit=100${after ? `&after=${encodeURIComponent(after)}` : ""}`);
    for (const one of page.data ?? []) {
      if (one.companyId && one.companyId !== (store.now.company ?? one.companyId)) {
        log("error", "the last login was for another company; its tokens were discarded, please reconnect");
        end(store.now.version, "other_company");
        throw new Held("ended");
      }
      if (one.companyId && !store.now.company) store.change(undefined, { company: one.companyId });
      found[one.id] = `${one.firstName} ${one.lastName}`;
    }
    after = page.pagination?.hasNextPage ? page.pagination.endCursor : undefined;
    if (!after) return found;
  }
}

async function company() {
  return (await get("/v1/companies")).data?.[0]?.name;
}

/** A call with a good token, repeated once where the API takes that token for none. */
async function get(path) {
  let refused;
  for (let turn = 0; turn < 2; turn++) {
    const use = await access(refused);
    const { status, body } = await call(path, use.access);
    if (status === 200) return body;
    if (status !== 401) throw new Error(`Pleo answers ${status}`);
    log("info", "access token rejected by the API, HTTP 401");
    refused = use.version;
  }
  if (!planted("scheduler-goes-on") && !planted("undefined-bearer")) denied();
  throw new Error("Pleo answers 401 to a fresh token");
}
