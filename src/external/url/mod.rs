//! The URL of an outgoing call: its recorded parts, and its server.

mod buffer;
mod head;
mod host_port;
mod percent;
mod query;

use self::buffer::UrlBuffer;
pub(super) use self::host_port::{has_invalid_port, host_port};

/// Returns `url.full` as it may be recorded, for any text: without user information and fragment, in at most 2,048
/// bytes.
///
/// A query keeps its parameter names. A value is kept if `shows` allows it, given the name and the value; all others
/// are replaced. Secrets in the path are left to the redaction of paths.
pub(super) fn shown(url: &str, shows: impl Fn(&str, &str) -> bool) -> String {
    let mut buffer = UrlBuffer::new(url.len());
    let rest = head::push(&mut buffer, url);
    if let Some(query) = rest.strip_prefix('?') {
        buffer.push("?");
        let query = query.split('#').next().unwrap_or_default();
        query::push(&mut buffer, query, &shows);
    }
    buffer.into_text()
}

#[cfg(test)]
mod tests;
