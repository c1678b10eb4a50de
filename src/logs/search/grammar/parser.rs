use super::expression::{Condition, Expression, LogSeverity, RangeBound, RangeBounds, Test};
use super::fields::{canonical_name, is_whole};
use super::lexer::{Lexer, RawWord};
use super::problem::LogQueryError;
use super::time::span_of_time;
use super::words::{Words, folded};

/// The maximum number of bytes of a text.
const MAX_TEXT: usize = 2048;
/// The maximum number of conditions.
const MAX_CONDITIONS: usize = 64;
/// The maximum number of words of one phrase.
const MAX_WORDS: usize = 32;
/// How deep parentheses and `NOT` may be nested.
const MAX_DEPTH: usize = 32;

const OPERAND: &str = "a word, a \"phrase\", a field or `(`";
const VALUE: &str = "a value";

type Parsed<T> = Result<T, LogQueryError>;

/// Reads the text of a search. An empty one selects every line.
///
/// # Errors
///
/// Returns an error with the position of the first byte that is not valid.
pub(in crate::logs) fn parse(text: &str) -> Parsed<Expression> {
    if text.len() > MAX_TEXT {
        return Err(LogQueryError::new(
            MAX_TEXT,
            "the end of the text: it may have 2048 bytes",
        ));
    }
    let mut parser = Parser {
        lexer: Lexer::new(text),
        conditions: 0,
        depth: 0,
        field: None,
    };
    if parser.lexer.is_at_end() {
        return Ok(Expression::All);
    }
    let expression = parser.alternatives()?;
    parser.lexer.skip_spaces();
    if parser.lexer.is_at_end() {
        Ok(expression)
    } else {
        // Everything else is an operand, so only this ends an expression early.
        Err(parser
            .lexer
            .error("the end of the text, or a `(` before this `)`"))
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    conditions: usize,
    depth: usize,
    /// The field of the parentheses that are open.
    field: Option<&'a str>,
}

impl<'a> Parser<'a> {
    /// Operands between `OR`.
    fn alternatives(&mut self) -> Parsed<Expression> {
        let mut all = vec![self.conjunction()?];
        loop {
            self.lexer.skip_spaces();
            if !self.lexer.take_keyword("OR") {
                return Ok(one_or(all, Expression::Or));
            }
            all.push(self.conjunction()?);
        }
    }

    /// Operands between `AND`, which may be left out.
    fn conjunction(&mut self) -> Parsed<Expression> {
        let mut all = vec![self.operand()?];
        loop {
            self.lexer.skip_spaces();
            let is_named = self.lexer.take_keyword("AND");
            let is_end = self.lexer.is_at_end()
                || self.lexer.rest().starts_with(')')
                || self.lexer.is_at_keyword("OR");
            if is_end && !is_named {
                return Ok(one_or(all, Expression::And));
            }
            all.push(self.operand()?);
        }
    }

    fn operand(&mut self) -> Parsed<Expression> {
        self.lexer.skip_spaces();
        let is_operator = ["AND", "OR"].iter().any(|it| self.lexer.is_at_keyword(it));
        if is_operator || self.lexer.is_at_end() || self.lexer.rest().starts_with(')') {
            return Err(self.lexer.error(OPERAND));
        }
        if self.lexer.take_keyword("NOT") || self.take_minus() {
            return self.nested(|it| Ok(Expression::Not(Box::new(it.operand()?))));
        }
        if self.lexer.take("(") {
            return self.group();
        }
        let begun = self.lexer.clone();
        match (self.field, self.lexer.take_field()) {
            (None, Some(name)) | (Some(name), None) => self.value_of(name),
            (Some(_), Some(_)) => {
                Err(begun.error("a value: the field is named before the parenthesis"))
            }
            (None, None) => self.bare(),
        }
    }

    /// Takes a minus before an operand, which means `NOT`.
    fn take_minus(&mut self) -> bool {
        let after = self.lexer.rest().strip_prefix('-');
        let next = after.and_then(|after| after.chars().next());
        // Within a field, it is the sign of a number.
        let is_not =
            next.is_some_and(|it| it.is_alphanumeric() || matches!(it, '"' | '(' | '_' | '@'));
        is_not && self.field.is_none() && self.lexer.take("-")
    }

    /// The rest of a parenthesis that was taken.
    fn group(&mut self) -> Parsed<Expression> {
        self.nested(|it| {
            let inner = it.alternatives()?;
            it.lexer.skip_spaces();
            if it.lexer.take(")") {
                Ok(inner)
            } else {
                Err(it.lexer.error("`)`"))
            }
        })
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Parsed<Expression>) -> Parsed<Expression> {
        if self.depth == MAX_DEPTH {
            return Err(self
                .lexer
                .error("no more than 32 levels of parentheses and `NOT`"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// A word or a phrase without a field.
    fn bare(&mut self) -> Parsed<Expression> {
        let at = self.lexer.at;
        if self.lexer.take("\"") {
            let text = self.lexer.quoted()?;
            return self.condition(at, None, words_of(at, &text, false)?);
        }
        let word = self.lexer.word(&[])?;
        let Some(word) = word else {
            return Err(self.lexer.error(OPERAND));
        };
        if word.text.is_empty() && word.is_prefix {
            // A `*` alone.
            return Ok(Expression::All);
        }
        self.condition(at, None, words_of(at, &word.text, word.is_prefix)?)
    }

    /// The value of a field whose name and colon were taken.
    fn value_of(&mut self, name: &'a str) -> Parsed<Expression> {
        let at = self.lexer.at;
        if self.lexer.take("(") {
            if self.field.is_some() {
                return Err(LogQueryError::new(at, VALUE));
            }
            self.field = Some(name);
            let group = self.group();
            self.field = None;
            return group;
        }
        let field = canonical_name(name);
        let kind = FieldKind::of(field);
        let test = if self.lexer.take("\"") {
            let text = self.lexer.quoted()?;
            text_test(at, kind, &text, false)?
        } else if let Some(operator) = self.comparison() {
            let at = self.lexer.at;
            let word = self.bound_word(&[])?;
            let bound = kind.bound(at, &word)?;
            Test::Within(operator.bounds(bound))
        } else if self.lexer.take("=") {
            Test::Exact(self.exact()?)
        } else if self.lexer.rest().starts_with(['[', '{']) {
            Test::Within(self.range(kind)?)
        } else {
            match self.lexer.word(&[])? {
                None => return Err(self.lexer.error(VALUE)),
                Some(word) if word.text.is_empty() && word.is_prefix => Test::Exists,
                Some(word) => text_test(at, kind, &word.text, word.is_prefix)?,
            }
        };
        self.condition(at, Some(field), test)
    }

    fn exact(&mut self) -> Parsed<String> {
        if self.lexer.take("\"") {
            return self.lexer.quoted();
        }
        let word = self.lexer.word(&[])?;
        match word {
            Some(word) if !word.is_prefix => Ok(word.text),
            Some(word) => Err(LogQueryError::new(
                word.at + word.text.len(),
                "a whole value without `*` after `:=`",
            )),
            None => Err(self.lexer.error(VALUE)),
        }
    }

    fn comparison(&mut self) -> Option<RangeOperator> {
        const OPERATORS: [(&str, RangeOperator); 4] = [
            (">=", RangeOperator::AtLeast),
            ("<=", RangeOperator::AtMost),
            (">", RangeOperator::Above),
            ("<", RangeOperator::Below),
        ];
        let mut all = OPERATORS.into_iter();
        let found = all.find(|(text, _)| self.lexer.take(text));
        found.map(|(_, comparison)| comparison)
    }

    /// A range: `[a TO b]`, with `{` or `}` where the bound itself is not within, and `*` for none.
    fn range(&mut self, kind: FieldKind) -> Parsed<RangeBounds> {
        let is_low_within = self.lexer.take("[") || !self.lexer.take("{");
        let low = self.range_bound(kind, true, is_low_within)?;
        self.lexer.skip_spaces();
        if !self.lexer.take_keyword("TO") {
            return Err(self
                .lexer
                .error("`TO`; a value that begins with a bracket is written in quotes"));
        }
        // Whether the bound is within is known at the end.
        let at = self.lexer.clone();
        self.range_bound(kind, false, true)?;
        self.lexer.skip_spaces();
        let is_high_within = self.lexer.take("]");
        if !is_high_within && !self.lexer.take("}") {
            return Err(self.lexer.error("`]` or `}`"));
        }
        let end = std::mem::replace(&mut self.lexer, at);
        let high = self.range_bound(kind, false, is_high_within)?;
        self.lexer = end;
        Ok(RangeBounds { low, high })
    }

    fn range_bound(
        &mut self,
        kind: FieldKind,
        is_low: bool,
        is_within: bool,
    ) -> Parsed<Option<(RangeBound, bool)>> {
        self.lexer.skip_spaces();
        let at = self.lexer.at;
        let word = self.bound_word(&[']', '}'])?;
        if word.text.is_empty() && word.is_prefix {
            return Ok(None);
        }
        let (first, last) = kind.bound(at, &word)?;
        let value = if is_low == is_within { first } else { last };
        Ok(Some((value, is_within)))
    }

    /// The text of a bound, which may be quoted.
    fn bound_word(&mut self, ends: &[char]) -> Parsed<RawWord> {
        let at = self.lexer.at;
        if self.lexer.take("\"") {
            let text = self.lexer.quoted()?;
            return Ok(RawWord {
                at,
                text,
                is_prefix: false,
            });
        }
        let word = self.lexer.word(ends)?;
        word.ok_or_else(|| LogQueryError::new(at, VALUE))
    }

    fn condition(&mut self, at: usize, field: Option<&str>, test: Test) -> Parsed<Expression> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(LogQueryError::new(at, "no more than 64 words and fields"));
        }
        Ok(Expression::Condition(Condition {
            field: field.map(Into::into),
            test,
        }))
    }
}

/// An expression of one operand, or of several.
fn one_or(mut all: Vec<Expression>, of: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            of(all)
        }
    }
}

/// A text after the colon of a field.
fn text_test(at: usize, kind: FieldKind, text: &str, is_prefix: bool) -> Parsed<Test> {
    match kind {
        FieldKind::Time => {
            let (first, last) = time_at(at, text)?;
            Ok(Test::Within(RangeBounds {
                low: Some((RangeBound::Time(first), true)),
                high: Some((RangeBound::Time(last), true)),
            }))
        }
        FieldKind::Level if !is_prefix => {
            let level = RangeBound::Level(level_at(at, text)?);
            Ok(Test::Within(RangeBounds {
                low: Some((level, true)),
                high: Some((level, true)),
            }))
        }
        FieldKind::Level => Err(LogQueryError::new(at, LEVEL)),
        // It needs no word: `url.path:/`.
        FieldKind::Whole => Ok(Test::Words {
            words: Words::of(text).map(folded).collect(),
            is_prefix,
            whole: folded(text),
        }),
        FieldKind::Other => words_of(at, text, is_prefix),
    }
}

/// The words of a text.
fn words_of(at: usize, text: &str, is_prefix: bool) -> Parsed<Test> {
    let words: Vec<_> = Words::of(text).map(folded).collect();
    if words.is_empty() {
        return Err(LogQueryError::new(
            at,
            "a letter or a digit: nothing else is searched for",
        ));
    }
    if words.len() > MAX_WORDS {
        return Err(LogQueryError::new(at, "a phrase of at most 32 words"));
    }
    Ok(Test::Words {
        words,
        is_prefix,
        whole: folded(text),
    })
}

/// The order of a value and a bound.
#[derive(Debug, Clone, Copy)]
enum RangeOperator {
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl RangeOperator {
    /// The bounds of a value that is a span: a day is above a day if it is after its end.
    fn bounds(self, (first, last): (RangeBound, RangeBound)) -> RangeBounds {
        let (low, high) = match self {
            Self::AtLeast => (Some((first, true)), None),
            Self::Above => (Some((last, false)), None),
            Self::AtMost => (None, Some((last, true))),
            Self::Below => (None, Some((first, false))),
        };
        RangeBounds { low, high }
    }
}

/// What the values of a field are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldKind {
    Time,
    Level,
    /// A text that is compared as a whole.
    Whole,
    /// Numbers are compared as numbers, texts by their words.
    Other,
}

const LEVEL: &str = "a level: trace, debug, info, warn or error";
const TIME: &str = "a time in UTC, such as 2026-11-30 or 2026-11-30T08:15:00Z";

impl FieldKind {
    fn of(field: &str) -> Self {
        match field {
            "timestamp" => Self::Time,
            "level" => Self::Level,
            _ if is_whole(field) => Self::Whole,
            _ => Self::Other,
        }
    }

    /// The bound that a word is: the first and the last value of what it names.
    fn bound(self, at: usize, word: &RawWord) -> Parsed<(RangeBound, RangeBound)> {
        let text = &*word.text;
        if word.is_prefix {
            return Err(LogQueryError::new(at, VALUE));
        }
        match self {
            Self::Time => {
                let (first, last) = time_at(at, text)?;
                Ok((RangeBound::Time(first), RangeBound::Time(last)))
            }
            Self::Level => {
                let level = RangeBound::Level(level_at(at, text)?);
                Ok((level, level))
            }
            Self::Whole | Self::Other => {
                let number =
                    RangeBound::number(text).ok_or_else(|| LogQueryError::new(at, "a number"))?;
                Ok((number, number))
            }
        }
    }
}

fn time_at(at: usize, text: &str) -> Parsed<(u64, u64)> {
    span_of_time(text).ok_or_else(|| LogQueryError::new(at, TIME))
}

fn level_at(at: usize, text: &str) -> Parsed<LogSeverity> {
    LogSeverity::parse(text).ok_or_else(|| LogQueryError::new(at, LEVEL))
}
