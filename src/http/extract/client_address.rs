//! Who is asking: the socket's peer, or what a proxy that we trust says about it.
//!
//! `X-Forwarded-For` is a list to which every proxy appends whom it saw. Anybody can begin such a list, so it is
//! read from its end: hops that are proxies of ours are passed over, the first other one is the client, and
//! nothing to its left is believed. Without a trusted peer the header is not looked at: an address decides about
//! refusals (a token's list, the limiter) and must not be the sender's free choice.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address: IPv4-mapped IPv6 is IPv4, so that one client has one spelling.
///
/// A hop that cannot be read ends the walk at the proxy that wrote it down: rather our own proxy's address than one
/// that was made up. When all hops are trusted, the first one is the client (a machine of ours).
pub fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.ip().to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let lists: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    for list in lists.iter().rev() {
        // A value that is no text has nothing that we could read: the walk ends as at any other garbage.
        for hop in list.to_str().unwrap_or("?").rsplit(',') {
            let Some(address) = parse_hop(hop.trim()) else { return client };
            client = address;
            if !is_trusted(client, trusted) {
                return client;
            }
        }
    }
    client
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; each also in quotes.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(hop);
    let bare = hop.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).filter(|inner| inner.contains(':'));
    let address = bare.unwrap_or(hop).parse::<IpAddr>();
    let address = address.or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// Proxies at 10.0.0.0/8, fd00::/8 and the IPv6 loopback.
    fn trusted() -> Vec<IpNet> {
        ["10.0.0.0/8", "fd00::/8", "::1/128"].iter().map(|text| text.parse().expect("a network")).collect()
    }

    fn client(peer: &str, lists: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(list).expect("a header value"));
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 4711);
        client_address(peer, &headers, &trusted()).to_string()
    }

    #[test]
    fn the_header_of_a_stranger_is_not_looked_at() {
        for peer in ["192.0.2.9", "2001:db8::9", "127.0.0.1"] {
            assert_eq!(client(peer, &[b"198.51.100.1"]), peer);
        }
        assert_eq!(client("::ffff:192.0.2.9", &[b"198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn behind_a_trusted_proxy_the_rightmost_untrusted_hop_counts() {
        let table: &[(&[&[u8]], &str)] = &[
            (&[], "10.0.0.1"),
            (&[b"198.51.100.1"], "198.51.100.1"),
            (&[b" 198.51.100.1 "], "198.51.100.1"),
            // What the client made up stands to the left of what the proxy saw.
            (&[b"203.0.113.66, 198.51.100.1"], "198.51.100.1"),
            (&[b"198.51.100.1, 10.2.3.4, 10.0.0.7"], "198.51.100.1"),
            (&[b"203.0.113.66,198.51.100.1,10.2.3.4"], "198.51.100.1"),
            // Several headers are one list, in their order.
            (&[b"203.0.113.66", b"198.51.100.1"], "198.51.100.1"),
            (&[b"203.0.113.66, 198.51.100.1", b"10.2.3.4"], "198.51.100.1"),
            // All of it is ours: the first hop is the client.
            (&[b"10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            // Spellings.
            (&[b"198.51.100.1:1234"], "198.51.100.1"),
            (&[b"2001:db8::1"], "2001:db8::1"),
            (&[b"[2001:db8::1]"], "2001:db8::1"),
            (&[b"[2001:db8::1]:1234"], "2001:db8::1"),
            (&[b"\"[2001:db8::1]:1234\""], "2001:db8::1"),
            (&[b"::ffff:198.51.100.1"], "198.51.100.1"),
            (&[b"[::ffff:198.51.100.1]:80, ::ffff:10.1.1.1"], "198.51.100.1"),
            (&[b"2001:db8::1, fd00::5, ::1"], "2001:db8::1"),
        ];
        for (lists, expected) in table {
            assert_eq!(client("10.0.0.1", lists), *expected, "{lists:?}");
        }
        assert_eq!(client("::ffff:10.0.0.1", &[b"198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn garbage_ends_the_walk_at_the_proxy_that_wrote_it() {
        let garbage: &[&[u8]] = &[
            b"",
            b",",
            b"unknown",
            b"198.51.100.1, unknown",
            b"198.51.100.1, ",
            b"198.51.100.1,,",
            b"198.51.100.300",
            b"198.51.100.1:99999",
            b"[198.51.100.1]",
            b"fe80::1%eth0",
            b"2001:db8::1]:80",
            b"198.51.100.1 203.0.113.1",
            b"example.com",
            b"\xff\xfe",
        ];
        for list in garbage {
            assert_eq!(client("10.0.0.1", &[list]), "10.0.0.1", "{list:?}");
        }
        assert_eq!(client("10.0.0.1", &[b"198.51.100.1, unknown, 10.2.3.4"]), "10.2.3.4");
    }

    #[test]
    fn without_trusted_networks_the_peer_is_always_the_client() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"));
        let peer: SocketAddr = "10.0.0.1:1".parse().expect("an address");
        assert_eq!(client_address(peer, &headers, &[]).to_string(), "10.0.0.1");
    }
}
