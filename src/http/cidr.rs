use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network of IP addresses, such as `10.0.0.0/8` or `2001:db8::/32`. An address alone is a network of one.
///
/// An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) counts as the IPv4 address that it holds.
///
/// ```
/// let network: watchpost::http::Cidr = "10.0.0.0/8".parse().unwrap();
/// assert!(network.contains("10.9.8.7".parse().unwrap()));
/// assert!(network.contains("::ffff:10.9.8.7".parse().unwrap()));
/// assert!(!network.contains("11.0.0.1".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    first: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Returns whether `address` is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        network(address.to_canonical(), self.prefix) == Some(self.first)
            && address.to_canonical().is_ipv4() == self.first.is_ipv4()
    }

    /// Returns the length of the prefix: 0 to 32 bits for IPv4, 0 to 128 for IPv6.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

/// The first address of the network of `prefix` bits around `address`; `None` if the address has fewer bits.
fn network(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let rest = Ipv4Addr::BITS.checked_sub(prefix)?;
            let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
            Some(Ipv4Addr::from_bits(v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let rest = Ipv6Addr::BITS.checked_sub(prefix)?;
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            Some(Ipv6Addr::from_bits(v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Parses `address/prefix`, or an address alone.
    ///
    /// # Errors
    ///
    /// If the address or the prefix cannot be parsed, or if bits behind the prefix are set. The last error names the
    /// network that holds the address.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let written_bits: u8 = if written.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `parse` takes `+8` and `08`, which are no prefixes.
            Some(digits)
                if digits != "0" && !digits.starts_with(|c: char| ('1'..='9').contains(&c)) =>
            {
                return Err(CidrError::Prefix(written_bits));
            }
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= written_bits),
            None => Some(written_bits),
        }
        .ok_or(CidrError::Prefix(written_bits))?;
        let first = network(written, prefix).ok_or(CidrError::Prefix(written_bits))?;
        if first != written {
            return Err(CidrError::HostBits { first, prefix });
        }
        match first.to_canonical() {
            // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
            IpAddr::V4(v4) if first.is_ipv6() && prefix >= 96 => Ok(Self {
                first: v4.into(),
                prefix: prefix - 96,
            }),
            _ => Ok(Self { first, prefix }),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// The error of parsing a [`Cidr`]. The message does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CidrError {
    /// The part before the `/` is no IP address.
    Address,
    /// The part behind the `/` is no number from 0 to this one.
    Prefix(u8),
    /// Bits of the address behind the prefix are set.
    #[non_exhaustive]
    HostBits {
        /// The first address of the network that holds it.
        first: IpAddr,
        /// The prefix of that network.
        prefix: u8,
    },
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("not an IP address; write a network such as `10.0.0.0/8`"),
            Self::Prefix(most) => write!(
                f,
                "not a prefix; write a number from 0 to {most} behind the `/`"
            ),
            Self::HostBits { first, prefix } => {
                write!(f, "an address inside a network; write `{first}/{prefix}`")
            }
        }
    }
}

impl std::error::Error for CidrError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network
            .parse::<Cidr>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_its_own_addresses_only() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("192.168.1.7", "::ffff:192.168.1.7", "::192.168.1.7"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("fe80::/10", "febf::1", "fec0::1"),
        ] {
            assert!(contains(network, inside), "{inside} is in {network}");
            assert!(!contains(network, outside), "{outside} is not in {network}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/8 ",
            "localhost",
            "010.0.0.1",
            "1.2.3.4:80",
            "fe80::1%eth0",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text:?}");
        }
        let error = "10.1.2.3/8".parse::<Cidr>().unwrap_err();
        assert!(error.to_string().ends_with("write `10.0.0.0/8`"));
    }

    #[test]
    fn display_is_what_was_parsed() {
        for text in ["10.0.0.0/8", "1.2.3.4/32", "2001:db8::/32", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
    }
}
