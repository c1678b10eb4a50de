//! Parsing of a `Host` header.

/// Splits a `Host` header or an authority into name and port; `None` if it is neither a name nor an address.
pub(crate) fn split_host(host: &str) -> Option<(&str, Option<u16>)> {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']')?;
            name.parse::<std::net::Ipv6Addr>().ok()?;
            (name, port)
        }
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:".contains(&byte);
    let valid = !name.is_empty() && name.bytes().all(is_name);
    let port = match port {
        "" | ":" => None,
        port => Some(port.strip_prefix(':')?.parse().ok()?),
    };
    valid.then_some((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_a_port() {
        for (host, expected) in [
            ("shop.test", Some(("shop.test", None))),
            ("shop.test:8080", Some(("shop.test", Some(8080)))),
            ("shop.test:", Some(("shop.test", None))),
            ("127.0.0.1:80", Some(("127.0.0.1", Some(80)))),
            ("[::1]:8080", Some(("::1", Some(8080)))),
            ("[::1]", Some(("::1", None))),
            ("user:secret@shop.test:80", Some(("shop.test", Some(80)))),
            ("", None),
            (":80", None),
            ("::1", None),
            ("[::1", None),
            ("[shop]", None),
            ("shop.test:65536", None),
            ("shop.test:http", None),
            ("shop test", None),
            ("shop.test/path", None),
            ("<script>", None),
        ] {
            assert_eq!(split_host(host), expected, "{host}");
        }
    }
}
