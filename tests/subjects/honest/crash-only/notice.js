// Tells the people in charge, in the chat that they read, that access has ended: once, after the start that finds it so.

import { say } from "./main.js";

const PAUSES = [1_000, 10_000, 60_000];

export async function tell(state) {
  const text = `Pleo has ended our access. Exports wait until you sign in to Pleo again: ${new URL("/sign-in", process.env.REDIRECT_URI)}`;
  const message = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text }) };
  for (const pause of [0, ...PAUSES]) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!state.untold()) return; // somebody was quicker
    try {
      const answer = await fetch(process.env.NOTIFY_URL, { ...message, signal: AbortSignal.timeout(5_000) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      state.told();
      return say("INFO", "the people in charge were told");
    } catch (error) {
      say("WARN", `nobody could be told: ${error.message}`);
    }
  }
}
