//! `client.address`: the peer's address, or the client's as trusted proxies forward it.

use std::io::Write;
use std::net::IpAddr;

use http::uri::Authority;
use http::{Extensions, HeaderMap, HeaderValue, Request};

use super::config::HttpConfig;
use super::framework;
use crate::model::codec::{put_bytes, put_str};
use crate::model::prefix;

/// Bytes of a host with its port.
const MAX_HOST: usize = 261;

/// The address of a request's peer, for servers other than axum's: insert it into the request's extensions. It becomes
/// `client.address`, unless the peer is a [trusted proxy](super::EndpointLayer::trusted_proxies).
///
/// With axum, serve with `into_make_service_with_connect_info::<SocketAddr>()` instead. For servers with a connection type
/// of their own, use [`EndpointLayer::peer_addr`](super::EndpointLayer::peer_addr).
///
/// ```
/// use watchpost::http::PeerAddr;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddr("127.0.0.1".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is the address and nothing else"
)]
pub struct PeerAddr(pub IpAddr);

/// Whether the peer is a trusted proxy.
#[inline]
pub(super) fn is_trusted<B>(request: &Request<B>, config: &HttpConfig) -> bool {
    !config.trusted_proxies.is_empty() && peer(request).is_some_and(|peer| config.trusts(peer))
}

fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    peer_of(request.extensions())
}

fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    framework::peer(extensions).or_else(|| extensions.get::<PeerAddr>().map(|peer| peer.0))
}

/// Where a request came from, as far as the server and its trusted proxies know.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestSource {
    /// The address at the other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// The address of the client: the peer's, or what trusted proxies forward.
    pub(crate) client: Option<IpAddr>,
    /// The host that the client asked a trusted proxy for.
    pub(crate) forwarded_host: Option<String>,
}

#[cfg(feature = "dashboard")]
impl RequestSource {
    pub(crate) fn of(request: &http::request::Parts, config: &HttpConfig) -> Self {
        let peer = peer_of(&request.extensions);
        let is_trusted = peer.is_some_and(|peer| config.trusts(peer));
        let host = forwarded_host(&request.headers).filter(|_| is_trusted);
        Self {
            peer,
            client: peer.map(|peer| client(peer, &request.headers, config)),
            forwarded_host: host.map(str::to_owned),
        }
    }
}

/// Appends the last three texts of a request's record: the client's address, the host as the client knows it, and the
/// peer's address where it is not the client's. An unknown one is empty.
#[inline]
pub(super) fn put_addresses<B>(
    out: &mut Vec<u8>,
    request: &Request<B>,
    header: Option<&HeaderValue>,
    config: &HttpConfig,
) {
    let peer = peer(request);
    if config.trusted_proxies.is_empty() {
        put_address(out, peer);
        put_bytes(out, requested_host(request, header));
        return put_str(out, "");
    }
    let client = peer.map(|peer| client(peer, request.headers(), config));
    put_address(out, client);
    let trusted = peer.filter(|peer| config.trusts(*peer));
    let forwarded = trusted.and_then(|_| forwarded_host(request.headers()));
    let host = forwarded.map(str::as_bytes);
    put_bytes(out, host.unwrap_or_else(|| requested_host(request, header)));
    put_address(out, peer.filter(|_| client != peer));
}

/// The host of the request's target, which HTTP/2 has in place of the header, else the `Host` header.
#[inline]
fn requested_host<'a, B>(request: &'a Request<B>, header: Option<&'a HeaderValue>) -> &'a [u8] {
    let host = match request.uri().authority().map(Authority::as_str) {
        Some(authority) => authority.as_bytes(),
        None => header.map(HeaderValue::as_bytes).unwrap_or_default(),
    };
    // A header's value has no control characters, and ASCII can be cut anywhere.
    if !host.is_ascii() {
        return b"";
    }
    if host.len() <= MAX_HOST {
        return host;
    }
    // User information in front is removed later; a cut must not leave a part of it.
    let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or(host);
    host.get(..MAX_HOST).unwrap_or(host)
}

/// The host that the client asked a proxy for.
#[cold]
fn forwarded_host(headers: &HeaderMap) -> Option<&str> {
    let first = |name| headers.get(name)?.to_str().ok()?.split(',').next();
    let host = if headers.contains_key("forwarded") {
        first("forwarded").and_then(|element| directive(element, "host"))
    } else {
        first("x-forwarded-host").map(str::trim)
    };
    host.filter(|host| !host.is_empty())
        .map(|host| prefix(host, MAX_HOST))
}

fn put_address(out: &mut Vec<u8>, address: Option<IpAddr>) {
    let Some(address) = address else {
        return put_str(out, "");
    };
    let mut text = [0_u8; 48];
    let mut rest = text.as_mut_slice();
    // The longest address has 45 characters.
    let len = write!(rest, "{address}").map_or(0, |()| 48 - rest.len());
    put_str(
        out,
        text.get(..len)
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or(""),
    );
}

/// The client's address: the peer's if the peer is no trusted proxy, else the first from the right in `Forwarded` or
/// `X-Forwarded-For` that is no trusted proxy. A client can forge only what stands left of it.
fn client(peer: IpAddr, headers: &HeaderMap, config: &HttpConfig) -> IpAddr {
    if !config.trusts(peer) {
        return peer;
    }
    let hops = if headers.contains_key("forwarded") {
        hops(headers, "forwarded", forwarded_for)
    } else {
        hops(headers, "x-forwarded-for", |hop| Some(hop.trim()))
    };
    let mut client = peer;
    for hop in hops.iter().rev() {
        // Anything but an address ends the chain: nothing left of it can be trusted.
        let Some(address) = hop.and_then(address) else {
            break;
        };
        client = address;
        if !config.trusts(address) {
            break;
        }
    }
    client
}

/// The hops of all headers of one name, in their order; at most the last 64.
fn hops<'a>(
    headers: &'a HeaderMap,
    name: &str,
    read: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<Option<&'a str>> {
    let values = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap_or("?"));
    let mut hops: Vec<_> = values
        .flat_map(|value| value.split(','))
        .map(read)
        .collect();
    hops.split_off(hops.len().saturating_sub(64))
}

/// `for=` of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<&str> {
    directive(element, "for")
}

/// A directive of one element of `Forwarded`.
fn directive<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case(wanted)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// Parses an address with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    text.parse()
        .ok()
        .or_else(|| text.rsplit_once(':')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let config = HttpConfig::default()
            .trusted_proxies(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        client(peer.parse().unwrap(), &map, &config).to_string()
    }

    #[test]
    fn only_trusted_proxies_name_the_client() {
        let xff = "x-forwarded-for";
        for (peer, headers, expected) in [
            ("192.0.2.1", &[(xff, "198.51.100.7")][..], "192.0.2.1"),
            ("10.0.0.1", &[(xff, "198.51.100.7")], "198.51.100.7"),
            (
                "10.0.0.1",
                &[(xff, "6.6.6.6, 198.51.100.7")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[(xff, "6.6.6.6, 198.51.100.7, 10.1.1.1")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[(xff, "6.6.6.6"), (xff, "198.51.100.7")],
                "198.51.100.7",
            ),
            ("10.0.0.1", &[(xff, "198.51.100.7:4711")], "198.51.100.7"),
            (
                "10.0.0.1",
                &[(xff, "198.51.100.7, rubbish, 10.1.1.1")],
                "10.1.1.1",
            ),
            ("10.0.0.1", &[(xff, "")], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            (
                "10.0.0.1",
                &[("forwarded", "for=198.51.100.7;proto=https")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "For=\"[2001:db8::1]:99\"")],
                "2001:db8::1",
            ),
            ("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[("forwarded", "for=1.1.1.1"), (xff, "2.2.2.2")],
                "1.1.1.1",
            ),
            ("fd00::1", &[(xff, "2001:db8::2")], "2001:db8::2"),
            ("10.0.0.1", &[(xff, "10.0.0.2, 10.0.0.3")], "10.0.0.2"),
        ] {
            assert_eq!(client_of(peer, headers), expected, "{peer} {headers:?}");
        }
    }
}
