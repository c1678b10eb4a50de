//! Passwords after the short options of known commands: `mysql -psecret`, `redis-cli -a secret`.

use std::ops::Range;

use super::mark::count_visited;
use super::{option, value};

/// Bytes of a command in which its option is searched.
const MAX: usize = 512;

/// Commands and the letter of the option that carries a password.
const COMMANDS: [(&[u8], u8); 11] = [
    (b"mysql", b'p'),
    (b"mysqldump", b'p'),
    (b"mysqladmin", b'p'),
    (b"mysqlimport", b'p'),
    (b"mysqlcheck", b'p'),
    (b"mysqlpump", b'p'),
    (b"mariadb", b'p'),
    (b"mariadb-dump", b'p'),
    (b"mariadb-admin", b'p'),
    (b"sshpass", b'p'),
    (b"redis-cli", b'a'),
];

/// The password of the command at `start`. Bytes before `read` were read by an earlier call and are skipped.
pub(super) fn secret(text: &[u8], start: usize, read: &mut usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let name = rest.iter().take(16);
    let name = name
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    let command = rest.get(..name)?;
    let (_, letter) = COMMANDS.iter().find(|(known, _)| *known == command)?;
    // The MySQL commands attach the value; a separate argument is the name of a database.
    let attached = command.starts_with(b"m");
    let from = (start + name).max(*read);
    let window = text.get(from..text.len().min(start + name + MAX))?;
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r' | b';' | b'|');
    let length = window.iter().position(ends).unwrap_or(window.len());
    let window = window.get(..length)?;
    count_visited(length);
    *read = from + length;
    let is_option = |three: &[u8]| matches!(three, [b' ' | b'\t' | b'"' | b'\'', b'-', found] if found == letter);
    let mut at = 0;
    while let Some(found) = window.get(at..)?.windows(3).position(is_option) {
        at += found + 3;
        if let Some(value) = option_value(text, from + at, attached) {
            return Some(value);
        }
    }
    None
}

/// The value of the option letter before `at`.
fn option_value(text: &[u8], at: usize, attached: bool) -> Option<Range<usize>> {
    let next = text.get(at)?;
    let apart = matches!(next, b' ' | b'\t' | b'"' | b'\'' | b',');
    // A quote ends an argument in a list, or starts a value that a shell joins to the option.
    let begins_quoted = matches!(next, b'"' | b'\'')
        && text
            .get(at + 1)
            .is_some_and(|byte| !byte.is_ascii_whitespace() && !b",]\"'".contains(byte));
    let value = if begins_quoted {
        at + 1..value::end_of_quoted(text, at + 1)
    } else if !apart {
        let rest = text.get(at..)?;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>".contains(byte);
        at..at + rest.iter().position(ends).unwrap_or(rest.len())
    } else if attached {
        return None;
    } else {
        option::value(text, at)?
    };
    let value = option::without_punctuation(text, value);
    (!option::is_placeholder(text, &value)).then_some(value)
}
