//! Builds the summary: the operations of a statement and their targets, in the order of the text.

use super::dialect::Dialect;
use super::level::{BracketLevel, BracketLevels, CteState, Expected, Verb};
use super::operation::{SecondWord, second_word};
use super::target::{SummaryMark, SummaryText, TargetName};
use super::token::{SqlToken, TokenKind};
use super::word::{Keyword, NAME, WordRole};

/// Bytes of the longest string that is taken for a table's name.
const MAX_STRING: usize = 64;

/// Reads tokens and writes the summary.
#[derive(Debug)]
pub(super) struct SummaryBuilder<'a> {
    dialect: Dialect,
    levels: BracketLevels,
    out: SummaryText<'a>,
    /// The keyword of the current operation, in upper case.
    verb: &'static str,
    /// The role of the object kind in a definition, once it was read; [`WordRole::Plain`] before.
    object_kind: WordRole,
    /// What follows is the definition of a routine, which does not run.
    in_definition: bool,
    expected: Expected,
    name: TargetName<'a>,
    /// What was expected when the name began.
    name_role: Expected,
    /// Whether the name continues: its last token was a dot.
    after_dot: bool,
    last: TokenKind,
    last_word: &'static Keyword,
    word_before: &'static Keyword,
    /// The state before the last token, if that was an operation.
    before_operation: Option<BeforeOperation>,
}

/// The state before an operation, to return to if the operation turns out to be a name.
#[derive(Debug, Clone, Copy)]
struct BeforeOperation {
    mark: SummaryMark,
    level: BracketLevel,
    verb: &'static str,
    object_kind: WordRole,
}

impl<'a> SummaryBuilder<'a> {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            levels: BracketLevels::new(),
            out: SummaryText::new(),
            verb: "",
            object_kind: WordRole::Plain,
            in_definition: false,
            expected: Expected::Nothing,
            name: TargetName::default(),
            name_role: Expected::Nothing,
            after_dot: false,
            last: TokenKind::Semicolon,
            last_word: &NAME,
            word_before: &NAME,
            before_operation: None,
        }
    }

    #[inline]
    pub(super) fn token(&mut self, token: &SqlToken<'a>) {
        // 1. The statements in the definition of a routine do not run now.
        if self.in_definition {
            return;
        }
        // 2. A name that has begun takes the token, or ends before it.
        let before_operation = self.before_operation.take();
        if !self.name.is_empty() && self.continue_name(token) {
            self.last = token.kind;
            return;
        }
        // 3. The token shows what the one before it was: a keyword before a comma, a closing bracket or an operator is
        //    the name of a column, and two words may be one operation.
        match token.kind {
            TokenKind::Comma | TokenKind::Close => self.undo(before_operation),
            TokenKind::Operator if before_operation.is_none() || token.text == "=" => {
                self.undo(before_operation);
            }
            TokenKind::Word if before_operation.is_some() && self.take_second_word(token) => {
                self.last = token.kind;
                return;
            }
            _ => {}
        }
        // 4. The token itself: brackets and commas change what is expected, words are operations, targets or neither.
        match token.kind {
            TokenKind::Semicolon => self.end_statement(),
            TokenKind::Open | TokenKind::OpenBracket => self.open(token.kind),
            TokenKind::Close | TokenKind::CloseBracket => self.expected = self.levels.close(),
            _ if self.levels.is_too_deep() => {}
            TokenKind::Word => self.word(token),
            TokenKind::Quoted => self.quoted(token),
            TokenKind::Comma => self.comma(),
            _ if self.expected != Expected::Nothing => self.other(),
            _ => {}
        }
        // 5. Note what later tokens need from this one.
        self.last = token.kind;
        self.word_before = self.last_word;
        self.last_word = token.word;
    }

    /// Whether the token is part of the current name. Ends the name if it is not.
    fn continue_name(&mut self, token: &SqlToken<'a>) -> bool {
        if token.kind == TokenKind::Dot {
            if self.after_dot {
                self.name.push_empty();
            }
            self.after_dot = true;
            return true;
        }
        if token.is_name() && (self.after_dot || self.is_link(token)) {
            self.after_dot = false;
            self.name.push(token);
            return true;
        }
        self.end_name(Some(token));
        false
    }

    /// Whether the token continues the current name with a database link: `table@link`.
    fn is_link(&self, token: &SqlToken<'_>) -> bool {
        let dialect = self.dialect.is_ambiguous() && !self.after_dot && !token.spaced;
        let constant = matches!(self.last_word.role, WordRole::Null | WordRole::Bool);
        dialect && !constant && !self.name.is_empty() && token.text.starts_with('@')
    }

    /// Whether a string or a placeholder is a name because of its position: no value may occur where a table is
    /// expected.
    pub(super) fn is_name(&mut self, token: &SqlToken<'a>) -> bool {
        match (token.kind, token.text.as_bytes()) {
            (TokenKind::Placeholder, [b'@', ..]) => self.is_link(token),
            (TokenKind::Text, [b'"', ..]) => self.expects_name(),
            (TokenKind::Text, [b'\'', name @ .., b'\'']) => {
                let dialect = self.dialect.is_ambiguous() || self.dialect == Dialect::Sqlite;
                let simple = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                dialect
                    && matches!(self.last, TokenKind::Word | TokenKind::Comma)
                    && self.levels.top().verb == Verb::Select
                    && self.expects_name()
                    && self.expected == Expected::Table
                    && name.len() <= MAX_STRING
                    && name.first().is_some_and(|first| !first.is_ascii_digit())
                    && name.iter().all(simple)
            }
            _ => false,
        }
    }

    /// Whether the next token may be the name of a table or another object.
    fn expects_name(&mut self) -> bool {
        if !self.name.is_empty() {
            return self.after_dot;
        }
        let distinct = self.is_distinct();
        let top = self.levels.top();
        if top.cte == CteState::Name {
            return true;
        }
        match self.expected {
            Expected::Nothing => false,
            Expected::Table => !distinct,
            Expected::ObjectKind => self.object_kind != WordRole::Plain,
            Expected::Object | Expected::Deleted => top.verb != Verb::Call && self.verb != "PRAGMA",
        }
    }

    /// Whether the last words are `IS DISTINCT` or `NOT DISTINCT`. A `FROM` after them does not name a table.
    fn is_distinct(&self) -> bool {
        self.last_word.role == WordRole::Distinct
            && matches!(self.word_before.role, WordRole::Is | WordRole::Not)
    }

    /// Undoes an operation or the start of a list of tables that turns out to be the name of a column.
    fn undo(&mut self, before_operation: Option<BeforeOperation>) {
        if let Some(before_operation) = before_operation {
            if matches!(
                self.last_word.role,
                WordRole::Select | WordRole::Insert | WordRole::Update | WordRole::Delete
            ) {
                self.out.restore(before_operation.mark);
                self.verb = before_operation.verb;
                self.object_kind = before_operation.object_kind;
                self.expected = Expected::Nothing;
                *self.levels.top() = before_operation.level;
                self.levels.top().may_begin = false;
            }
            return;
        }
        if self.last == TokenKind::Word
            && self.last_word.role == WordRole::From
            && self.expected == Expected::Table
        {
            self.expected = Expected::Nothing;
            let top = self.levels.top();
            top.after_comma = Expected::Nothing;
            top.from_expected = true;
        }
    }

    /// Takes the word if it is the second one of an operation.
    fn take_second_word(&mut self, token: &SqlToken<'a>) -> bool {
        if matches!(
            self.last_word.role,
            WordRole::Select
                | WordRole::Insert
                | WordRole::Update
                | WordRole::Delete
                | WordRole::Merge
        ) {
            return false;
        }
        // No second word is longer, so that longer names need not be copied.
        let is_short = |word: &&str| word.len() <= 12;
        let upper = Some(token.text)
            .filter(is_short)
            .map(str::to_ascii_uppercase);
        let Some(found) = upper.and_then(|upper| second_word(self.verb, &upper)) else {
            return false;
        };
        self.out.push(token.text);
        self.expected = match found {
            SecondWord::Target => Expected::Object,
            SecondWord::NoTarget => Expected::Nothing,
        };
        let (expected, load) = (self.expected, token.text.eq_ignore_ascii_case("DATA"));
        let top = self.levels.top();
        top.after_comma = expected;
        if load {
            top.verb = Verb::Load;
        }
        true
    }

    /// Ends the current name and writes it, if it is a target.
    fn end_name(&mut self, next: Option<&SqlToken<'_>>) {
        if !self.name.is_empty() && !self.is_no_target(next) {
            self.out.push_target(&self.name);
        }
        self.name.clear();
        self.after_dot = false;
        self.in_definition =
            self.object_kind == WordRole::Routine && matches!(self.verb, "CREATE" | "ALTER");
    }

    /// Whether the token after the current name shows that the name is not a target.
    fn is_no_target(&mut self, next: Option<&SqlToken<'_>>) -> bool {
        let role = next.map_or(WordRole::Plain, SqlToken::role);
        let kind = next.map(|token| token.kind);
        // The names before the `FROM` of a `DELETE` are aliases or repeat a target.
        if self.name_role == Expected::Deleted {
            return self.after_dot || kind == Some(TokenKind::Comma) || role == WordRole::From;
        }
        let Some(word) = self.name.word() else {
            return false;
        };
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        let next_is =
            |known: &str| next.is_some_and(|token| token.text.eq_ignore_ascii_case(known));
        let statistics = matches!(self.dialect, Dialect::SqlServer | Dialect::Unknown);
        let verb = self.levels.top().verb;
        let named = next.is_some_and(SqlToken::is_name) && !role.is_structure();
        match verb {
            _ if self.name_role == Expected::Object && is("TABLE") && named => {
                self.expected = Expected::Object;
            }
            // `TABLE(f(..))`: the function in the brackets is the target.
            _ if self.name_role == Expected::Table
                && is("TABLE")
                && kind == Some(TokenKind::Open) =>
            {
                self.expected = Expected::Table;
            }
            Verb::Insert
                if (is("ALL") || is("FIRST")) && (role == WordRole::Into || next_is("WHEN")) =>
            {
                self.levels.top().verb = Verb::InsertMany;
            }
            Verb::Call if is("NEXT") && next_is("VALUE") => {}
            Verb::Update if statistics && is("STATISTICS") && named => {
                self.out.push(word);
                self.expected = Expected::Object;
            }
            Verb::Select if is("OUTFILE") || is("DUMPFILE") => {}
            _ => return false,
        }
        true
    }

    fn begin_name(&mut self, token: &SqlToken<'a>) {
        self.name.push(token);
        self.name_role = std::mem::take(&mut self.expected);
    }

    fn end_statement(&mut self) {
        self.levels.reset();
        self.out.forget_ctes();
        self.expected = Expected::Nothing;
        self.object_kind = WordRole::Plain;
    }

    fn open(&mut self, kind: TokenKind) {
        let mut inner = BracketLevel {
            may_begin: kind == TokenKind::Open,
            ..BracketLevel::default()
        };
        if self.last_word.role == WordRole::Using {
            self.expected = Expected::Nothing;
        }
        // A bracket in place of a name ends the list of CTEs. The bracket after `AS` holds the statement of one.
        let top = self.levels.top();
        match top.cte {
            CteState::Name => top.cte = CteState::None,
            CteState::Body => {
                top.cte = CteState::Done;
                inner.any_statement = true;
            }
            _ => {}
        }
        // A target that was expected outside may be inside: a list of tables in brackets, a subquery, or the query of a
        // `COPY`. Otherwise it is expected again after the bracket.
        match self.expected {
            Expected::Table => inner.after_comma = Expected::Table,
            expected => {
                let copied = self.verb == "COPY";
                inner.any_statement |= copied && expected == Expected::Object;
                if !copied && top.verb != Verb::Call {
                    inner.after_close = expected;
                }
                self.expected = Expected::Nothing;
            }
        }
        self.levels.open(inner);
    }

    fn comma(&mut self) {
        let top = self.levels.top();
        if top.cte == CteState::Done {
            top.cte = CteState::Name;
        } else {
            if top.cte == CteState::Name {
                top.cte = CteState::None;
            }
            self.expected = top.after_comma;
        }
    }

    fn quoted(&mut self, token: &SqlToken<'a>) {
        let top = self.levels.top();
        top.may_begin = false;
        if top.cte == CteState::Name {
            top.cte = CteState::Named;
            self.out.add_cte(token);
        } else if self.expected == Expected::ObjectKind && self.object_kind == WordRole::Plain {
            // In a definition, the name of the definer may precede the kind of the object.
        } else if self.expected != Expected::Nothing {
            self.begin_name(token);
        }
    }

    /// A literal or an operator: no target follows, except in `EXEC @result = name` and after `DEFINER =`.
    fn other(&mut self) {
        let in_definer =
            self.expected == Expected::ObjectKind && self.object_kind == WordRole::Plain;
        if !in_definer && self.levels.top().verb != Verb::Call {
            self.expected = Expected::Nothing;
        }
    }

    fn word(&mut self, token: &SqlToken<'a>) {
        if self.take_cte_word(token) || self.take_target_word(token) {
            return;
        }
        let role = token.role();
        if self.is_operation(role) {
            return self.begin_operation(token);
        }
        let with = role == WordRole::With && self.begins_ctes();
        let inserted = matches!(self.dialect, Dialect::Mysql | Dialect::Sqlite);
        let distinct = role == WordRole::From && self.is_distinct();
        let next_value = role == WordRole::Before
            && self.last_word.role == WordRole::Values
            && token.word.text == "FOR";
        let outermost = self.levels.is_outermost();
        let top = self.levels.top();
        match role {
            WordRole::With if with => top.cte = CteState::Name,
            // A query without its `SELECT`.
            WordRole::From if outermost && top.may_begin && top.any_statement => {
                let lower = token.text.starts_with('f');
                self.out.push(if lower { "select" } else { "SELECT" });
                top.verb = Verb::Select;
                top.after_comma = Expected::Table;
                self.expected = Expected::Table;
            }
            WordRole::From if top.from_expected && !distinct => {
                top.from_expected = false;
                top.after_comma = Expected::Table;
                self.expected = Expected::Table;
            }
            WordRole::Join if top.after_comma != Expected::Nothing => {
                self.expected = Expected::Table;
            }
            WordRole::Using if matches!(top.verb, Verb::Delete | Verb::Merge) => {
                top.after_comma = Expected::Table;
                self.expected = Expected::Table;
            }
            WordRole::Into if top.verb == Verb::Select && top.from_expected && !inserted => {
                self.expected = Expected::Object;
            }
            WordRole::Into if matches!(top.verb, Verb::InsertMany | Verb::Load) => {
                self.expected = Expected::Object;
            }
            WordRole::Before if top.verb == Verb::Call && next_value => {
                self.expected = Expected::Object;
            }
            WordRole::Clause
            | WordRole::Set
            | WordRole::SetOperator
            | WordRole::Values
            | WordRole::Before => {
                top.after_comma = Expected::Nothing;
            }
            WordRole::On | WordRole::With | WordRole::From if top.verb == Verb::Other => {
                top.after_comma = Expected::Nothing;
            }
            _ => {}
        }
        if top.may_begin {
            top.may_begin = top.verb == Verb::Explain || token.word.text == "BULK";
        }
    }

    /// Takes the word if it belongs to the frame of a `WITH`.
    fn take_cte_word(&mut self, token: &SqlToken<'a>) -> bool {
        let top = self.levels.top();
        match top.cte {
            CteState::None => return false,
            CteState::Name if token.word.text == "RECURSIVE" => {}
            CteState::Name => {
                top.cte = CteState::Named;
                self.out.add_cte(token);
            }
            CteState::Named if token.role() == WordRole::As => top.cte = CteState::Body,
            CteState::Named | CteState::Body => {}
            CteState::Done => {
                top.cte = CteState::None;
                top.may_begin = true;
                top.any_statement = true;
                return false;
            }
        }
        true
    }

    /// Whether a `WITH` at this position begins common table expressions.
    fn begins_ctes(&mut self) -> bool {
        let (last, role) = (self.last, self.last_word.role);
        let top = self.levels.top();
        let inserting = top.verb == Verb::Insert
            && (last == TokenKind::Close || last == TokenKind::Quoted || role == WordRole::Plain);
        top.may_begin || role == WordRole::As || inserting
    }

    /// Takes the word if it begins a target or is between an operation and its target.
    fn take_target_word(&mut self, token: &SqlToken<'a>) -> bool {
        let role = token.role();
        match self.expected {
            Expected::Nothing => false,
            Expected::ObjectKind => self.take_object_kind(token),
            Expected::Table if role == WordRole::Only => true,
            // It may be a table of this name. What follows decides.
            Expected::Object if token.word.text == "TABLE" => {
                self.begin_name(token);
                true
            }
            Expected::Object | Expected::Deleted if self.is_noise(token.word) => true,
            _ if role.is_structure() => {
                if !matches!(role, WordRole::Select | WordRole::With | WordRole::Values) {
                    self.undo(None);
                }
                self.expected = Expected::Nothing;
                false
            }
            _ => {
                self.begin_name(token);
                true
            }
        }
    }

    fn is_noise(&self, word: &Keyword) -> bool {
        match word.role {
            WordRole::Noise
            | WordRole::Only
            | WordRole::Into
            | WordRole::Relation
            | WordRole::Replace
            | WordRole::Not => true,
            WordRole::TargetOperation => self.verb == "VACUUM",
            WordRole::ObjectKind => self.verb == "REINDEX",
            _ => matches!(word.text, "OR" | "IF" | "ROLLBACK" | "ABORT"),
        }
    }

    /// Takes the word if it is the kind of an object, its name, or is between them.
    fn take_object_kind(&mut self, token: &SqlToken<'a>) -> bool {
        let role = token.role();
        match (self.object_kind, role) {
            (
                WordRole::Plain,
                WordRole::Relation
                | WordRole::ObjectKind
                | WordRole::Routine
                | WordRole::Materialized,
            ) => {
                self.out.push(token.text);
                if role != WordRole::Materialized {
                    self.object_kind = role;
                }
            }
            // Users, roles and logins: their names must not become labels.
            (WordRole::Plain, WordRole::Nameless) => self.push_nameless(token),
            (WordRole::Plain, _) if token.word.text == "GROUP" => self.push_nameless(token),
            (
                WordRole::Plain,
                WordRole::Set
                | WordRole::Default
                | WordRole::With
                | WordRole::As
                | WordRole::On
                | WordRole::From
                | WordRole::Before
                | WordRole::Using,
            ) => {
                self.expected = Expected::Nothing;
                return false;
            }
            (WordRole::Plain, _)
            | (_, WordRole::Noise | WordRole::Only | WordRole::Not | WordRole::On) => {}
            // `IF NOT EXISTS` and `IF EXISTS`, between the kind and the name.
            _ if token.word.text == "IF" => {}
            _ if role.is_structure() || names_owner(token.text) => {
                self.expected = Expected::Nothing;
                return false;
            }
            _ => {
                // `DROP TABLE a, b` has several names. After the name of other definitions, a comma separates columns
                // or options.
                let dropped = self.verb == "DROP";
                self.levels.top().after_comma = if dropped {
                    Expected::Object
                } else {
                    Expected::Nothing
                };
                self.begin_name(token);
            }
        }
        true
    }

    /// Takes the kind of an object whose name is not shown.
    fn push_nameless(&mut self, token: &SqlToken<'a>) {
        self.out.push(token.text);
        self.object_kind = WordRole::Nameless;
        self.expected = Expected::Nothing;
    }

    /// Whether a keyword with this role is an operation at this position.
    fn is_operation(&mut self, role: WordRole) -> bool {
        let outermost = self.levels.is_outermost();
        let (last, last_role) = (self.last, self.last_word.role);
        let top = self.levels.top();
        let at_start = top.may_begin && top.any_statement;
        // SQL Server needs no semicolon between statements.
        let anywhere = self.dialect == Dialect::SqlServer
            && top.verb != Verb::Grant
            && !matches!(
                last,
                TokenKind::Comma | TokenKind::Dot | TokenKind::Operator
            )
            && !matches!(
                last_role,
                WordRole::Before | WordRole::On | WordRole::As | WordRole::With
            );
        match role {
            WordRole::Select => {
                top.verb != Verb::Grant
                    && last_role != WordRole::Grant
                    && !matches!(
                        last,
                        TokenKind::Comma | TokenKind::Dot | TokenKind::Operator
                    )
            }
            WordRole::Insert | WordRole::Update | WordRole::Delete | WordRole::Merge => {
                at_start || anywhere || last_role == WordRole::As && top.verb == Verb::Other
            }
            WordRole::Call => outermost && (at_start || anywhere),
            WordRole::TargetOperation | WordRole::Use => {
                at_start && outermost && top.verb != Verb::Explain
            }
            WordRole::Replace
            | WordRole::Define
            | WordRole::Copy
            | WordRole::Explain
            | WordRole::Grant
            | WordRole::PlainOperation
            | WordRole::Set
            | WordRole::Values
            | WordRole::Relation => at_start && outermost,
            _ => false,
        }
    }

    /// Begins an operation.
    fn begin_operation(&mut self, token: &SqlToken<'a>) {
        let word = token.word;
        // The state before the word. What follows may show that the word was a name after all.
        self.before_operation = Some(BeforeOperation {
            mark: self.out.mark(),
            level: *self.levels.top(),
            verb: self.verb,
            object_kind: self.object_kind,
        });
        self.out.push(token.text);
        self.verb = word.text;
        self.object_kind = WordRole::Plain;
        // What may follow: the first name, the name after a comma, and whether a `FROM` begins a list of tables.
        let (verb, expected, after_comma, from) = match word.role {
            WordRole::Select => (Verb::Select, Expected::Nothing, Expected::Nothing, true),
            WordRole::Insert | WordRole::Replace => {
                (Verb::Insert, Expected::Object, Expected::Nothing, false)
            }
            WordRole::Update => (Verb::Update, Expected::Object, Expected::Object, true),
            WordRole::Delete => (Verb::Delete, Expected::Deleted, Expected::Deleted, true),
            WordRole::Merge => (Verb::Merge, Expected::Object, Expected::Nothing, false),
            WordRole::Define => (Verb::Other, Expected::ObjectKind, Expected::Nothing, false),
            WordRole::Call => (Verb::Call, Expected::Object, Expected::Nothing, false),
            WordRole::Explain => (Verb::Explain, Expected::Nothing, Expected::Nothing, false),
            WordRole::Grant => (Verb::Grant, Expected::Nothing, Expected::Nothing, false),
            WordRole::TargetOperation => (Verb::Other, Expected::Object, Expected::Object, false),
            WordRole::Copy | WordRole::Relation | WordRole::Use => {
                (Verb::Other, Expected::Object, Expected::Nothing, false)
            }
            _ => (Verb::Other, Expected::Nothing, Expected::Nothing, false),
        };
        self.expected = expected;
        let top = self.levels.top();
        top.verb = verb;
        top.after_comma = after_comma;
        top.from_expected = from;
        top.may_begin = verb == Verb::Explain || word.text == "BULK";
    }

    /// The summary. If the statement was `cut`, its last name may be incomplete and is left out.
    pub(super) fn finish(mut self, cut: bool) -> Box<str> {
        if !cut {
            self.end_name(None);
        }
        self.out.finish()
    }
}

/// Whether the name of a user or a role follows, which is not shown.
fn names_owner(word: &str) -> bool {
    word.eq_ignore_ascii_case("AUTHORIZATION")
}
