// The connection on disk. Every change is a new file in place of the old one.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import fs from "node:fs";

export class State {
  #file;
  #key;
  #credentials;

  constructor(file, key, env) {
    this.#file = file;
    this.#key = Buffer.from(key, "base64");
    // Which credentials were refused is remembered, not what they were.
    this.#credentials = createHash("sha256").update(`${env.CLIENT_ID}:${env.CLIENT_SECRET}`).digest("hex").slice(0, 16);
  }

  #read() {
    try {
      return JSON.parse(fs.readFileSync(this.#file, "utf8"));
    } catch (error) {
      if (error.code === "ENOENT") return { version: 0 };
      throw error;
    }
  }

  #write(next) {
    const draft = `${this.#file}.draft`;
    const handle = fs.openSync(draft, "w", 0o600);
    fs.writeSync(handle, JSON.stringify(next, null, 2));
    fs.fsyncSync(handle);
    fs.closeSync(handle);
    fs.renameSync(draft, this.#file);
  }

  /** "none", "working", "ended" or "refused-client". */
  word() {
    const now = this.#read();
    if (!now.tokens) return now.ended ? "ended" : "none";
    return now.refusedClient === this.#credentials ? "refused-client" : "working";
  }

  /** The tokens and the version they have; null where there are none. */
  tokens() {
    const { tokens, version } = this.#read();
    return tokens ? { ...JSON.parse(this.#open(tokens)), version } : null;
  }

  /** A user signed in. */
  begin(tokens) {
    this.#write({ version: this.#read().version + 1, since: new Date().toISOString(), tokens: this.#seal(JSON.stringify(tokens)) });
  }

  /** New tokens in place of those of this version; false if those are gone. */
  rotate(version, tokens) {
    const now = this.#read();
    if (now.version !== version || !now.tokens) return false;
    this.#write({ ...now, version: version + 1, tokens: this.#seal(JSON.stringify(tokens)) });
    return true;
  }

  end(version, reason) {
    const now = this.#read();
    if (now.version !== version) return false;
    this.#write({ version: version + 1, ...(reason && { ended: { reason, at: new Date().toISOString() } }) });
    return true;
  }

  /** That access ended, and nobody was told of it yet. */
  untold() {
    const { ended } = this.#read();
    return Boolean(ended) && !ended.told;
  }

  told() {
    const now = this.#read();
    if (now.ended) this.#write({ ...now, ended: { ...now.ended, told: true } });
  }

  refuseClient() {
    this.#write({ ...this.#read(), refusedClient: this.#credentials });
  }

  #seal(text) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("chacha20-poly1305", this.#key, nonce, { authTagLength: 16 });
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
  }

  #open(text) {
    const raw = Buffer.from(text, "base64");
    const cipher = createDecipheriv("chacha20-poly1305", this.#key, raw.subarray(0, 12), { authTagLength: 16 });
    cipher.setAuthTag(raw.subarray(12, 28));
    return Buffer.concat([cipher.update(raw.subarray(28)), cipher.final()]).toString("utf8");
  }
}
