// Runs `npm ci` in this folder, or in the one named, unless node_modules was already made from this package-lock.json.
//
// Both examples share it. A stamp inside node_modules holds the lock file it was made from, so that a run in which
// nothing changed costs no package look-up; a lock directory lets two runs start at the same time.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const here = path.resolve(process.argv[2] ?? import.meta.dirname);
const stamp = path.join(here, "node_modules", ".made-from.json");
const lock = path.join(here, ".ensure-modules-lock");
const wanted = `${process.version}\n${fs.readFileSync(path.join(here, "package-lock.json"), "utf8")}`;

const isMade = () => fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === wanted;

/** Whether the lock's owner still runs; a lock that is gone by now has none. */
function isOwned() {
  try {
    return process.kill(Number(fs.readlinkSync(lock)), 0);
  } catch {
    return false;
  }
}

function take() {
  try {
    fs.symlinkSync(String(process.pid), lock); // made and filled in one step, unlike a file
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!isOwned()) fs.rmSync(lock, { force: true }); // left behind by a run that was killed
    return false;
  }
}

async function locked(action) {
  for (let tries = 0; !take(); tries++) {
    if (tries === 300) throw new Error(`${lock} is held by another run`);
    await pause(1000);
  }
  try {
    return action();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

function make() {
  if (isMade()) return;
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) process.exit(1);
  fs.writeFileSync(stamp, wanted);
}

if (!isMade()) await locked(make);
