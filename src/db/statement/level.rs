//! What the summary knows about each level of brackets.

/// Brackets inside each other beyond which nothing is looked for.
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

/// Where in a `WITH` this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Cte {
    #[default]
    No,
    /// Its name comes.
    Name,
    /// Its name was there: columns or `AS` may come.
    Named,
    /// `AS` was there: the statement comes.
    Body,
    /// The statement was there: another one may come.
    Done,
}

/// What the next name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Want {
    #[default]
    Nothing,
    /// A table, a function that returns one, or a query in brackets.
    Table,
    /// A target, whatever follows.
    Object,
    /// A target, unless `FROM` follows.
    Deleted,
    /// The kind of what is created, then its target.
    Class,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    pub(super) verb: Verb,
    pub(super) cte: Cte,
    /// Whether a statement may begin.
    pub(super) start: bool,
    /// Whether any statement may, not only a query.
    pub(super) whole: bool,
    /// Whether a `FROM` begins a list of tables.
    pub(super) from_awaited: bool,
    /// What a comma leads to.
    pub(super) list: Want,
    /// What is wanted again when the brackets close.
    pub(super) after: Want,
}

/// The levels that are open.
#[derive(Debug)]
pub(super) struct Levels {
    base: Level,
    inner: Vec<Level>,
    deeper: usize,
}

impl Levels {
    pub(super) fn new() -> Self {
        Self {
            base: Level::outermost(),
            inner: Vec::with_capacity(8),
            deeper: 0,
        }
    }

    pub(super) fn top(&mut self) -> &mut Level {
        self.inner.last_mut().unwrap_or(&mut self.base)
    }

    pub(super) fn outermost(&self) -> bool {
        self.inner.is_empty()
    }

    pub(super) fn too_deep(&self) -> bool {
        self.deeper > 0
    }

    pub(super) fn open(&mut self, level: Level) {
        if self.inner.len() < MAX_DEPTH {
            self.inner.push(level);
        } else {
            self.deeper += 1;
        }
    }

    /// What is wanted then.
    pub(super) fn close(&mut self) -> Want {
        if self.deeper > 0 {
            self.deeper -= 1;
            return Want::Nothing;
        }
        self.inner.pop().map_or(Want::Nothing, |level| level.after)
    }

    pub(super) fn reset(&mut self) {
        self.inner.clear();
        self.deeper = 0;
        self.base = Level::outermost();
    }
}

impl Level {
    fn outermost() -> Self {
        Self {
            start: true,
            whole: true,
            ..Self::default()
        }
    }
}
