//! Asks the kernel for one socket by its addresses (sock_diag(7)): a few microseconds, however many sockets there are.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    sync::{Mutex, OnceLock, PoisonError},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::{Depth, Queues, Totals};

const REQUEST: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const ENOENT: i32 = 2;
/// Offsets in `nlmsghdr` followed by `inet_diag_msg`, behind which attributes follow.
const UNREAD_AT: usize = 16 + 56;
const UNACKNOWLEDGED_AT: usize = 16 + 60;
const ATTRIBUTES_AT: usize = 16 + 72;
/// The attribute that holds `tcp_info`, and offsets in that; `bytes_sent` came with Linux 4.19.
const INET_DIAG_INFO: u16 = 2;
const BYTES_RECEIVED_AT: usize = 128;
const NOT_SENT_AT: usize = 144;
const BYTES_SENT_AT: usize = 200;
const BYTES_SENT_AGAIN_AT: usize = 208;

/// The queues of the socket bound to `of` and connected to `to`; `None` where netlink is not to be had.
pub(super) fn depth(of: SocketAddr, to: SocketAddr) -> Option<Queues> {
    static SOCKET: OnceLock<Option<Mutex<OwnedFd>>> = OnceLock::new();
    let open =
        || socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG)).ok().map(Mutex::new);
    let socket = SOCKET.get_or_init(open).as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    send(&*socket, &request(of, to), SendFlags::empty()).ok()?;
    let mut answer = [0_u8; 1024];
    // The kernel answers while it takes the request in, so nothing is ever waited for.
    let (count, _) = recv(&*socket, &mut answer, RecvFlags::DONTWAIT).ok()?;
    read(answer.get(..count)?)
}

fn request(of: SocketAddr, to: SocketAddr) -> [u8; REQUEST] {
    let (family, from, towards) = addresses(of.ip(), to.ip());
    let mut bytes = [0_u8; REQUEST];
    bytes[0..4].copy_from_slice(&72_u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    bytes[16] = family;
    bytes[17] = IPPROTO_TCP;
    bytes[18] = 1 << (INET_DIAG_INFO - 1);
    bytes[20..24].fill(0xff);
    bytes[24..26].copy_from_slice(&of.port().to_be_bytes());
    bytes[26..28].copy_from_slice(&to.port().to_be_bytes());
    bytes[28..44].copy_from_slice(&from);
    bytes[44..60].copy_from_slice(&towards);
    // No cookie: whichever socket has these addresses.
    bytes[64..72].fill(0xff);
    bytes
}

fn addresses(of: IpAddr, to: IpAddr) -> (u8, [u8; 16], [u8; 16]) {
    let narrow = |ip: std::net::Ipv4Addr| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&ip.octets());
        bytes
    };
    match (of.to_canonical(), to.to_canonical()) {
        (IpAddr::V4(of), IpAddr::V4(to)) => (AF_INET, narrow(of), narrow(to)),
        (of, to) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            (AF_INET6, wide(of), wide(to))
        }
    }
}

fn read(answer: &[u8]) -> Option<Queues> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    match kind {
        SOCK_DIAG_BY_FAMILY => {
            let totals = answer.get(ATTRIBUTES_AT..).and_then(tcp_info).and_then(totals);
            Some(Some(Depth { unread: word(answer, UNREAD_AT)?, unacknowledged: word(answer, UNACKNOWLEDGED_AT)?, totals }))
        }
        NLMSG_ERROR if word(answer, 16)?.cast_signed() == -ENOENT => Some(None),
        _ => None,
    }
}

/// Finds the attribute: each is a length with its own header, a kind, and a value padded to four bytes.
fn tcp_info(mut attributes: &[u8]) -> Option<&[u8]> {
    loop {
        let half = |at: usize| attributes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
        let (length, kind) = (usize::from(half(0)?), half(2)?);
        let value = attributes.get(4..length)?;
        if kind == INET_DIAG_INFO {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn totals(info: &[u8]) -> Option<Totals> {
    let sent = long(info, BYTES_SENT_AT)?.checked_sub(long(info, BYTES_SENT_AGAIN_AT)?)?;
    Some(Totals { written: sent + u64::from(word(info, NOT_SENT_AT)?), received: long(info, BYTES_RECEIVED_AT)? })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}
