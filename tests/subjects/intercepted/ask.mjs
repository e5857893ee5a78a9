// Prints the status of a GET to each address given. Node before 22.21 knows nothing of proxies: the tunnel is made by hand.
import http from "node:http";
import https from "node:https";

const proxy = new URL(process.env.HTTPS_PROXY);

const tunnel = (host) =>
  new Promise((resolve, reject) => {
    const asked = http.request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: `${host}:443`, agent: false });
    asked.on("connect", (answer, socket) => (answer.statusCode === 200 ? resolve(socket) : reject(new Error(`${answer.statusCode}`))));
    asked.on("error", reject).end();
  });

for (const address of process.argv.slice(2)) {
  const url = new URL(address);
  const socket = await tunnel(url.hostname);
  await new Promise((resolve, reject) => {
    const asked = https.get(url, { socket, agent: false }, (answer) => {
      console.log(answer.statusCode);
      answer.resume().on("end", resolve);
    });
    asked.on("error", reject);
  });
}
