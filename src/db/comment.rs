//! The trace as a comment behind a statement, in sqlcommenter's form.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::trace::Carried;

/// What a comment tells: the trace, and nothing that callers put there.
pub(super) const CARRIED: Carried = Carried {
    trace_context: true,
    baggage: false,
};
/// Bytes of a comment.
const MAX_COMMENT: usize = 1024;

/// A statement, and the comment that it gets.
#[derive(Debug)]
pub(super) struct Comment<'s> {
    statement: &'s str,
    comment: String,
}

impl<'s> Comment<'s> {
    pub(super) fn new(statement: &'s str) -> Self {
        Self {
            statement,
            comment: String::new(),
        }
    }

    /// Adds a key with its value, which is written so that it can end neither text nor comment.
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

    /// The statement with its comment, unless there is nothing to say or it has one already.
    pub(super) fn done(self) -> Cow<'s, str> {
        let has_one = ["/*", "--", "#"]
            .iter()
            .any(|opens| self.statement.contains(opens));
        if has_one || self.comment.is_empty() {
            return Cow::Borrowed(self.statement);
        }
        Cow::Owned(format!("{} /*{}*/", self.statement, self.comment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_comment_says_ends_neither_text_nor_comment() {
        let commented = |statement: &'static str, value: &str| {
            let mut comment = Comment::new(statement);
            comment.put("traceparent", "00-ab-cd-01");
            comment.put("tracestate", value);
            comment.done()
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
        assert_eq!(Comment::new("SELECT 1").done(), "SELECT 1");
    }
}
