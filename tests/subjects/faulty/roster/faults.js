// The planted defects: small and realistic, one at a time, switched on by the name in DEFECT. The numbers are those of the project's
// collection of failures seen in real integrations and libraries.

const DEFECTS = {
    "settles-and-logs": "F08: gathers results, logs what was rejected, and counts the run as a success",
    "serves-what-it-had": "F09: catches everything and serves what it fetched before",
    "overflowing-timer": "F20: waits for the end of a long-lived token with a timer that overflows, and refreshes at once",
    "refused-is-not-ready": "F27: catches a refusal as a passing fault and tries on at every tick",
    "scheduler-goes-on": "F35: its timer goes on with the token it had",
    "undefined-bearer": "F05: goes on with an undefined token once there is none",
    "drops-the-settings": "F50: writes the whole state anew when the grant ends, without the settings",
    "promise-per-caller": "F80: lets every call refresh for itself",
    "promise-for-ever": "F101: keeps the promise of a failed refresh for ever",
    "no-deadline": "F30: waits for the token endpoint without a deadline",
    "spreads-undefined": "F105: spreads an answer over the stored pair, a missing refresh token included",
    "saves-when-it-stops": "F103: keeps rotated tokens in memory until it is stopped",
    "unhandled-rejection": "F07: leaves a rejected refresh unhandled, which ends the process",
    "status-from-the-token": "F55: says connected as long as there was ever a token",
    "starts-the-list-anew": "F119: replaces its list by what a failed fetch brought",
    "prints-the-error-object": "F134: prints the error object of a refused refresh with the request in it",
    "says-nothing": "F133: logs nothing of refusals",
    "a-bare-failure": "F132: logs that a refresh failed and what it does then, never why",
    "tells-everybody-always": "F65: posts that access has ended again whenever a list is asked for without it",
    "ends-with-its-caller": "F121: a signal of the request that asks for a list reaches down to the refresh, and breaks it off when the caller hangs up",
    "saves-for-its-caller": "F121: gives up between the answer to a refresh and its saving when the caller has hung up",
    "keeps-prompting": "F65: asks to restore access until it is started anew, once it was lost",
    "hammers": "F108: repeats a failed refresh twenty times without a pause",
};

const name = process.env.DEFECT ?? "";
if (name && !(name in DEFECTS)) {
  console.error(`there is no defect named ${name}`);
  process.exit(2);
}

export function planted(defect) {
  if (!(defect in DEFECTS)) throw new Error(defect);
  return defect === name;
}
