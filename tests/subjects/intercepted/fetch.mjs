// As far as it needs to go: the callback fetches from Pleo, and fetch does not know of the proxy.
import http from "node:http";

const authorize = new URL("https://auth.pleo.io/oauth/authorize");
const { CLIENT_ID: client_id, REDIRECT_URI: redirect_uri, PORT } = process.env;
// The challenge of RFC 7636 appendix B: nothing is ever exchanged.
const code_challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

http
  .createServer(async (request, response) => {
    if (request.url === "/connect") {
      authorize.search = new URLSearchParams({ response_type: "code", client_id, redirect_uri, state: "a-state-of-this-test", code_challenge, code_challenge_method: "S256" });
      return response.writeHead(302, { location: authorize.href }).end();
    }
    if (request.url.startsWith("/callback")) {
      const answer = await fetch("https://auth.pleo.io/oauth/token", { method: "POST" }).catch((error) => error);
      return response.writeHead(answer.ok ? 200 : 502).end();
    }
    response.end("ok");
  })
  .listen(Number(PORT), "127.0.0.1");
