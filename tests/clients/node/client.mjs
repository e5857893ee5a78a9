// Connects, refreshes twice and is refused, with the library named by the argument.

import { once } from "node:events";

const { AUTHORIZE_URL, TOKEN_URL, API_URL, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SCOPES } = process.env;

/** What the user's browser is sent back with. */
async function consent(url) {
  const answer = await fetch(url, { redirect: "manual" });
  if (answer.status !== 302) throw new Error(await answer.text());
  return new URL(answer.headers.get("location"));
}

async function call(token) {
  return (await fetch(`${API_URL}/v2/employees`, { headers: { authorization: `Bearer ${token}` } })).status;
}

/** The story that all libraries tell: `refresh` takes the last pair and gives the next. */
async function story(first, refresh, access, codeOf) {
  const calls = [await call(access(first))];
  let pair = first;
  for (let turn = 0; turn < 2; turn++) {
    pair = await refresh(pair);
    calls.push(await call(access(pair)));
  }
  console.log('{"waits": "revocation"}');
  await once(process.stdin, "data");
  try {
    await refresh(pair);
    return { calls, error: null, surfaced_as: "nothing was refused" };
  } catch (error) {
    return { calls, error: codeOf(error), surfaced_as: error.constructor.name };
  }
}

const libraries = {
  async "openid-client"() {
    const client = await import("openid-client");
    const server = { issuer: new URL(API_URL).href, authorization_endpoint: AUTHORIZE_URL, token_endpoint: TOKEN_URL };
    const config = new client.Configuration(server, CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET));
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT_URI,
      scope: SCOPES,
      state: expectedState,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
    });
    const first = await client.authorizationCodeGrant(config, await consent(url), { pkceCodeVerifier, expectedState });
    const refresh = (pair) => client.refreshTokenGrant(config, pair.refresh_token);
    return story(first, refresh, (pair) => pair.access_token, (error) => error.error);
  },

  async "simple-oauth2"() {
    const { AuthorizationCode } = await import("simple-oauth2");
    const { createHash, randomBytes } = await import("node:crypto");
    const [token, authorize] = [new URL(TOKEN_URL), new URL(AUTHORIZE_URL)];
    const client = new AuthorizationCode({
      client: { id: CLIENT_ID, secret: CLIENT_SECRET },
      auth: { tokenHost: token.origin, tokenPath: token.pathname, authorizeHost: authorize.origin, authorizePath: authorize.pathname },
      options: { authorizationMethod: "body" },
    });
    // It knows nothing of PKCE, and passes on what it is given.
    const code_verifier = randomBytes(32).toString("base64url");
    const state = randomBytes(16).toString("base64url");
    const url = client.authorizeURL({
      redirect_uri: REDIRECT_URI,
      scope: SCOPES,
      state,
      code_challenge: createHash("sha256").update(code_verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    const back = (await consent(url)).searchParams;
    if (back.get("state") !== state) throw new Error("another state came back");
    const first = await client.getToken({ code: back.get("code"), redirect_uri: REDIRECT_URI, code_verifier });
    return story(first, (pair) => pair.refresh(), (pair) => pair.token.access_token, (error) => error.data.payload.error);
  },

  async arctic() {
    const { CodeChallengeMethod, OAuth2Client, generateCodeVerifier, generateState } = await import("arctic");
    const client = new OAuth2Client(CLIENT_ID, CLIENT_SECRET, REDIRECT_URI);
    const [state, verifier, scopes] = [generateState(), generateCodeVerifier(), SCOPES.split(" ")];
    const url = client.createAuthorizationURLWithPKCE(AUTHORIZE_URL, state, CodeChallengeMethod.S256, verifier, scopes);
    const back = (await consent(url)).searchParams;
    if (back.get("state") !== state) throw new Error("another state came back");
    const first = await client.validateAuthorizationCode(TOKEN_URL, back.get("code"), verifier);
    const refresh = (pair) => client.refreshAccessToken(TOKEN_URL, pair.refreshToken(), scopes);
    return story(first, refresh, (pair) => pair.accessToken(), (error) => error.code);
  },

  async "@badgateway/oauth2-client"() {
    const { OAuth2Client, generateCodeVerifier } = await import("@badgateway/oauth2-client");
    const client = new OAuth2Client({
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      authorizationEndpoint: AUTHORIZE_URL,
      tokenEndpoint: TOKEN_URL,
      // What it does unasked encodes the colons of a secret and nothing else, which is neither the RFC's form nor the raw one.
      authenticationMethod: "client_secret_basic",
    });
    const [codeVerifier, state] = [await generateCodeVerifier(), crypto.randomUUID()];
    const asked = { redirectUri: REDIRECT_URI, state, codeVerifier };
    const url = await client.authorizationCode.getAuthorizeUri({ ...asked, scope: SCOPES.split(" ") });
    const first = await client.authorizationCode.getTokenFromCodeRedirect(await consent(url), asked);
    return story(first, (pair) => client.refreshToken(pair), (pair) => pair.accessToken, (error) => error.oauth2Code);
  },
};

const told = await libraries[process.argv[2]]();
console.log(JSON.stringify(told));
process.exit();
