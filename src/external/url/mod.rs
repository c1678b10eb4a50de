//! What is kept of an outgoing URL.

mod at;
mod head;
mod query;
mod room;
mod target;

use self::room::Room;
pub(super) use self::target::{has_bad_port, target};

/// Stands for a secret.
const REDACTED: &str = "REDACTED";

/// `url.full` as it may be shown, of any text: without user information and fragment, in at most 2,048 bytes. A
/// query keeps its names; of its values those that `shows` says, given a name and its value. Secrets in the path are left to whoever scrubs paths.
pub(super) fn shown(url: &str, shows: impl Fn(&str, &str) -> bool) -> String {
    let mut room = Room::new(url.len());
    let rest = head::put(&mut room, url);
    if let Some(query) = rest.strip_prefix('?') {
        room.put("?");
        let query = query.split('#').next().unwrap_or_default();
        query::put(&mut room, query, &shows);
    }
    room.into_text()
}

#[cfg(test)]
mod tests;
