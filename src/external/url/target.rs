//! Where a URL leads.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::room::is_hidden;

/// Bytes of a host.
const MAX_HOST: usize = 255;

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// In lower case, without the brackets of an IPv6 address.
    pub(crate) host: Cow<'a, str>,
    /// The scheme's own where the URL names none.
    pub(crate) port: Option<u16>,
}

/// Reads an absolute URL; `None` for what is none, or has no host or no valid one.
pub(crate) fn target(url: &str) -> Option<Target<'_>> {
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
    let place = authority.rsplit_once('@').map_or(authority, |(_, at)| at);
    let (host, port) = host_and_port(place)?;
    let scheme = lower_case(scheme);
    Some(Target {
        port: match port {
            Some(port) => Some(port),
            None => default_port(&scheme),
        },
        host: lower_case(host),
    })
}

fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(bracketed) = place.strip_prefix('[') {
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
        let (host, port) = place.split_once(':').unwrap_or((place, ""));
        // An encoded `@` is one for some: what stands before it is no part of a host.
        let is_no_host = |c: char| is_hidden(c) || "%<>^|\"`{}[]@".contains(c);
        if host.is_empty() || host.contains(is_no_host) {
            return None;
        }
        (host, port)
    };
    if host.len() > MAX_HOST || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let port = match port {
        "" => None,
        port => Some(port.parse().ok()?),
    };
    Some((host, port))
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
