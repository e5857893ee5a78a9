//! The first request on the proxy's port.

use super::{Broken, hold};
use crate::intercept::{
    Hosts,
    head::{self, Asked, Authority, LIMIT},
    known_hosts,
};

/// Reads the input as the beginning of a request to the proxy.
///
/// # Errors
/// A head that is complete too early, a host that no name server would know, or a tunnel to a host that is not Pleo's.
pub fn proxy_head(input: &[u8]) -> Result<(), Broken> {
    match head::parse(input) {
        Err(malformed) => hold(matches!(malformed.status(), 400 | 431), "a refusal has its status", &malformed),
        Ok(None) => hold(input.len() <= LIMIT, "what is awaited has a limit", &input.len()),
        Ok(Some(read)) => {
            hold(read.length <= input.len() && input[..read.length].ends_with(b"\n"), "a head ends with an empty line", &read)?;
            hold(head::parse(&input[..read.length - 1]) == Ok(None), "nothing is complete before its end", &read)?;
            hold(head::parse(&input[..read.length]) == Ok(Some(read.clone())), "what follows a head does not change it", &read)?;
            match &read.asked {
                Asked::Origin => Ok(()),
                Asked::Tunnel(authority) => names_a_host(authority, 443),
                Asked::Absolute { authority, .. } => names_a_host(authority, 0),
            }
        }
    }
}

fn names_a_host(authority: &Authority, port: u16) -> Result<(), Broken> {
    let fits = |c: char| c.is_ascii_alphanumeric() && !c.is_ascii_uppercase() || "-._:".contains(c);
    hold(!authority.host.is_empty() && authority.host.chars().all(fits) && authority.port > 0, "a host is a host", authority)?;
    let written = format!("CONNECT {authority} HTTP/1.1\r\n\r\n");
    let again = head::parse(written.as_bytes()).ok().flatten().map(|head| head.asked);
    // A name may end in a colon of an IPv6 address only; what is no address has no colon.
    hold(again == Some(Asked::Tunnel(authority.clone())), "what was written reads the same", authority)?;
    let hosts = Hosts::new(&[]).map_err(|error| error.to_string())?;
    match hosts.tunnel(authority) {
        Ok(host) => {
            let known = known_hosts().any(|name| name == host.name);
            hold(
                known && host.name == authority.host && (port == 0 || authority.port == port),
                "only Pleo's hosts are answered for",
                authority,
            )
        }
        Err(_) => Ok(()),
    }
}
