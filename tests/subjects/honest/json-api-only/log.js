// Lines as pino writes them: numbers for levels, milliseconds for time.

import { hostname } from "node:os";

const levels = { info: 30, warn: 40, error: 50, fatal: 60 };
const write = (level, fields, msg) =>
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), pid: process.pid, hostname: hostname(), ...fields, msg })}\n`);

export const log = Object.fromEntries(
  Object.entries(levels).map(([name, level]) => [name, (first, msg) => (typeof first === "string" ? write(level, {}, first) : write(level, first, msg))]),
);
