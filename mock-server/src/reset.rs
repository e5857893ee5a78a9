//! Back to the start, without starting anew: for a test that wants to find nothing of the one before it.

use std::time::Duration;

use regrant_authority::{Client, Secret, Time};

use crate::{Control, control::Action, front::Store, mint::Source};

impl Control {
    /// Ends a story that was loaded, forgets all grants and tokens, subscriptions and the webhooks under way, rules, gates (what they hold is dropped), pending pages, work and the journal, and puts clock,
    /// policy, consent and token shape back to what they were at the start. Clients stay, with their secrets.
    ///
    /// Numbers of journal lines, connections and exchanges go on; grants count from 1 again.
    pub fn reset(&self) {
        let shared = &self.shared;
        shared.telling.end(self);
        let mut state = shared.state();
        let ahead = shared.clock.ahead();
        let clients: Vec<Client> =
            state.clients.iter().filter_map(|id| state.authority.client(id)).map(|client| client_after(client, ahead)).collect();
        state.authority.forget_grants();
        *state.authority.policy_mut() = shared.config.policy.clone();
        clients.into_iter().for_each(|client| state.authority.register(client));
        state.vault.forget_grants();
        state.rules.clear();
        state.consent = shared.config.consent;
        state.company = 0;
        state.tickets.clear();
        state.source.set_shape(crate::TokenShape::default());
        // From the seed again, so that companies and employees keep their ids.
        state.store = Store::new(&mut Source::new(shared.seed));
        shared.deliveries.end();
        shared.gates.drop_all();
        shared.clock.reset();
        shared.journal.clear();
        self.told(Action::Reset);
    }

    /// Why the file that the journal is written to is not complete; `None`: it is, or there is none.
    #[must_use]
    pub fn journal_trouble(&self) -> Option<String> {
        self.shared.tenants.as_ref().and_then(|tenants| tenants.file_trouble()).map(str::to_owned)
    }
}

/// A client once the clock has gone back by `ahead`: its secrets are as good, and for as long, as they would have been.
fn client_after(client: &Client, ahead: Duration) -> Client {
    let back = |time: Time| Time(time.0.saturating_sub(u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX)));
    let moved = |secret: &Secret| Secret { from: back(secret.from), until: secret.until.map(back), ..secret.clone() };
    Client { secrets: client.secrets.iter().map(moved).collect(), ..client.clone() }
}
