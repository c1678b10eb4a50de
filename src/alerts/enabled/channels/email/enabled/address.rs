//! Senders, recipients and hosts.

use lettre::message::Mailbox;

/// The maximum number of characters of an address with a name.
const MAX_MAILBOX: usize = 320;

/// Parses `ops@example.com` or `Operations <ops@example.com>`.
///
/// # Errors
///
/// Returns what is wrong with it.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let text = text.trim();
    let problem = || {
        let shown: String = text
            .chars()
            .filter(|char| !char.is_control())
            .take(80)
            .collect();
        format!("`{shown}` is no address: write one such as `ops@example.com`")
    };
    if text.chars().count() > MAX_MAILBOX || text.chars().any(char::is_control) {
        return Err(problem());
    }
    let mailbox = text.parse::<Mailbox>().map_err(|_| problem())?;
    // An address with other characters needs an extension of SMTP that few servers have.
    let address: &str = mailbox.email.as_ref();
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>()[]\\,;:\"".contains(&byte);
    if address.bytes().all(is_plain) {
        Ok(mailbox)
    } else {
        Err(problem())
    }
}

/// Whether this may be a name or an address of a host.
pub(super) fn is_host(text: &str) -> bool {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = !text.is_empty() && text.len() <= 253 && text.bytes().all(is_plain);
    is_name || bare.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_no_character_that_ends_a_command_or_a_header() {
        for (text, address) in [
            ("ops@example.com", "ops@example.com"),
            (
                "  Ops Team <ops+a@sub.example.com> ",
                "ops+a@sub.example.com",
            ),
            ("Überwacher <a.b_c-d@example.com>", "a.b_c-d@example.com"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(mailbox(text).unwrap().email.to_string(), address);
        }
        for text in [
            "",
            "ops",
            "@example.com",
            "ops@",
            "a@b@c",
            "ops@example.com\r\nRCPT TO:<evil@example.com>",
            "ops@example.com, evil@example.com",
            "Ops\r\nBcc: evil@example.com <ops@example.com>",
            "<ops@example.com> evil@example.com",
            "\"a b\"@example.com",
            "<script>@example.com",
            "büro@example.com",
            "ops@[127.0.0.1]",
        ] {
            assert!(mailbox(text).is_err(), "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(400));
        assert!(mailbox(&long).is_err());
    }
}
