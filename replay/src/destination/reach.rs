//! Which addresses a destination may be at.
//!
//! Whoever may make a destination decides where this process connects to, so addresses that only
//! this machine or its network reaches (the cloud's metadata service, say) are refused unless the
//! operator allows them. What counts is the address that a name resolves to at the moment of the
//! connection, and never the name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest_tls::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::{Error, Result};

/// What the operator allows beside public addresses. Cheap to clone; the default is nothing.
#[derive(Debug, Clone, Default)]
pub struct Reach(Arc<[Network]>);

/// The addresses whose first `bits` are those of `address`.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// Why a connection isn't made.
#[derive(Debug)]
pub(super) struct Unreached(String);

impl Reach {
    /// Reads networks with commas between, such as `127.0.0.0/8, 10.1.0.0/16, ::1`.
    ///
    /// # Errors
    /// `Invalid` for what is no network.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        let networks = parts.map(|part| {
            Network::parse(part).ok_or_else(|| {
                Error::invalid(format!("`{part}` is not a network"))
                    .with_hint("write networks like `10.1.0.0/16` or `127.0.0.1`, with commas")
            })
        });
        Ok(Self(networks.collect::<Result<_>>()?))
    }

    /// Whether a destination may be there.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        !is_internal(address) || self.0.iter().any(|network| network.has(address))
    }

    /// The same for a host that is written as an address; names are looked up later.
    ///
    /// # Errors
    /// `Invalid` for an address that may not be reached.
    pub(super) fn check_host(&self, host: &str) -> Result<()> {
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match literal.unwrap_or(host).parse() {
            Ok(address) if !self.admits(address) => {
                Err(Error::invalid(Unreached(host.to_owned()).to_string()))
            }
            _ => Ok(()),
        }
    }

    /// The addresses of `host` that may be reached.
    ///
    /// # Errors
    /// If there are addresses and none may be.
    fn pick(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> std::result::Result<Vec<SocketAddr>, Unreached> {
        let found: Vec<SocketAddr> = found.collect();
        let reached = found.iter().filter(|one| self.admits(one.ip()));
        let reached: Vec<SocketAddr> = reached.copied().collect();
        if reached.is_empty() && !found.is_empty() {
            return Err(Unreached(host.to_owned()));
        }
        Ok(reached)
    }
}

impl Reach {
    /// Where `host`, as it stands in a URL, may be reached: the addresses that it has now.
    ///
    /// # Errors
    /// `Invalid` when it may not be reached, `Unavailable` when it has no address.
    pub(super) async fn resolve_host(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = literal.unwrap_or(host);
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|error| {
            Error::unavailable(format!("`{host}` has no address")).with_source(error)
        })?;
        let picked = self.pick(host, found);
        picked.map_err(|refused| Error::invalid(refused.to_string()))
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let picked = reach.pick(name.as_str(), found)?;
            Ok(Box::new(picked.into_iter()) as Addrs)
        })
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.0;
        write!(
            f,
            "`{host}` is at an internal address; whoever runs Eddy may allow it by \
             `allow_internal` in [replay]"
        )
    }
}

impl std::error::Error for Unreached {}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn has(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= self.bits
    }
}

/// Whether an address has a meaning only here, or none.
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => is_internal_v6(address),
    }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        // This network; shared by providers; of protocols; of benchmarks; reserved.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        is_internal_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
    };
    match segments {
        // An IPv4 address as such, by NAT64, and by 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => embedded(high, low),
        // Unspecified, loopback and what once stood for IPv4; local NAT64; Teredo; documentation.
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0x2001, 0 | 0xdb8, ..] => true,
        // Unique local; link local and once site local; multicast.
        [first, ..] => {
            first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first & 0xff00 == 0xff00
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_public_addresses_are_reached_unless_allowed() {
        let none = Reach::default();
        for internal in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!none.admits(internal.parse().unwrap()), "{internal}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "2002:101:101::",
            "::ffff:1.1.1.1",
        ] {
            assert!(none.admits(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_reached_and_nothing_beside_it() {
        let reach = Reach::parse("127.0.0.0/8, 10.1.0.0/16,::1, ").unwrap();
        for allowed in ["127.0.0.1", "10.1.2.3", "::1", "::ffff:10.1.2.3"] {
            assert!(reach.admits(allowed.parse().unwrap()), "{allowed}");
        }
        for refused in ["10.2.0.1", "::2", "169.254.169.254"] {
            assert!(!reach.admits(refused.parse().unwrap()), "{refused}");
        }
        for bad in ["localhost", "10.0.0.0/33", "10.0.0.0/x", "10.0.0"] {
            assert!(Reach::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_counts_by_what_it_resolves_to() {
        let reach = Reach::default();
        let found = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|one| one.parse().unwrap());
            let sockets: Vec<_> = addresses.map(|ip: IpAddr| SocketAddr::new(ip, 0)).collect();
            reach.pick("rebound.example", sockets.into_iter())
        };
        let error = found(&["10.0.0.1", "::1"]).unwrap_err().to_string();
        assert!(error.contains("`rebound.example`") && error.contains("allow_internal"));
        let picked = found(&["10.0.0.1", "1.1.1.1"]).unwrap();
        assert_eq!(picked, ["1.1.1.1:0".parse().unwrap()]);
    }

    #[test]
    fn a_host_that_is_an_address_is_refused_at_once() {
        let reach = Reach::default();
        for host in ["127.0.0.1", "[::1]", "[::ffff:a00:1]"] {
            assert!(reach.check_host(host).is_err(), "{host}");
        }
        for host in ["example.com", "1.1.1.1", "localhost"] {
            assert!(reach.check_host(host).is_ok(), "{host}");
        }
    }
}
