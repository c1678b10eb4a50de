//! The state of the summary for each level of brackets.

/// Nested brackets beyond which no operations and targets are read.
const MAX_DEPTH: usize = 64;

/// What a statement or a part of it does, as far as its targets depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Verb {
    #[default]
    None,
    Select,
    Insert,
    /// `INSERT ALL` and `INSERT FIRST`: into several tables.
    InsertMany,
    Update,
    Delete,
    Merge,
    Explain,
    Grant,
    Call,
    Load,
    Other,
}

/// The position in the common table expressions of a `WITH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CteState {
    /// Outside of them.
    #[default]
    None,
    /// A name is next.
    Name,
    /// After the name: columns or `AS` may be next.
    Named,
    /// After `AS`: the statement is next.
    Body,
    /// After the statement: another expression may be next.
    Done,
}

/// What the next name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expected {
    #[default]
    Nothing,
    /// A table, a function that returns one, or a query in brackets.
    Table,
    /// A target, regardless of what follows.
    Object,
    /// A target, unless `FROM` follows.
    Deleted,
    /// The kind of an object that is defined, then its name.
    ObjectKind,
}

/// The state of one level of brackets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BracketLevel {
    pub(super) verb: Verb,
    pub(super) cte: CteState,
    /// Whether a statement may begin here.
    pub(super) may_begin: bool,
    /// Whether any statement may begin here, not only a query.
    pub(super) any_statement: bool,
    /// Whether a `FROM` begins a list of tables.
    pub(super) from_expected: bool,
    /// What is expected after a comma.
    pub(super) after_comma: Expected,
    /// What is expected again when the brackets close.
    pub(super) after_close: Expected,
}

/// The open levels of brackets.
#[derive(Debug)]
pub(super) struct BracketLevels {
    outermost: BracketLevel,
    inner: Vec<BracketLevel>,
    /// Open brackets beyond [`MAX_DEPTH`].
    overflow: usize,
}

impl BracketLevels {
    pub(super) fn new() -> Self {
        Self {
            outermost: BracketLevel::outermost(),
            inner: Vec::with_capacity(8),
            overflow: 0,
        }
    }

    pub(super) fn top(&mut self) -> &mut BracketLevel {
        self.inner.last_mut().unwrap_or(&mut self.outermost)
    }

    pub(super) fn is_outermost(&self) -> bool {
        self.inner.is_empty()
    }

    pub(super) fn is_too_deep(&self) -> bool {
        self.overflow > 0
    }

    pub(super) fn open(&mut self, level: BracketLevel) {
        if self.inner.len() < MAX_DEPTH {
            self.inner.push(level);
        } else {
            self.overflow += 1;
        }
    }

    /// Closes a level. Returns what is expected after it.
    pub(super) fn close(&mut self) -> Expected {
        if self.overflow > 0 {
            self.overflow -= 1;
            return Expected::Nothing;
        }
        self.inner
            .pop()
            .map_or(Expected::Nothing, |level| level.after_close)
    }

    pub(super) fn reset(&mut self) {
        self.inner.clear();
        self.overflow = 0;
        self.outermost = BracketLevel::outermost();
    }
}

impl BracketLevel {
    fn outermost() -> Self {
        Self {
            may_begin: true,
            any_statement: true,
            ..Self::default()
        }
    }
}
