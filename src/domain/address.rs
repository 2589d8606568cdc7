//! Whom we may connect to when somebody else names the address: the guard against requests that a publisher's URL
//! would make to our own network (SSRF).
//!
//! One rule for every address, asked of the address that is really connected to and never of a name alone: a name can
//! change between two questions. An IPv4 address must be none of the reserved networks below; an IPv6 address must be
//! global unicast and none of those that carry an IPv4 address or a special purpose. Whatever way it is spelled
//! (decimal, octal, hexadecimal, short, with full-width digits), the `url` crate has made an address of it before.
//! Refuses by default: what is new and reserved is refused as long as it lies outside 2000::/3.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Networks of IPv4 that are no place in the Internet (IANA's special-purpose registry, RFC 6890).
const RESERVED_V4: &[(Ipv4Net, &str)] = &[
    (v4([0, 0, 0, 0], 8), "this network"),
    (v4([10, 0, 0, 0], 8), "private"),
    (v4([100, 64, 0, 0], 10), "shared by a carrier"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([172, 16, 0, 0], 12), "private"),
    (v4([192, 0, 0, 0], 24), "for protocols"),
    (v4([192, 0, 2, 0], 24), "for documentation"),
    (v4([192, 88, 99, 0], 24), "6to4 relay"),
    (v4([192, 168, 0, 0], 16), "private"),
    (v4([198, 18, 0, 0], 15), "for benchmarks"),
    (v4([198, 51, 100, 0], 24), "for documentation"),
    (v4([203, 0, 113, 0], 24), "for documentation"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255, 255, 255, 255], 32), "broadcast"),
    (v4([240, 0, 0, 0], 4), "reserved"),
];

/// Networks of IPv6 with a name, for the message; whatever else is outside [`GLOBAL_V6`] is reserved too.
const RESERVED_V6: &[(Ipv6Net, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "IPv4-compatible"),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), "NAT64"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "NAT64"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discarded"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "Teredo"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "for protocols"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "for documentation"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "for documentation"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// All that IANA has given out as global unicast.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Names that mean the own computer or the own network wherever they are asked (RFC 6761, 6762, 8375, 9476).
const LOCAL_NAMES: &[&str] = &["localhost", "localdomain", "local", "internal", "home.arpa", "alt", "onion"];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// Why somebody is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfReach {
    #[error("only https is allowed here")]
    PlainHttp,
    #[error("this is no http or https URL")]
    Scheme,
    #[error("a URL that names a user or a password is not used")]
    UserInfo,
    #[error("it names no host")]
    NoHost,
    #[error("{0} is a name of the own network")]
    LocalName(String),
    #[error("{address} is not in the public Internet ({kind})")]
    Reserved { address: IpAddr, kind: &'static str },
}

/// How far requests of ours may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Also without TLS.
    pub http_allowed: bool,
    /// Reserved networks that are reached all the same: for laboratories.
    pub networks_allowed: Vec<IpNet>,
}

impl Reach {
    /// What can be said of a URL before its name is resolved: scheme, user, literal addresses, names of the own
    /// network. A name that passes must still be held to [`Self::check_address`] when it is connected to.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn check_url(&self, url: &Url) -> Result<(), OutOfReach> {
        match url.scheme() {
            "https" => {}
            "http" if self.http_allowed => {}
            "http" => return Err(OutOfReach::PlainHttp),
            _ => return Err(OutOfReach::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutOfReach::UserInfo);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(name)) => self.check_name(name),
            None => Err(OutOfReach::NoHost),
        }
    }

    /// May this address be connected to?
    ///
    /// # Errors
    /// `Reserved`, with the kind of its network.
    pub fn check_address(&self, address: IpAddr) -> Result<(), OutOfReach> {
        let address = address.to_canonical();
        match reserved(address) {
            Some(kind) if !self.networks_allowed.iter().any(|network| network.contains(&address)) => {
                Err(OutOfReach::Reserved { address, kind })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Where reserved networks are allowed a name of the own network may lead there: its addresses decide.
    fn check_name(&self, name: &str) -> Result<(), OutOfReach> {
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        let is_local = !plain.contains('.')
            || LOCAL_NAMES.iter().any(|local| plain.strip_suffix(local).is_some_and(|before| before.ends_with('.')));
        if is_local && self.networks_allowed.is_empty() { Err(OutOfReach::LocalName(plain)) } else { Ok(()) }
    }
}

/// The kind of reserved network that an address is in; none for a place in the Internet.
pub fn reserved(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            RESERVED_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, kind)| *kind)
        }
        IpAddr::V6(address) => {
            let named = RESERVED_V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, kind)| *kind);
            named.or_else(|| (!GLOBAL_V6.contains(&address)).then_some("reserved"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corpus that the client is tried with, too.
    const BLOCKED_HOSTS: &str = include_str!("../../tests/it/blocked_hosts.txt");

    fn blocked_hosts() -> impl Iterator<Item = &'static str> {
        BLOCKED_HOSTS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    fn url(host: &str) -> Option<Url> {
        Url::parse(&format!("https://{host}/pb?c=1")).ok()
    }

    #[test]
    fn every_spelling_of_an_address_that_is_not_public_is_refused() {
        let (mut refused, mut unreadable) = (0, 0);
        for host in blocked_hosts() {
            match url(host) {
                // The parser that the client uses takes it for no URL: nothing is connected to.
                None => unreadable += 1,
                Some(url) => {
                    let verdict = Reach::default().check_url(&url);
                    assert!(verdict.is_err(), "{host} passes as {url}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 150, "only {refused} forms are refused by us, {unreadable} by the parser");
    }

    #[test]
    fn the_ends_of_every_reserved_network_are_reserved_and_their_neighbours_are_not() {
        let public = |text: &str| reserved(text.parse().unwrap());
        for (first, last, before, after) in [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2001:200::")),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db7:ffff::1"), Some("2001:db9::")),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:ffff::1"), Some("2003::")),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe:ffff::1"), Some("3fff:1000::")),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:ffff::1"), None),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2000::")),
        ] {
            assert!(public(first).is_some() && public(last).is_some(), "{first} to {last}");
            for neighbour in before.into_iter().chain(after) {
                assert_eq!(public(neighbour), None, "{neighbour}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_inside_ipv6_is_judged_as_itself() {
        for (text, kind) in [
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::ffff:169.254.169.254", Some("link-local")),
            ("::ffff:8.8.8.8", None),
            ("64:ff9b::8.8.8.8", Some("NAT64")),
            ("2002:7f00:1::", Some("6to4")),
            ("::127.0.0.1", Some("IPv4-compatible")),
        ] {
            assert_eq!(reserved(text.parse().unwrap()), kind, "{text}");
        }
    }

    #[test]
    fn what_is_public_passes() {
        for host in ["8.8.8.8", "[2606:4700:4700::1111]", "pub.example.com", "a.b", "tür.example", "localhost.example"]
        {
            assert_eq!(Reach::default().check_url(&url(host).unwrap()), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_laboratory_reaches_what_it_names_and_nothing_else() {
        let lab = Reach { http_allowed: true, networks_allowed: vec!["127.0.0.1/32".parse().unwrap()] };
        let check = |text: &str| lab.check_url(&Url::parse(text).unwrap());
        assert_eq!(check("http://127.0.0.1:8080/"), Ok(()));
        assert_eq!(check("http://[::ffff:127.0.0.1]/"), Ok(()));
        assert_eq!(check("http://receiver/"), Ok(()));
        for text in ["http://127.0.0.2/", "http://[::1]/", "http://169.254.169.254/"] {
            assert!(matches!(check(text), Err(OutOfReach::Reserved { .. })), "{text}");
        }
    }

    #[test]
    fn only_https_without_a_user_is_used_by_default() {
        let check = |text: &str| Reach::default().check_url(&Url::parse(text).unwrap());
        assert_eq!(check("http://pub.example/"), Err(OutOfReach::PlainHttp));
        assert_eq!(check("ftp://pub.example/"), Err(OutOfReach::Scheme));
        assert_eq!(check("https://u@pub.example/"), Err(OutOfReach::UserInfo));
        assert_eq!(check("https://:p@pub.example/"), Err(OutOfReach::UserInfo));
    }
}
