// Logs: a line of JSON each, in the manner of pino.

const LEVELS = { info: 30, warn: 40, error: 50 };

export function log(level, msg, more = {}) {
  console.log(JSON.stringify({ level: LEVELS[level], time: Date.now(), name: "roster", connection: "pleo", msg, ...more }));
}
