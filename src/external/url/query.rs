//! The query: its names stay.

use super::room::Room;
use super::{REDACTED, at};

/// Parameters shown.
const MAX_PARAMETERS: usize = 32;
/// Bytes of a name.
const MAX_NAME: usize = 128;
/// Bytes of what is a name though it has no value.
const MAX_BARE: usize = 32;
/// Bytes of a value that is shown.
const MAX_VALUE: usize = 128;
const MORE: &str = "…";

/// Puts a query with `REDACTED` for every value but those that are shown.
///
/// `;` separates too, but what follows it may be the rest of a value, and what has no equals sign may be
/// one: those stay only where they look like a name.
pub(super) fn put(room: &mut Room, query: &str, shows: &impl Fn(&str, &str) -> bool) {
    let mut rest = query;
    let mut before = '&';
    for _ in 0..MAX_PARAMETERS {
        let end = rest.find(['&', ';']);
        let (parameter, tail) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or_default();
        put_parameter(room, parameter, before, shows);
        let mut tail = tail.chars();
        let Some(separator) = tail.next() else { return };
        before = separator;
        rest = tail.as_str();
        room.put(if separator == ';' { ";" } else { "&" });
        if room.is_full() {
            return;
        }
    }
    room.put(MORE);
}

fn put_parameter(
    room: &mut Room,
    parameter: &str,
    before: char,
    shows: &impl Fn(&str, &str) -> bool,
) {
    let Some(equals) = at::first(parameter, '=', *b"3d") else {
        let stays = parameter.is_empty()
            || parameter == REDACTED
            || parameter == MORE
            || before == '&' && is_plain(parameter);
        room.put(if stays { parameter } else { REDACTED });
        return;
    };
    let name = parameter.get(..equals.start).unwrap_or_default();
    let value = parameter.get(equals.end..).unwrap_or_default();
    let stays = match before {
        ';' => is_plain(name),
        // What ends in equals signs may be a value in base 64.
        _ if value.is_empty() => is_plain(&name.to_ascii_lowercase()),
        _ if value.bytes().all(|byte| byte == b'=') => false,
        _ => !holds_more(name),
    };
    if stays {
        room.put_short(name, MAX_NAME);
    } else {
        room.put(REDACTED);
    }
    room.put("=");
    if value.is_empty() {
    } else if stays && before == '&' && value.len() <= MAX_VALUE && shows(name, value) {
        room.put(value);
    } else {
        room.put(REDACTED);
    }
}

fn is_plain(name: &str) -> bool {
    let holds = |byte: u8| byte.is_ascii_lowercase() || b"-_.[]$".contains(&byte);
    name.len() <= MAX_BARE && name.bytes().all(holds)
}

/// Whether user information or another query may stand in a name.
fn holds_more(name: &str) -> bool {
    name.contains("//")
        || name.contains('\\')
        || name.trim_start_matches('?').contains('?')
        || at::end_of_last_at(name).is_some()
}
