//! Which of several instances of the subject is calling: the one that was given the address at which its connection came in.

use std::collections::BTreeMap;

use regrant_mock_server::journal::Conn;

use crate::evidence::Instance;

/// Connections that are remembered; more are open only in a flood.
const OPEN: usize = 20_000;

/// The provider's addresses, each known to one instance, and the connections that came in there.
#[derive(Debug, Default)]
pub(super) struct Callers {
    doors: BTreeMap<u16, Instance>,
    connections: BTreeMap<Conn, Instance>,
}

impl Callers {
    /// The ports that the first instance knows, then those of the second, and so on.
    pub(super) fn at(ports: impl IntoIterator<Item = Vec<u16>>) -> Self {
        let doors = ports.into_iter().zip(0..).flat_map(|(ports, instance)| ports.into_iter().map(move |port| (port, instance)));
        Self { doors: doors.collect(), connections: BTreeMap::new() }
    }

    /// A connection came in at a port.
    pub(super) fn came(&mut self, conn: Conn, port: u16) {
        let Some(instance) = self.doors.get(&port) else { return };
        self.connections.insert(conn, *instance);
        if self.connections.len() > OPEN {
            self.connections.pop_first();
        }
    }

    /// Whose connection it is; none: that cannot be told.
    pub(super) fn of(&self, conn: Conn) -> Option<Instance> {
        self.connections.get(&conn).copied()
    }
}
