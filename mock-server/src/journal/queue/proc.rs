//! Reads `/proc/net/tcp` and `/proc/net/tcp6`, where netlink is not to be had.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Depth, Queues};

/// The queues of the socket bound to `of` and connected to `to`; `None` if there is no `/proc`.
pub(super) fn depth(of: SocketAddr, to: SocketAddr) -> Option<Queues> {
    let mut readable = false;
    // A program may talk IPv4 through an IPv6 socket, which then stands in the second table.
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else { continue };
        readable = true;
        if let Some(depth) = text.lines().skip(1).find_map(|line| line_of(line, of, to)) {
            return Some(Some(depth));
        }
    }
    readable.then_some(None)
}

/// `sl local_address rem_address st tx_queue:rx_queue …`, all in hexadecimal.
fn line_of(line: &str, of: SocketAddr, to: SocketAddr) -> Option<Depth> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote, _state, queues) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if !same(address(local)?, of) || !same(address(remote)?, to) {
        return None;
    }
    let (unacknowledged, unread) = queues.split_once(':')?;
    let number = |hex| u32::from_str_radix(hex, 16).ok();
    Some(Depth { unread: number(unread)?, unacknowledged: number(unacknowledged)?, totals: None })
}

fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// Addresses stand as words in the host's byte order, ports as plain numbers.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |i: usize| ip.get(8 * i..8 * i + 8).and_then(|hex| u32::from_str_radix(hex, 16).ok()).map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for i in 0..4 {
                bytes[4 * i..4 * i + 4].copy_from_slice(&word(i)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = "   3: 0100007F:A3F2 0100007F:0FAA 01 00000000:0000002A 00:00000000 00000000  1000        0 1 1";
        let (of, to) = (SocketAddr::from(([127, 0, 0, 1], 0xA3F2)), SocketAddr::from(([127, 0, 0, 1], 4010)));
        assert_eq!(line_of(line, of, to), Some(Depth { unread: 42, unacknowledged: 0, totals: None }));
        assert_eq!(line_of(line, to, of), None);
        assert_eq!(line_of("  sl  local_address rem_address", of, to), None);
    }
}
