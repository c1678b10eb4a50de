//! A text of bounded length.

/// Replaces a secret.
pub(super) const REDACTED: &str = "REDACTED";
/// The maximum length of the text, in bytes.
const MAX: usize = 2048;
/// Marks the end of a text that was cut.
const CUT: &str = "…";
/// A truncated path ends at a slash if there is one within this many last bytes. The path is redacted later, and the
/// first half of a token would not be recognized as a token.
const MAX_TOKEN: usize = 64;

/// Collects text until it is full. Control characters and whitespace are percent-encoded.
pub(super) struct UrlBuffer(String);

impl UrlBuffer {
    pub(super) fn new(length: usize) -> Self {
        Self(String::with_capacity(
            length.saturating_add(32).min(MAX + 16),
        ))
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() > MAX
    }

    pub(super) fn push(&mut self, text: &str) {
        // `MAX` plus one character is enough to know that the text has to be cut.
        let text = prefix(text, (MAX + 4).saturating_sub(self.0.len()));
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            let (clean, tail) = rest.split_at_checked(at).unwrap_or_default();
            self.0.push_str(clean);
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                self.0.push('%');
                self.0.push(hex_digit(byte >> 4));
                self.0.push(hex_digit(byte & 15));
            }
            rest = tail.get(c.len_utf8()..).unwrap_or_default();
        }
        self.0.push_str(rest);
    }

    /// Appends a text, cut to `max` bytes.
    pub(super) fn push_truncated(&mut self, text: &str, max: usize) {
        let start = self.0.len();
        self.push(prefix(text, max.saturating_add(4)));
        self.cut(start, max);
    }

    /// Cuts the text after `start` to `max` bytes.
    fn cut(&mut self, start: usize, max: usize) {
        if self.0.len().saturating_sub(start) <= max {
            return;
        }
        let end = start.saturating_add(max).saturating_sub(CUT.len());
        let mut end = prefix(&self.0, end).len();
        // Do not leave half of a percent-encoded byte.
        let half_code = (1..=2).find(|back| {
            let at = end.checked_sub(*back);
            at.and_then(|at| self.0.as_bytes().get(at)) == Some(&b'%')
        });
        end = end.saturating_sub(half_code.unwrap_or_default()).max(start);
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

/// The longest prefix of at most `max` bytes that ends at a character boundary.
fn prefix(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// Whitespace, control characters, and invisible characters that change how a text is displayed.
pub(super) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c <= ' ' || c == '\x7f';
    }
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}
