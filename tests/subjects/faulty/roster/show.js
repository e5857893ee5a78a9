// Prints the connection for an operator who has the key.

import { now } from "./store.js";

console.log(now.state, JSON.stringify(now.tokens ?? {}));
