//! Asks the kernel for one socket by its addresses (sock_diag(7)): a few microseconds, however many sockets there are.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    sync::{Mutex, OnceLock, PoisonError},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::{Depth, Queues};

const REQUEST: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const ENOENT: i32 = 2;
/// Offsets in `nlmsghdr` followed by `inet_diag_msg`.
const UNREAD_AT: usize = 16 + 56;
const UNSENT_AT: usize = 16 + 60;

/// The queues of the socket bound to `of` and connected to `to`; `None` where netlink is not to be had.
pub(super) fn depth(of: SocketAddr, to: SocketAddr) -> Option<Queues> {
    static SOCKET: OnceLock<Option<Mutex<OwnedFd>>> = OnceLock::new();
    let open =
        || socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG)).ok().map(Mutex::new);
    let socket = SOCKET.get_or_init(open).as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    send(&*socket, &request(of, to), SendFlags::empty()).ok()?;
    let mut answer = [0_u8; 512];
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
    let word = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
    match kind {
        SOCK_DIAG_BY_FAMILY => Some(Some(Depth { unread: word(UNREAD_AT)?, unsent: word(UNSENT_AT)? })),
        NLMSG_ERROR if word(16)?.cast_signed() == -ENOENT => Some(None),
        _ => None,
    }
}
