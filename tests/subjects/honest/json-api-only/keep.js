// What outlives a restart: held in memory, written as one encrypted file after every change.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";

export class Keep {
  #file;
  #key;
  #writing = Promise.resolve();
  data = { tokens: null, ended: null, exported: {}, subscription: null, settings: { target: "general-ledger", dryRun: false } };

  static async open(file, key) {
    const keep = new Keep();
    keep.#file = file;
    keep.#key = Buffer.from(key, "hex");
    let sealed;
    try {
      sealed = await readFile(file);
    } catch (error) {
      if (error.code === "ENOENT") return keep;
      throw error;
    }
    const cipher = createDecipheriv("aes-256-gcm", keep.#key, sealed.subarray(0, 12));
    cipher.setAuthTag(sealed.subarray(12, 28));
    keep.data = JSON.parse(Buffer.concat([cipher.update(sealed.subarray(28)), cipher.final()]));
    return keep;
  }

  /** Changes the data, and resolves to what `change` returned once that is on disk; nothing is written for `false`. */
  async change(change) {
    const result = change(this.data);
    if (result === false) return false;
    const write = () => this.#write(Buffer.from(JSON.stringify(this.data)));
    this.#writing = this.#writing.then(write, write);
    await this.#writing;
    return result;
  }

  async #write(plain) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    const file = await open(`${this.#file}.part`, "w", 0o600);
    try {
      await file.writeFile(Buffer.concat([nonce, cipher.getAuthTag(), sealed]));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${this.#file}.part`, this.#file);
  }
}
