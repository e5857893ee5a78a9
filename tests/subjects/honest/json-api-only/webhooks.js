// Pleo tells of new export jobs: who asks it to, and whether a message is Pleo's (Standard Webhooks).

import { createHmac, timingSafeEqual } from "node:crypto";
import { log } from "./log.js";

const EVENT = "v1.export-job.created";
const TOLERANCE = 300; // seconds that a message may be old, or early
const PREFIX = "whsec_";

/** Subscribes to new export jobs, once; a subscription outlives the grant under which it was made. */
export async function subscribe(access, keep, endpointUrl) {
  const all = (await access.call("GET", `/v1/subscriptions?status=ACTIVE&event_types=${EVENT}`)).data ?? [];
  let own = all.find((one) => one.endpointUrl === endpointUrl);
  own ??= (await access.call("POST", "/v1/subscriptions", { endpointUrl, eventTypes: [EVENT] })).data;
  if (keep.data.subscription?.id === own.id) return;
  const { secretKey } = (await access.call("GET", `/v1/subscriptions/${encodeURIComponent(own.id)}/secret`)).data;
  await keep.change((data) => void (data.subscription = { id: own.id, secret: secretKey }));
  log.info("subscribed to new export jobs");
}

/** Whether a message is signed with the secret, and was sent not long ago. */
export function isPleos(secret, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures } = headers;
  if (!secret?.startsWith(PREFIX) || !id || !signatures) return false;
  if (!/^\d{1,12}$/.test(time ?? "") || Math.abs(Date.now() / 1000 - Number(time)) > TOLERANCE) return false;
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const good = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.startsWith("v1,") ? signature.slice(3) : "", "base64");
    return given.length === good.length && timingSafeEqual(given, good);
  });
}
