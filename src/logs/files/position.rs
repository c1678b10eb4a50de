use std::fmt;
use std::str::FromStr;

/// A place between two lines of the log files: where the next line is read.
///
/// It stays valid when its file is renamed, compressed or continued by another process. Its text form is for storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    /// The ID of the list of files. Another ID means that the list was begun anew.
    pub(super) list: u64,
    /// The number of the file.
    pub(super) segment: u64,
    /// The byte in the file, before compression.
    pub(super) offset: u64,
    /// The number of the line, counted over all files of the list.
    pub(super) line: u64,
}

#[cfg_attr(
    not(feature = "elasticsearch"),
    expect(dead_code, reason = "only shipping numbers lines")
)]
impl LogPosition {
    /// The ID of the list of files.
    pub(crate) fn list(self) -> u64 {
        self.list
    }

    /// The number of the next line, counted over all files of the list.
    pub(crate) fn line(self) -> u64 {
        self.line
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            list,
            segment,
            offset,
            line,
        } = self;
        write!(f, "{list:016x}.{segment}.{offset}.{line}")
    }
}

impl FromStr for LogPosition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<_> = text.split('.').collect();
        let [list, segment, offset, line] = parts[..] else {
            return Err(());
        };
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self {
            list: u64::from_str_radix(list, 16).map_err(|_| ())?,
            segment: number(segment)?,
            offset: number(offset)?,
            line: number(line)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let position = LogPosition {
            list: u64::MAX - 3,
            segment: 17,
            offset: 0,
            line: u64::MAX,
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in ["", "1.2.3", "1.2.3.4.5", "x.2.3.4", "1.-2.3.4", "1.2.3.4\n"] {
            assert_eq!(bad.parse::<LogPosition>(), Err(()), "{bad}");
        }
    }
}
