//! Unique field names: if fields of the host share a name, the last one is kept on the line.

use super::log_line::LogLine;

/// The positions of the host's fields on one line. The memory is reused for the next line.
#[derive(Debug, Default)]
pub(super) struct FieldNames {
    /// A Bloom filter of the names: a name whose bit is not set is new, and is added without a search.
    bits: u64,
    /// Where each field begins, and the length of its name with the separators around it.
    fields: Vec<(usize, usize)>,
}

impl FieldNames {
    /// Begins a new line.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bits = 0;
        self.fields.clear();
    }

    /// Adds the field whose name the line ends with, from `start` on. An earlier field with this name is removed.
    #[inline]
    pub(super) fn add(&mut self, line: &mut LogLine<'_>, start: usize) {
        let name = line.since(start);
        let (bit, length) = (bit_of(name), name.len());
        let removed = if self.bits & bit == 0 {
            0
        } else {
            self.remove_earlier(line, start)
        };
        self.bits |= bit;
        self.fields.push((start - removed, length));
    }

    /// Removes the earlier field with the name of the one that begins at `start`; returns the length of what was
    /// removed.
    #[cold]
    fn remove_earlier(&mut self, line: &mut LogLine<'_>, start: usize) -> usize {
        let name = line.since(start);
        let mut fields = self.fields.iter();
        let same = fields.position(|(from, length)| line.since(*from).get(..*length) == Some(name));
        let Some(at) = same else { return 0 };
        let (from, _) = self.fields.remove(at);
        let to = self.fields.get(at).map_or(start, |(next, _)| *next);
        line.remove(from..to);
        for (later, _) in self.fields.iter_mut().skip(at) {
            *later -= to - from;
        }
        to - from
    }
}

/// The bit of a name, which is between separators.
#[inline]
fn bit_of(name: &[u8]) -> u64 {
    let at = |at: usize| u32::from(name.get(at).copied().unwrap_or_default());
    let length = name.len();
    let mixed = (length as u32)
        .wrapping_add(at(2) << 8)
        .wrapping_add(at(length / 2) << 16)
        .wrapping_add(at(length.wrapping_sub(3)) << 24)
        .wrapping_mul(0x9e37_79b1);
    1 << (mixed >> 26)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(pretty: bool, names: &[&str]) -> String {
        let (mut out, mut all) = (b"before".to_vec(), FieldNames::default());
        let mut line = LogLine::fragment(&mut out, pretty);
        for (n, name) in names.iter().enumerate() {
            let start = line.len();
            line.put_host_key(name);
            all.add(&mut line, start);
            line.put_u64(n as u64);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_is_unique_and_has_its_last_value() {
        for (names, json, pretty) in [
            (&["a", "b"][..], r#","a":0,"b":1"#, " a=0 b=1"),
            (&["a", "a"], r#","a":1"#, " a=1"),
            (
                &["a", "b", "c", "b", "a"],
                r#","c":2,"b":3,"a":4"#,
                " c=2 b=3 a=4",
            ),
            (&["a", "aa", "a"], r#","aa":1,"a":2"#, " aa=1 a=2"),
            (
                &["level", "attributes.level"],
                r#","attributes.level":1"#,
                " attributes.level=1",
            ),
            (&["x", "x", "x", "x"], r#","x":3"#, " x=3"),
            (&["", ""], r#","":1"#, " =1"),
        ] {
            assert_eq!(put(false, names), format!("before{json}"));
            assert_eq!(put(true, names), format!("before{pretty}"));
        }
    }
}
