//! The server of a URL.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::buffer::is_hidden;

/// The maximum length of a host, in bytes.
const MAX_HOST: usize = 255;

/// The host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort<'a> {
    /// In lower case, without the brackets of an IPv6 address.
    pub(crate) host: Cow<'a, str>,
    /// The default port of the scheme if the URL has none.
    pub(crate) port: Option<u16>,
}

/// Parses an absolute URL. Returns `None` for another text, or if the host is missing or invalid.
pub(crate) fn host_port(url: &str) -> Option<HostPort<'_>> {
    let (scheme, authority) = scheme_and_authority(url)?;
    let (host, port) = split_host_port(authority)?;
    let scheme = lower_case(scheme);
    Some(HostPort {
        port: match port {
            Some(port) => Some(port),
            None => default_port(&scheme),
        },
        host: lower_case(host),
    })
}

/// Whether an absolute URL has a port that is not a number from 1 to 65535.
#[cold]
pub(crate) fn has_invalid_port(url: &str) -> bool {
    let port = scheme_and_authority(url).and_then(|(_, authority)| {
        let behind = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?.1,
            None => authority,
        };
        Some(behind.split_once(':')?.1)
    });
    port.is_some_and(|port| parse_port(port).is_err())
}

/// The scheme of an absolute URL, and its authority without user information.
fn scheme_and_authority(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !is_scheme || scheme.len() > MAX_HOST {
        return None;
    }
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, rest)| rest);
    Some((scheme, authority))
}

fn split_host_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, port) = bracketed.split_once(']')?;
        let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
        let is_zone = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        address.parse::<Ipv6Addr>().ok()?;
        if zone.is_empty() || !zone.bytes().all(is_zone) {
            return None;
        }
        let port = match port {
            "" => "",
            port => port.strip_prefix(':')?,
        };
        (host, port)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        // Some parsers decode `%40` to `@`, so a host with a percent sign may contain user information.
        let is_no_host = |c: char| is_hidden(c) || "%<>^|\"`{}[]@".contains(c);
        if host.is_empty() || host.contains(is_no_host) {
            return None;
        }
        (host, port)
    };
    if host.len() > MAX_HOST {
        return None;
    }
    Some((host, parse_port(port).ok()?))
}

/// The text of a port is not a number from 1 to 65535.
struct InvalidPort;

/// Parses a port; an empty text is not a port.
fn parse_port(text: &str) -> Result<Option<u16>, InvalidPort> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.map(Some).ok_or(InvalidPort)
}

fn lower_case(text: &str) -> Cow<'_, str> {
    if text.contains(|c: char| c.is_uppercase()) {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}
