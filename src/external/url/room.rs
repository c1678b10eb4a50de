//! A text of bounded length.

/// Bytes of a whole text.
const MAX: usize = 2048;
/// Ends what was cut.
const CUT: &str = "…";
/// Bytes before the end of what is cut that are left out back to a slash: the beginning of a token in a path,
/// which has not been scrubbed yet, would be no longer known.
const MAX_TOKEN: usize = 64;

/// Takes text, with control characters and blanks percent-encoded, until it is full.
pub(super) struct Room(String);

impl Room {
    pub(super) fn new(length: usize) -> Self {
        Self(String::with_capacity(
            length.saturating_add(32).min(MAX + 16),
        ))
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() > MAX
    }

    pub(super) fn put(&mut self, text: &str) {
        // One byte too many is enough to know that it has to be cut.
        let text = beginning(text, (MAX + 4).saturating_sub(self.0.len()));
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            let (clean, tail) = rest.split_at_checked(at).unwrap_or_default();
            self.0.push_str(clean);
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                self.0.push('%');
                self.0.push(digit(byte >> 4));
                self.0.push(digit(byte & 15));
            }
            rest = tail.get(c.len_utf8()..).unwrap_or_default();
        }
        self.0.push_str(rest);
    }

    /// Puts a text of which at most `max` bytes are shown.
    pub(super) fn put_short(&mut self, text: &str, max: usize) {
        let start = self.0.len();
        self.put(beginning(text, max.saturating_add(4)));
        self.cut(start, max);
    }

    /// Cuts what stands from `start` on down to `max` bytes.
    fn cut(&mut self, start: usize, max: usize) {
        if self.0.len().saturating_sub(start) <= max {
            return;
        }
        let end = start.saturating_add(max).saturating_sub(CUT.len());
        let mut end = beginning(&self.0, end).len();
        // No half of a percent-encoded byte.
        let broken = (1..=2).find(|back| {
            let at = end.checked_sub(*back);
            at.and_then(|at| self.0.as_bytes().get(at)) == Some(&b'%')
        });
        end = end.saturating_sub(broken.unwrap_or_default()).max(start);
        self.0.truncate(end);
        self.0.push_str(CUT);
    }

    pub(super) fn into_text(mut self) -> String {
        if self.0.len() > MAX {
            self.cut(0, MAX);
            let end = self.0.len().saturating_sub(CUT.len());
            let path = self.0.find('?').unwrap_or(end);
            let slash = self.0.get(..end).and_then(|text| text.rfind('/'));
            if let Some(slash) = slash.filter(|at| path >= end && at + MAX_TOKEN >= end) {
                self.0.truncate(slash + 1);
                self.0.push_str(CUT);
            }
        }
        self.0
    }
}

/// The longest beginning of at most `max` bytes that ends at a character.
fn beginning(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// Blanks, control characters, and those that are not seen but change how a line is read.
pub(super) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c <= ' ' || c == '\x7f';
    }
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}
