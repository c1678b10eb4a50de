use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why the text of a search is not valid, and where.
///
/// ```
/// use watchpost::logs::LogQuery;
///
/// let error = LogQuery::default().text("timeout AND (").unwrap_err();
/// assert_eq!(error.position(), 13);
/// assert_eq!(
///     error.to_string(),
///     "the query is invalid at byte 13: expected a word, a \"phrase\", a field or `(`"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQueryError {
    position: usize,
    expected: Cow<'static, str>,
}

impl LogQueryError {
    pub(super) fn new(position: usize, expected: impl Into<Cow<'static, str>>) -> Self {
        Self {
            position,
            expected: expected.into(),
        }
    }

    /// The byte of the text at which something else was expected, from 0 to its length.
    pub fn position(&self) -> usize {
        self.position
    }

    /// What was expected there.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

impl fmt::Display for LogQueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, expected } = self;
        write!(
            f,
            "the query is invalid at byte {position}: expected {expected}"
        )
    }
}

impl Error for LogQueryError {}
