// What a person sees. Every page says so, and leads to Pleo's consent page, when access must be restored.

// Why access was lost, in the words of the person who must do something about it.
const REASONS = {
  never_connected: "This integration is not connected to Pleo yet.",
  disconnected_by_user: "You disconnected this integration from Pleo.",
  invalid_client:
    "Pleo no longer accepts the credentials of this application. Its operator must renew them; after that, please reconnect to restore access.",
};
const LOST = "Access to Pleo has expired or was revoked. Please reconnect to restore it; your settings and books are kept.";

export function home(connection, here, booked, waiting) {
  const held = waiting > 0 ? ` ${waiting} exports are waiting.` : "";
  const disconnect = connection.reason ? "" : '<form method="post" action="/disconnect"><button>Disconnect</button></form>';
  return page(
    notice(connection, here),
    `<p>${booked} <a href="/books">entries</a> booked.${held}</p><form method="post" action="/export"><button>Export now</button></form>${disconnect}`,
  );
}

export function books(connection, here, entries) {
  const rows = entries.map(({ number, entry }) => `<li>${escaped(number)}: ${escaped(entry)}</li>`);
  return page(notice(connection, here), `<ul>${rows.join("\n")}</ul>`);
}

export function outcome(message, backTo) {
  return page("", `<p>${escaped(message)}</p><p><a href="${escaped(backTo)}">Back</a></p>`);
}

function notice({ reason, problem }, here) {
  if (reason) {
    const link = `<a href="/connect?next=${encodeURIComponent(here)}">Reconnect to Pleo</a>`;
    return `<p role="alert"><strong>${escaped(REASONS[reason] ?? LOST)}</strong> ${link}</p>`;
  }
  if (problem) return '<p role="status">Connected to Pleo, but Pleo refuses our requests: a permission may be missing there.</p>';
  return "<p>Connected to Pleo.</p>";
}

function page(...parts) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Pleo export</title>
<h1><a href="/">Pleo export</a></h1>
${parts.join("\n")}
</html>
`;
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
