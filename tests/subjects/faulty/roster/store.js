// What is kept: the connection with its tokens sealed, the roster, the settings. One JSON file, replaced whole.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { planted } from "./faults.js";

const FILE = path.join(process.env.STATE_DIR, "roster.json");
const KEY = createHash("sha256").update(process.env.SEAL_KEY).digest();

function seal(text) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", KEY, nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
}

function open(text) {
  const raw = Buffer.from(text, "base64");
  const cipher = createDecipheriv("aes-256-gcm", KEY, raw.subarray(0, 12));
  cipher.setAuthTag(raw.subarray(12, 28));
  return Buffer.concat([cipher.update(raw.subarray(28)), cipher.final()]).toString("utf8");
}

function read() {
  if (!fs.existsSync(FILE)) return { state: "new", version: 0, people: {}, settings: { sort: "name", team: randomBytes(3).toString("hex") } };
  const kept = JSON.parse(fs.readFileSync(FILE, "utf8"));
  return { ...kept, tokens: kept.tokens ? JSON.parse(open(kept.tokens)) : undefined };
}

/** The state as it is; changed by `change` only. */
export let now = read();
// What a planted defect has on disk.
let saved = now.tokens;

function write(next) {
  const text = JSON.stringify({ ...next, tokens: next.tokens ? seal(JSON.stringify(next.tokens)) : undefined }, null, 1);
  fs.writeFileSync(`${FILE}.new`, text, { mode: 0o600, flush: true });
  fs.renameSync(`${FILE}.new`, FILE);
}

/** Changes the state, and with `version` only if its tokens are still those; all in one turn of the event loop. */
export function change(version, fields, toDisk = true) {
  if (version !== undefined && version !== now.version) return false;
  now = { ...now, ...fields, version: "tokens" in fields ? now.version + 1 : now.version };
  if (toDisk) {
    if ("tokens" in fields) saved = now.tokens;
    write(planted("saves-when-it-stops") ? { ...now, tokens: saved } : now);
  }
  return true;
}

export function flush() {
  if (planted("saves-when-it-stops")) write(now);
}

if (!fs.existsSync(FILE)) write(now);
