//! Which addresses a client connects to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that a client may connect to. It is checked after a name is resolved, and the connection goes to an address
/// that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AllowedAddresses {
    /// All.
    Any,
    /// Those of the internet, and those of private networks and of this machine.
    #[cfg_attr(
        not(any(feature = "alerts", test)),
        expect(dead_code, reason = "only channels of alerts are limited")
    )]
    Internal,
    /// Those of the internet, over TLS only.
    Public,
}

impl AllowedAddresses {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        match self {
            Self::Any => true,
            Self::Internal => !is_never_a_receiver(address),
            Self::Public => !is_never_a_receiver(address) && !is_internal(address),
        }
    }

    pub(super) fn allows_plain_text(self) -> bool {
        self != Self::Public
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (NAT64) or 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => of(high, low),
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

/// Link-local addresses, with the metadata services of clouds, multicast, and what is no address of a host.
fn is_never_a_receiver(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // Of Alibaba Cloud, Oracle Cloud and Azure.
            const METADATA: [Ipv4Addr; 3] = [
                Ipv4Addr::new(100, 100, 100, 200),
                Ipv4Addr::new(192, 0, 0, 192),
                Ipv4Addr::new(168, 63, 129, 16),
            ];
            let [a, ..] = v4.octets();
            a == 0 || a >= 224 || v4.is_link_local() || METADATA.contains(&v4)
        }
        IpAddr::V6(v6) => {
            // Of Amazon, Google Cloud and Oracle Cloud.
            const METADATA: [Ipv6Addr; 3] = [
                Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
                Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
                Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
            ];
            let [first, ..] = v6.segments();
            let is_link_local = first & 0xffc0 == 0xfe80;
            v6.is_unspecified() || v6.is_multicast() || is_link_local || METADATA.contains(&v6)
        }
    }
}

/// Addresses of private networks, of this machine, and those that are reserved.
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_documentation()
                // Shared by carriers, for protocols, and for measurements.
                || (a == 100 && b & 0xc0 == 64)
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && b & 0xfe == 18)
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            v6.is_loopback()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfec0
                // Documentation, and tunnels with an address inside.
                || (first == 0x2001 && (second == 0xdb8 || second == 0))
                || (first == 0x64 && second == 0xff9b)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_and_of_metadata_services_are_refused() {
        let never = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "192.0.0.192",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "::ffff:169.254.169.254",
            "::a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:0:169.254.169.254",
        ];
        let internal = [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::a00:1",
            "2002:7f00:1::1",
        ];
        let public = [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "168.63.129.17",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
        ];
        let allowed = |rule: AllowedAddresses, text: &str| rule.allows(text.parse().unwrap());
        for text in never {
            assert!(!allowed(AllowedAddresses::Internal, text), "{text}");
            assert!(!allowed(AllowedAddresses::Public, text), "{text}");
            assert!(allowed(AllowedAddresses::Any, text), "{text}");
        }
        for text in internal {
            assert!(allowed(AllowedAddresses::Internal, text), "{text}");
            assert!(!allowed(AllowedAddresses::Public, text), "{text}");
        }
        for text in public {
            assert!(allowed(AllowedAddresses::Internal, text), "{text}");
            assert!(allowed(AllowedAddresses::Public, text), "{text}");
        }
    }
}
