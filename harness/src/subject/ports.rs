//! Ports for subjects, leased below the ephemeral range so that no outgoing connection takes them meanwhile.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
};

use note::Note;

/// How many ports are tried before giving up.
const ATTEMPTS: u32 = 400;
/// Below are the ports that services are known by.
const LOWEST: u16 = 10_000;
/// Where the ephemeral range begins on systems that do not say (IANA).
const USUAL_EPHEMERAL: u16 = 49_152;

/// No port could be leased.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// All that were tried are taken.
    #[error("no free port between {low} and {high}; remedy: lower --jobs, or end what listens there")]
    NoneFree {
        /// Lowest port tried.
        low: u16,
        /// Highest port tried.
        high: u16,
    },
    /// Leases cannot be written down.
    #[error("leases of ports cannot be kept: {source}; remedy: set TMPDIR to a folder you can write")]
    Notes {
        /// Why.
        source: io::Error,
    },
}

/// A port that no other regrant uses while this lives.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    _note: Note,
}

impl PortLease {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Leases a port on loopback.
///
/// # Errors
/// None is free.
pub fn lease_port() -> Result<PortLease, PortError> {
    let (low, high) = range();
    let width = u32::from(high - low) + 1;
    let start = rand::random::<u32>();
    for step in 0..ATTEMPTS.min(width) {
        let port = low + u16::try_from(start.wrapping_add(step) % width).unwrap_or(0);
        if let Some(lease) = lease(port)? {
            return Ok(lease);
        }
    }
    Err(PortError::NoneFree { low, high })
}

fn lease(port: u16) -> Result<Option<PortLease>, PortError> {
    let note = Note::take(port).map_err(|source| PortError::Notes { source })?;
    Ok(note.map(|note| PortLease { port, _note: note }).filter(|lease| is_free(lease.port)))
}

fn is_free(port: u16) -> bool {
    let everywhere = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    // A machine without IPv6 cannot tell anything about it.
    let six = TcpListener::bind((Ipv6Addr::LOCALHOST, port));
    everywhere.is_ok() && six.err().is_none_or(|error| error.kind() != io::ErrorKind::AddrInUse)
}

/// The highest ports below the ephemeral range.
fn range() -> (u16, u16) {
    let said = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range_beside(&said)
}

fn range_beside(ephemeral: &str) -> (u16, u16) {
    let mut numbers = ephemeral.split_whitespace().filter_map(|word| word.parse::<u16>().ok());
    let (low, high) = (numbers.next().unwrap_or(USUAL_EPHEMERAL), numbers.next().unwrap_or(u16::MAX));
    if low > LOWEST + 1_000 {
        (LOWEST, low - 1)
    } else if high < u16::MAX - 1_000 {
        (high + 1, u16::MAX)
    } else {
        // Everything is ephemeral here: there is no better place.
        (LOWEST, u16::MAX)
    }
}

/// A name in the abstract namespace: it belongs to the same network as the port, whatever the temporary folder is, and goes with its owner.
#[cfg(target_os = "linux")]
mod note {
    use std::{
        io,
        os::{
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixListener},
        },
    };

    /// What tells other regrants that a port is leased.
    #[derive(Debug)]
    pub(super) struct Note(#[allow(dead_code, reason = "held, not used")] UnixListener);

    impl Note {
        /// None if somebody else has it.
        pub(super) fn take(port: u16) -> io::Result<Option<Self>> {
            let name = SocketAddr::from_abstract_name(format!("regrant-port-{port}"))?;
            match UnixListener::bind_addr(&name) {
                Ok(listener) => Ok(Some(Self(listener))),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
                Err(error) => Err(error),
            }
        }
    }
}

/// A locked file in the temporary folder.
#[cfg(not(target_os = "linux"))]
mod note {
    use std::{
        env,
        fs::{self, File},
        io,
        os::unix::fs::MetadataExt,
        path::{Path, PathBuf},
    };

    /// What tells other regrants that a port is leased.
    #[derive(Debug)]
    pub(super) struct Note {
        path: PathBuf,
        _lock: File,
    }

    impl Note {
        /// None if somebody else has it.
        pub(super) fn take(port: u16) -> io::Result<Option<Self>> {
            let folder = env::temp_dir().join(format!("regrant-ports-{}", rustix::process::getuid().as_raw()));
            fs::create_dir_all(&folder)?;
            let path = folder.join(port.to_string());
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                // The previous holder may have removed it between our opening and our locking: then our lock is on a file without a name.
                Ok(()) => Ok(is_at(&file, &path).then_some(Self { path, _lock: file })),
                Err(fs::TryLockError::WouldBlock) => Ok(None),
                Err(fs::TryLockError::Error(error)) => Err(error),
            }
        }
    }

    impl Drop for Note {
        fn drop(&mut self) {
            // Still locked: nobody can hold a lease on the file that is removed here.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn is_at(file: &File, path: &Path) -> bool {
        match (file.metadata(), fs::metadata(path)) {
            (Ok(ours), Ok(named)) => ours.ino() == named.ino() && ours.dev() == named.dev(),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn leases_differ_and_lie_below_the_ephemeral_range() {
        let leases: Vec<_> = (0..50).map(|_| lease_port().expect("leased")).collect();
        let (low, high) = range();
        let ports: BTreeSet<_> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| (low..=high).contains(port)));
    }

    #[test]
    fn a_leased_port_cannot_be_leased_again_until_it_is_dropped() {
        let first = lease_port().expect("leased");
        assert!(lease(first.port()).expect("asked").is_none());
        let port = first.port();
        drop(first);
        assert_eq!(lease(port).expect("asked").map(|lease| lease.port()), Some(port));
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_leased() {
        let lease_of_ours = lease_port().expect("leased");
        let port = lease_of_ours.port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("free");
        drop(lease_of_ours);
        assert!(lease(port).expect("asked").is_none());
        drop(listener);
    }

    #[test]
    fn the_range_keeps_clear_of_ephemeral_ports() {
        assert_eq!(range_beside("32768\t60999\n"), (10_000, 32_767));
        assert_eq!(range_beside(""), (10_000, 49_151));
        assert_eq!(range_beside("1024 60999"), (61_000, 65_535));
        assert_eq!(range_beside("1024 65535"), (10_000, 65_535));
    }
}
