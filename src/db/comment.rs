//! Appends the trace context to a statement as a comment in sqlcommenter's format.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::trace::Propagators;

/// The content of a comment: the trace context, without baggage, which callers may have filled.
pub(super) const PROPAGATORS: Propagators = Propagators {
    trace_context: true,
    baggage: false,
};
/// Bytes of a comment. A pair that does not fit is left out.
const MAX_COMMENT: usize = 1024;

/// Builds the comment of a statement.
#[derive(Debug)]
pub(super) struct CommentBuilder<'s> {
    statement: &'s str,
    comment: String,
}

impl<'s> CommentBuilder<'s> {
    pub(super) fn new(statement: &'s str) -> Self {
        Self {
            statement,
            comment: String::new(),
        }
    }

    /// Adds a key and its value. The value is percent-encoded, so that it cannot end the quotes or the comment.
    pub(super) fn put(&mut self, key: &str, value: &str) {
        if self.comment.len() + key.len() + 3 * value.len() + 8 > MAX_COMMENT {
            return;
        }
        let comma = if self.comment.is_empty() { "" } else { "," };
        let _infallible = write!(self.comment, "{comma}{key}='");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                self.comment.push(char::from(byte));
            } else {
                let _infallible = write!(self.comment, "%{byte:02X}");
            }
        }
        self.comment.push('\'');
    }

    /// The statement with its comment. A statement without a pair, or with a comment already, is returned unchanged.
    pub(super) fn finish(self) -> Cow<'s, str> {
        let has_comment = ["/*", "--", "#"]
            .iter()
            .any(|opening| self.statement.contains(opening));
        if has_comment || self.comment.is_empty() {
            return Cow::Borrowed(self.statement);
        }
        Cow::Owned(format!("{} /*{}*/", self.statement, self.comment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_neither_quotes_nor_comment() {
        let commented = |statement: &'static str, value: &str| {
            let mut comment = CommentBuilder::new(statement);
            comment.put("traceparent", "00-ab-cd-01");
            comment.put("tracestate", value);
            comment.finish()
        };
        assert_eq!(
            commented("SELECT 1", "a=b,c='*/ DROP TABLE x"),
            "SELECT 1 /*traceparent='00-ab-cd-01',tracestate='a%3Db%2Cc%3D%27%2A%2F%20DROP%20TABLE%20x'*/"
        );
        for statement in ["SELECT 1 -- why", "/* why */ SELECT 1", "SELECT 1 # why"] {
            assert_eq!(commented(statement, "a"), statement);
        }
        let long = "x".repeat(2000);
        assert_eq!(
            commented("SELECT 1", &long),
            "SELECT 1 /*traceparent='00-ab-cd-01'*/"
        );
        assert_eq!(CommentBuilder::new("SELECT 1").finish(), "SELECT 1");
    }
}
