// Pleo's export jobs, one by one. What Pleo has confirmed is remembered and not reported again.

import { Unavailable } from "./access.js";
import { log } from "./log.js";

export async function exportEverything(access, keep) {
  const jobs = await list(access, "/v3/export-jobs?statuses=in_progress&statuses=pending");
  for (const job of jobs) await exportJob(access, keep, job);
  log.info({ jobs: jobs.length }, "export done");
  return jobs.length;
}

async function exportJob(access, keep, job) {
  const items = `/v3/export-jobs/${encodeURIComponent(job.id)}/items`;
  if (job.status === "pending") await tell(access, job.id, "started");
  const open = (await list(access, `${items}?limit=100`)).filter((item) => item.status === "pending" || item.status === "in_progress");
  const entries = open.map((item) => item.accountingEntryId).filter((id) => !keep.data.exported[id]);
  for (let at = 0; at < entries.length; at += 100) {
    const batch = entries.slice(at, at + 100);
    const exportedAt = new Date().toISOString();
    const updates = batch.map((id) => ({ accountingEntryId: id, status: "successful", externalId: `GL-${id.slice(0, 8)}`, exportedAt }));
    // 404, 422: the job is over, by its age or by somebody else.
    if ((await access.call("PUT", items, updates, [404, 422])) === null) return log.warn({ job: job.id }, "job is over");
    await keep.change((data) => void batch.forEach((id) => (data.exported[id] = exportedAt)));
  }
  await tell(access, job.id, "completed");
}

const tell = (access, jobId, event) => access.call("POST", "/v3/export-job-events", { jobId, event }, [422]);

async function list(access, path) {
  const all = [];
  for (let after = null; ; ) {
    const page = await access.call("GET", after ? `${path}&after=${encodeURIComponent(after)}` : path);
    if (!Array.isArray(page.data)) throw new Unavailable("a list without data");
    all.push(...page.data);
    if (!page.pagination?.hasNextPage || page.pagination.endCursor === after) return all;
    after = page.pagination.endCursor;
  }
}
