//! The encoding of records, in memory and on disk: little-endian numbers and length-prefixed texts. Records are encoded
//! on a request's thread and decoded on the worker's. Decoding never panics: a record that is cut short yields `None`.

/// A text in a record: bytes that are checked to be UTF-8 only when they are needed as a `str`. Most texts are only
/// copied.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecordText<'a>(&'a [u8]);

impl<'a> RecordText<'a> {
    #[inline]
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The text up to the first byte that is not UTF-8.
    pub(crate) fn as_str(self) -> &'a str {
        std::str::from_utf8(self.0).unwrap_or_else(|_| {
            let first = self.0.utf8_chunks().next();
            first.map_or("", |chunk| chunk.valid())
        })
    }
}

impl<'a> From<&'a str> for RecordText<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl std::fmt::Debug for RecordText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Appends a length-prefixed text.
#[inline]
pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends length-prefixed bytes, at most 4 GiB of them.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    // Even a copy of no bytes costs a call.
    if len > 0 {
        out.extend_from_slice(bytes.get(..len as usize).unwrap_or(bytes));
    }
}

/// Appends what `write` appends, prefixed with its length.
#[inline]
pub(crate) fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let head = out.len();
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    write(out);
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(head..start) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

/// Decodes a record from its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reader<'a>(&'a [u8]);

macro_rules! numbers {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(#[inline]
        pub(crate) fn $name(&mut self) -> Option<$type> {
            self.array().map(<$type>::from_le_bytes)
        })*
    };
}

impl<'a> Reader<'a> {
    pub(crate) fn new(record: &'a [u8]) -> Self {
        Self(record)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    numbers! { u8: u8, u32: u32, u64: u64, u128: u128, i64: i64, f64: f64 }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        let (head, rest) = self.0.split_at_checked(len as usize)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The bytes that have not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Option<RecordText<'a>> {
        self.bytes().map(RecordText)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_cut_record_is_none() {
        let mut record = Vec::new();
        record.extend_from_slice(&7_u32.to_le_bytes());
        put_str(&mut record, "grün");
        let mut reader = Reader::new(&record);
        assert_eq!(
            (reader.u32(), reader.text()),
            (Some(7), Some("grün".into()))
        );
        assert!(reader.is_empty());
        for len in 0..record.len() {
            let mut reader = Reader::new(&record[..len]);
            assert_eq!(
                reader.u32().and_then(|_| reader.text()),
                None,
                "cut at {len}"
            );
        }
    }

    #[test]
    fn a_damaged_text_is_read_up_to_the_damage() {
        for (bytes, text) in [
            (&b"gr\xc3\xbcn"[..], "grün"),
            (b"gr\xc3", "gr"),
            (b"\xff", ""),
        ] {
            assert_eq!(RecordText(bytes).as_str(), text);
        }
    }
}
