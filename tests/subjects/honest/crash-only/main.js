// Exports Pleo's jobs. Crash-only: whatever changes the ground under the workers (access ended, credentials refused, an unknown
// error) is written down, and the process ends; its supervisor starts it again, and the start reads what is written.

import fs from "node:fs";
import path from "node:path";
import { serve } from "./pages.js";
import { tell } from "./notice.js";
import { State } from "./state.js";
import { Worker } from "./worker.js";

export const EX_SOFTWARE = 70;
// What is written down is nobody else's business.
process.umask(0o077);

export function say(level, message) {
  console.log(`${new Date().toISOString()} ${level} ${message}`);
}

/** Ends the process now; it is not for the caller to go on. */
export function crash(why) {
  say("NOTICE", `ending to start afresh: ${why}`);
  process.exit(EX_SOFTWARE);
}

process.on("uncaughtException", (error) => {
  say("ERROR", `unexpected ${error.name} ${error.stack?.split("\n")[1]?.trim() ?? ""}`);
  process.exit(EX_SOFTWARE);
});
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0)); // nothing needs a farewell

const folder = process.env.STATE_DIR;
fs.mkdirSync(path.join(folder, "spool"), { recursive: true, mode: 0o700 });
const state = new State(path.join(folder, "pleo.json"), process.env.SEAL_KEY, process.env);
const worker = new Worker(state, path.join(folder, "spool"), path.join(folder, "booked.jsonl"));

say("INFO", `starting; Pleo: ${state.word()}`);
serve(state, worker, Number(process.env.PORT));
worker.wake();
if (state.untold()) await tell(state);
