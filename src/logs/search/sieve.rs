//! What a line must contain to fulfil an expression: cheap to look for in a block of lines, and in the filter of its words.

use super::grammar::{Condition, Expression, RangeBound, Test, Words, fold, is_found_by_words};

/// A necessary condition of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sieve {
    /// Nothing is known.
    Pass,
    And(Vec<Self>),
    Or(Vec<Self>),
    /// These ASCII characters, in lower case.
    Bytes(String),
    /// A word of any value that is in the index, by its hash, and its characters.
    Word {
        hash: u64,
        bytes: String,
    },
}

impl Sieve {
    pub(super) fn of(expression: &Expression) -> Self {
        match expression {
            // What must not be there says nothing about what must.
            Expression::All | Expression::Not(_) => Self::Pass,
            Expression::And(all) => {
                let parts = all.iter().map(Self::of).filter(|it| *it != Self::Pass);
                Self::all(parts.collect())
            }
            Expression::Or(any) => {
                let parts: Vec<_> = any.iter().map(Self::of).collect();
                if parts.contains(&Self::Pass) {
                    Self::Pass
                } else {
                    Self::Or(parts)
                }
            }
            Expression::Condition(condition) => Self::of_condition(condition),
        }
    }

    fn all(mut parts: Vec<Self>) -> Self {
        match parts.pop() {
            None => Self::Pass,
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                Self::And(parts)
            }
        }
    }

    fn of_condition(condition: &Condition) -> Self {
        let name = condition.field.as_deref();
        let mut parts = Vec::new();
        // A name with other characters may be escaped on the line.
        if let Some(name) = name.filter(|it| {
            it.bytes()
                .all(|byte| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\'))
        }) {
            parts.push(Self::Bytes(format!("\"{}\":", name.to_ascii_lowercase())));
        }
        let is_indexed = name.is_none_or(is_found_by_words);
        let mut add = |words: &mut dyn Iterator<Item = String>, is_prefix: bool| {
            let mut words = words.peekable();
            while let Some(word) = words.next() {
                let is_cut = is_prefix && words.peek().is_none();
                parts.extend(Self::of_word(&word, is_indexed && !is_cut));
            }
        };
        match &condition.test {
            Test::Words {
                words,
                is_prefix,
                whole,
            } if name.is_none() || RangeBound::number(whole).is_none() => {
                add(&mut words.iter().cloned(), *is_prefix);
            }
            Test::Exact(text) => {
                add(&mut Words::of(text).map(super::grammar::folded), false);
            }
            // A number may be written in several ways.
            Test::Words { .. } | Test::Exists | Test::Within(_) => {}
        }
        Self::all(parts)
    }

    fn of_word(word: &str, is_indexed: bool) -> Option<Self> {
        let runs = word.split(|it: char| !it.is_ascii());
        let bytes = runs
            .max_by_key(|run| run.len())
            .unwrap_or_default()
            .to_owned();
        if is_indexed {
            let hash = hash_of_word(word);
            return Some(Self::Word { hash, bytes });
        }
        (!bytes.is_empty()).then_some(Self::Bytes(bytes))
    }

    /// Whether a text in lower case may fulfil the expression.
    pub(super) fn passes(&self, lower: &str) -> bool {
        match self {
            Self::Pass => true,
            Self::And(all) => all.iter().all(|it| it.passes(lower)),
            Self::Or(any) => any.iter().any(|it| it.passes(lower)),
            Self::Bytes(bytes) | Self::Word { bytes, .. } => lower.contains(&**bytes),
        }
    }

    /// Whether lines with these words may fulfil the expression.
    pub(super) fn passes_words(&self, may_have: &dyn Fn(u64) -> bool) -> bool {
        match self {
            Self::Pass | Self::Bytes(_) => true,
            Self::And(all) => all.iter().all(|it| it.passes_words(may_have)),
            Self::Or(any) => any.iter().any(|it| it.passes_words(may_have)),
            Self::Word { hash, .. } => may_have(*hash),
        }
    }

    /// Whether it says anything about words.
    pub(super) fn has_words(&self) -> bool {
        match self {
            Self::Pass | Self::Bytes(_) => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::has_words),
            Self::Word { .. } => true,
        }
    }
}

/// The hash of a word without its case. It is stored, so it stays as it is.
pub(super) fn hash_of_word(word: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = 0x2545_f491_4f6c_dd1d_u64;
    let mut add = |value: u32| {
        hash = (hash.rotate_left(5) ^ u64::from(value)).wrapping_mul(FACTOR);
    };
    if word.is_ascii() {
        for byte in word.bytes() {
            add(u32::from(byte.to_ascii_lowercase()));
        }
    } else {
        for char in word.chars() {
            add(u32::from(fold(char)));
        }
    }
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::super::grammar::parse;
    use super::*;

    fn sieve(text: &str) -> Sieve {
        Sieve::of(&parse(text).unwrap())
    }

    #[test]
    fn only_what_every_match_contains_is_looked_for() {
        assert_eq!(sieve("NOT a"), Sieve::Pass);
        assert_eq!(sieve("a OR NOT b"), Sieve::Pass);
        assert_eq!(sieve("status:500"), Sieve::Bytes("\"status\":".to_owned()));
        assert_eq!(sieve("a AND NOT b"), sieve("a"));
        let either = sieve("Timeout OR refused");
        assert!(either.passes("a timeout") && either.passes("refused") && !either.passes("no"));
        // The characters of a word without ASCII are none.
        assert!(sieve("é").passes(""));
        assert_eq!(hash_of_word("ÉTÉ"), hash_of_word("été"));
        assert!(sieve("a").has_words() && !sieve("a*").has_words());
    }
}
