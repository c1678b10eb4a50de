use std::borrow::Cow;

use super::cut::cut;

/// The maximum number of attributes of a request.
pub(crate) const MAX_ATTRIBUTES: usize = 128;
/// The maximum number of bytes of a key.
pub(crate) const MAX_KEY: usize = 128;
/// The maximum number of bytes of a value.
pub(crate) const MAX_VALUE: usize = 4096;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A text of at most 4 KiB.
    Str(Cow<'static, str>),
    /// An integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// A Boolean.
    Bool(bool),
}

/// Attributes that the host adds to a request. They appear in the request's log record and span, never in metrics.
///
/// Each key is unique: a later value replaces the earlier one. Values are redacted before they are written.
///
/// # Limits
///
/// At most 128 attributes, with keys of up to 128 bytes and values of up to 4 KiB. A longer text is truncated at a
/// character boundary. Further keys are left out and [counted](Self::left_out). All attributes of a request take at
/// most 16 KiB in its log record and in its span. A log record that is shortened has the field `truncated`, a span the
/// attribute `watchpost.truncated`.
///
/// ```
/// use watchpost::Attributes;
///
/// let mut attributes = Attributes::default();
/// attributes.insert("tenant", "acme");
/// attributes.insert("items", 3);
/// assert_eq!(attributes.len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    items: Vec<(Cow<'static, str>, Value)>,
    left_out: u32,
    /// Whether a key or a text was truncated.
    shortened: bool,
}

impl Attributes {
    /// Sets `key` to `value`, and replaces an earlier value.
    pub fn insert(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        self.shortened |= key.len() > MAX_KEY || value.is_long();
        let (key, value) = (within(key, MAX_KEY), value.cut());
        if let Some((_, old)) = self.items.iter_mut().find(|(have, _)| *have == key) {
            *old = value;
        } else if self.items.len() < MAX_ATTRIBUTES {
            self.items.push((key, value));
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Returns the value of `key`.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.items
            .iter()
            .find(|(have, _)| have == key)
            .map(|(_, value)| value)
    }

    /// Iterates over the attributes in the order in which they were inserted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.items.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Returns the number of attributes.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of attributes that were left out because there were 128 already.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Records that another text of the request was truncated.
    #[cold]
    pub(crate) fn note_shortened(&mut self) {
        self.shortened = true;
    }

    /// Whether a key or a text was truncated.
    pub(crate) fn is_shortened(&self) -> bool {
        self.shortened
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.left_out = 0;
        self.shortened = false;
    }
}

impl Value {
    fn is_long(&self) -> bool {
        matches!(self, Self::Str(text) if text.len() > MAX_VALUE)
    }

    fn cut(self) -> Self {
        match self {
            Self::Str(text) => Self::Str(within(text, MAX_VALUE)),
            other => other,
        }
    }
}

/// Truncates a text to at most `max` bytes. A text that is too long is redacted first.
pub(crate) fn within(text: Cow<'static, str>, max: usize) -> Cow<'static, str> {
    if text.len() <= max {
        text
    } else {
        Cow::Owned(cut(&text, max).into_owned())
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident ($to:ty)),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(<$to>::from(value))
            }
        })*
    };
}

value_from! {
    &'static str => Str(Cow<'static, str>),
    String => Str(Cow<'static, str>),
    Cow<'static, str> => Str(Cow<'static, str>),
    i8 => I64(i64), i16 => I64(i64), i32 => I64(i64), i64 => I64(i64),
    u8 => I64(i64), u16 => I64(i64), u32 => I64(i64),
    f32 => F64(f64), f64 => F64(f64),
    bool => Bool(bool),
}

impl From<u64> for Value {
    /// A number above `i64::MAX` becomes a text, so that no digit is lost.
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Str(value.to_string().into()), Self::I64)
    }
}

impl From<usize> for Value {
    /// Converts as from `u64`.
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_and_what_is_left_out_is_counted() {
        let mut attributes = Attributes::default();
        for n in 0..200_u32 {
            attributes.insert(format!("key{n}"), n);
        }
        assert_eq!((attributes.len(), attributes.left_out()), (128, 72));
        attributes.insert("key0", "ä".repeat(4000));
        let Some(Value::Str(text)) = attributes.value("key0") else {
            panic!("a text")
        };
        assert_eq!(text.len(), 4096);
        assert_eq!(
            Value::from(u64::MAX),
            Value::Str("18446744073709551615".into())
        );
    }
}
