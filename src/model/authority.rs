//! Validation of a URL's authority.

use std::net::Ipv6Addr;

use http::uri::Authority;

/// The maximum number of bytes of a host name in DNS.
const MAX_HOST: usize = 253;

/// The port of an authority, or `None` if it has none. `Uri::port_u16` is not enough: it returns `None` for `:65536`
/// too, and the scheme's port would be used.
///
/// # Errors
///
/// Returns a description of the problem with the host or the port, without quoting them.
pub(crate) fn port_of(authority: &Authority) -> Result<Option<u16>, &'static str> {
    let text = authority.as_str();
    let host_port = text
        .rsplit_once('@')
        .map_or(text, |(_, host_port)| host_port);
    let (is_host, port) = if let Some(rest) = host_port.strip_prefix('[') {
        let (address, port) = rest.split_once(']').unwrap_or((rest, ""));
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let end = host_port.find(':').unwrap_or(host_port.len());
        let (host, port) = host_port.split_at_checked(end).unwrap_or((host_port, ""));
        (is_name(host), port)
    };
    if !is_host {
        return Err("its host is neither a name nor an address");
    }
    let port = match port.strip_prefix(':') {
        // An empty port means the port of the scheme.
        Some("") => return Ok(None),
        None if port.is_empty() => return Ok(None),
        port => port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())),
    };
    let port = port.and_then(|port| port.parse().ok());
    port.filter(|port| *port > 0)
        .map(Some)
        .ok_or("its port is no number from 1 to 65535")
}

/// Whether a host is a name, an IPv4 address, or another form of address that the operating system accepts.
fn is_name(host: &str) -> bool {
    let host_of = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // A dot at the end makes a name absolute.
    let host = host.strip_suffix('.').unwrap_or(host);
    host.len() <= MAX_HOST
        && host
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && label.bytes().all(host_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_or_the_authority_is_none() {
        let of = |text: &str| text.parse::<Authority>().ok().map(|it| port_of(&it));
        for (text, port) in [
            ("h", None),
            ("h:", None),
            ("h.:80", Some(80)),
            ("h:65535", Some(65_535)),
            ("h:00080", Some(80)),
            ("key@h_1:1", Some(1)),
            ("key:80@h", None),
            ("127.0.0.1:4318", Some(4318)),
            ("[::1]:4318", Some(4318)),
            ("[2001:db8::1]", None),
        ] {
            assert_eq!(of(text), Some(Ok(port)), "{text}");
        }
        for text in [
            "h:0",
            "h:65536",
            "h:99999",
            "h:+80",
            "h:-1",
            "h:8o",
            "h:80:80",
            "[::1]:65536",
            "[::1]80",
            "[::g]:80",
            "[1.2.3.4]:80",
            "[v1.x]",
            "a..b",
            ".a",
            ".",
            "%41",
            "a!b",
            "a,b",
        ] {
            assert!(!matches!(of(text), Some(Ok(_))), "{text}");
        }
    }
}
