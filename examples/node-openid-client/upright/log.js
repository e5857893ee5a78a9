// One JSON object per line, so that people and monitoring read the same thing.
//
// Only words that this program chose are logged: no exception texts and no error descriptions, because providers and
// libraries put request bodies and whole tokens into them.

const write = (level) => (event, message, details = {}) =>
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, connection: "pleo", ...details, message })}\n`);

export const info = write("info");
export const warn = write("warning");
export const error = write("error");

/** An error code from outside, cut down to what a code can be: anything longer or richer may be somebody's token. */
export const code = (text) => (/^[a-z_]{1,32}$/.test(text) ? text : "unrecognised");
