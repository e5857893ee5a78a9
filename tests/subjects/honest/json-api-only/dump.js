// Prints what is kept, for an operator who has the key.
import { Keep } from "./keep.js";

console.log(JSON.stringify((await Keep.open(process.env.STATE_FILE, process.env.STATE_KEY)).data, null, 2));
