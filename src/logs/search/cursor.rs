use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A place among the log records: where a search goes on, see [`LogQuery::before`](crate::logs::LogQuery::before).
///
/// Its text form can be stored or passed on in a URL. In files, it stays valid when they are closed, compressed or continued
/// by another process; in memory, until the process ends.
///
/// ```
/// use watchpost::logs::LogCursor;
///
/// let cursor: LogCursor = "f.00c0ffee00c0ffee.17.4096".parse()?;
/// assert_eq!(cursor.to_string(), "f.00c0ffee00c0ffee.17.4096");
/// # Ok::<(), watchpost::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogCursor(pub(super) CursorPlace);

/// What a cursor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CursorPlace {
    File {
        /// The ID of the list of files.
        list: u64,
        /// The number of the file.
        segment: u64,
        /// The byte in the file, before compression, at which a line begins.
        offset: u64,
    },
    Memory {
        /// Which process, by its start.
        run: u64,
        sequence: u64,
    },
}

/// The error of a cursor that is from elsewhere.
pub(super) fn stale_cursor() -> Error {
    Error::query("the cursor is of log records that are not there any more: begin without one")
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CursorPlace::File {
                list,
                segment,
                offset,
            } => write!(f, "f.{list:016x}.{segment}.{offset}"),
            CursorPlace::Memory { run, sequence } => write!(f, "m.{run:016x}.{sequence}"),
        }
    }
}

impl FromStr for LogCursor {
    type Err = Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        parse(text).ok_or_else(|| Error::query("the cursor is not the `next` of an earlier search"))
    }
}

fn parse(text: &str) -> Option<LogCursor> {
    let mut parts = text.split('.');
    let kind = parts.next()?;
    let id = parts.next().filter(|it| it.len() == 16)?;
    let id = u64::from_str_radix(id, 16).ok()?;
    let mut number = || parts.next()?.parse().ok();
    let place = match kind {
        "f" => CursorPlace::File {
            list: id,
            segment: number()?,
            offset: number()?,
        },
        "m" => CursorPlace::Memory {
            run: id,
            sequence: number()?,
        },
        _ => return None,
    };
    parts.next().is_none().then_some(LogCursor(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let memory = CursorPlace::Memory {
            run: u64::MAX,
            sequence: 3,
        };
        let file = CursorPlace::File {
            list: 1,
            segment: 2,
            offset: u64::MAX,
        };
        for cursor in [LogCursor(memory), LogCursor(file)] {
            assert_eq!(cursor.to_string().parse::<LogCursor>().unwrap(), cursor);
        }
        for bad in [
            "",
            "f.1.2.3",
            "f.0000000000000001.2",
            "m.0000000000000001.2.3",
            "x.0000000000000001.2",
        ] {
            assert!(bad.parse::<LogCursor>().unwrap_err().is_query(), "{bad}");
        }
    }
}
