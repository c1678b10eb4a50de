//! Passwords behind the short options of known commands: `mysql -psecret`, `redis-cli -a secret`.

use std::ops::Range;

use super::{option, pair};

/// Bytes of a command that are looked through for its option.
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

/// The password of the command that begins at `start`. Nothing before `read` is read again.
pub(super) fn secret(text: &[u8], start: usize, read: &mut usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let name = rest.iter().take(16);
    let name = name
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    let command = rest.get(..name)?;
    let (_, letter) = COMMANDS.iter().find(|(known, _)| *known == command)?;
    // Of these the value is attached; what follows apart is the name of a database.
    let attached = command.starts_with(b"m");
    let from = (start + name).max(*read);
    let window = text.get(from..text.len().min(start + name + MAX))?;
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r' | b';' | b'|');
    let length = window.iter().position(ends).unwrap_or(window.len());
    let window = window.get(..length)?;
    super::count_visited(length);
    *read = from + length;
    let is_option = |three: &[u8]| matches!(three, [b' ' | b'\t' | b'"' | b'\'', b'-', found] if found == letter);
    let mut at = 0;
    while let Some(found) = window.get(at..)?.windows(3).position(is_option) {
        at += found + 3;
        if let Some(value) = value(text, from + at, attached) {
            return Some(value);
        }
    }
    None
}

/// The value of the option that ends at `at`.
fn value(text: &[u8], at: usize, attached: bool) -> Option<Range<usize>> {
    let next = text.get(at)?;
    let apart = matches!(next, b' ' | b'\t' | b'"' | b'\'' | b',');
    // A quote ends an argument of a list, or begins a value that a shell joins.
    let begins_quoted = matches!(next, b'"' | b'\'')
        && text
            .get(at + 1)
            .is_some_and(|byte| !byte.is_ascii_whitespace() && !b",]\"'".contains(byte));
    let value = if begins_quoted {
        at + 1..pair::end_of_quoted(text, at + 1)
    } else if !apart {
        let rest = text.get(at..)?;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>".contains(byte);
        at..at + rest.iter().position(ends).unwrap_or(rest.len())
    } else if attached {
        return None;
    } else {
        option::value(text, at)?
    };
    let value = option::without_marks(text, value);
    (!option::says_nothing(text, &value)).then_some(value)
}
