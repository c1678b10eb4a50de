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
    let (scheme, place) = scheme_and_place(url)?;
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

/// Whether an absolute URL has something for a port that is no number from 1 to 65535.
#[cold]
pub(crate) fn has_bad_port(url: &str) -> bool {
    let port = scheme_and_place(url).and_then(|(_, place)| {
        let behind = match place.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?.1,
            None => place,
        };
        Some(behind.split_once(':')?.1)
    });
    port.is_some_and(|port| read_port(port).is_err())
}

/// The scheme of an absolute URL, and its host with the port.
fn scheme_and_place(url: &str) -> Option<(&str, &str)> {
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
    Some((scheme, place))
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
    if host.len() > MAX_HOST {
        return None;
    }
    Some((host, read_port(port).ok()?))
}

/// A text for a port that is no number from 1 to 65535.
struct BadPort;

/// The port, if there is one.
fn read_port(text: &str) -> Result<Option<u16>, BadPort> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.map(Some).ok_or(BadPort)
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
