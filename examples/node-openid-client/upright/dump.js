// Prints the stored connection with its tokens decrypted: for an operator with the key.
import { Store } from "./store.js";

console.log(JSON.stringify(new Store(process.env.DATA_DIR, process.env.STORE_KEY).dump(), null, 1));
