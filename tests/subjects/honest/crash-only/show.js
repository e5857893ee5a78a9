// Prints the connection for an operator who has the key.
import path from "node:path";
import { State } from "./state.js";

const state = new State(path.join(process.env.STATE_DIR, "pleo.json"), process.env.SEAL_KEY, process.env);
console.log(state.word(), JSON.stringify(state.tokens()));
