// oidc-provider on the port of the first argument, rotating refresh tokens; as many of them as the third argument says are
// made beforehand and written, one a line, to the file that the second argument names.
//
// Its own in-memory store keeps a list of every token of a grant and walks it at each refresh, so that a long chain gets
// slower with every link. That is a store for trying things out, and no fair opponent; this one has a map.

import fs from "node:fs";
import { Provider } from "oidc-provider";

class Store {
  static entries = new Map();

  constructor(kind) {
    this.kind = kind;
  }

  async upsert(id, payload) {
    Store.entries.set(`${this.kind}:${id}`, payload);
  }

  async find(id) {
    return Store.entries.get(`${this.kind}:${id}`);
  }

  async consume(id) {
    const entry = Store.entries.get(`${this.kind}:${id}`);
    if (entry) entry.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    Store.entries.delete(`${this.kind}:${id}`);
  }

  async revokeByGrantId() {}
}

const [, , port, file, count] = process.argv;
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: Store,
  clients: [
    {
      client_id: "bench",
      client_secret: "bench-secret",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1:9/callback"],
    },
  ],
  rotateRefreshToken: true,
  scopes: ["openid", "offline_access", "api"],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: { devInteractions: { enabled: false } },
});

const client = await provider.Client.find("bench");
const tokens = [];
for (let i = 0; i < Number(count); i++) {
  const grant = new provider.Grant({ accountId: `user${i}`, clientId: "bench" });
  grant.addOIDCScope("offline_access api");
  const grantId = await grant.save();
  const token = new provider.RefreshToken({ accountId: `user${i}`, client, grantId, gty: "authorization_code", scope: "offline_access api" });
  tokens.push(await token.save());
}
fs.writeFileSync(file, tokens.join("\n"));
provider.listen(Number(port), "127.0.0.1");
