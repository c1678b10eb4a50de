//! The operations of a statement and their targets, in the order in which they stand.

use super::dialect::Dialect;
use super::level::{Cte, Level, Levels, Verb, Want};
use super::operation::{Second, second};
use super::target::{Mark, Name, Written};
use super::token::{Kind, Token};
use super::word::{NAME, Role, Word};

/// The longest string that is taken for the name of a table.
const MAX_STRING: usize = 64;

#[derive(Debug)]
pub(super) struct Summary<'a> {
    dialect: Dialect,
    levels: Levels,
    written: Written<'a>,
    /// The word that began what is read, in upper case.
    verb: &'static str,
    /// The kind of what is created was there.
    class: Role,
    /// What comes is what is created, not what is done.
    body: bool,
    want: Want,
    name: Name<'a>,
    /// What was wanted when the name came.
    wanted: Want,
    /// Whether the name goes on: a dot was there.
    dotted: bool,
    last: Kind,
    last_word: &'static Word,
    word_before: &'static Word,
    /// The last token was an operation: how things were before it.
    begun: Option<Begun>,
}

/// How things were before an operation, which may turn out to be a name.
#[derive(Debug, Clone, Copy)]
struct Begun {
    written: Mark,
    level: Level,
    verb: &'static str,
    class: Role,
}

impl<'a> Summary<'a> {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            levels: Levels::new(),
            written: Written::new(),
            verb: "",
            class: Role::Plain,
            body: false,
            want: Want::Nothing,
            name: Name::default(),
            wanted: Want::Nothing,
            dotted: false,
            last: Kind::Semicolon,
            last_word: &NAME,
            word_before: &NAME,
            begun: None,
        }
    }

    #[inline]
    pub(super) fn token(&mut self, token: &Token<'a>) {
        if self.body {
            return;
        }
        let begun = self.begun.take();
        if !self.name.is_empty() && self.name_goes_on(token) {
            self.last = token.kind;
            return;
        }
        match token.kind {
            Kind::Comma | Kind::Close => self.take_back(begun),
            Kind::Operator if begun.is_none() || token.text == "=" => self.take_back(begun),
            Kind::Word if begun.is_some() && self.is_second(token) => {
                self.last = token.kind;
                return;
            }
            _ => {}
        }
        match token.kind {
            Kind::Semicolon => self.end_statement(),
            Kind::Open | Kind::OpenBracket => self.open(token.kind),
            Kind::Close | Kind::CloseBracket => self.want = self.levels.close(),
            _ if self.levels.too_deep() => {}
            Kind::Word => self.word(token),
            Kind::Quoted => self.quoted(token),
            Kind::Comma => self.comma(),
            _ if self.want != Want::Nothing => self.other(),
            _ => {}
        }
        self.last = token.kind;
        self.word_before = self.last_word;
        self.last_word = token.word;
    }

    /// Whether the token is a part of the name. If it is not, the name ends.
    fn name_goes_on(&mut self, token: &Token<'a>) -> bool {
        if token.kind == Kind::Dot {
            if self.dotted {
                self.name.push_empty();
            }
            self.dotted = true;
            return true;
        }
        if token.is_name() && (self.dotted || self.is_link(token)) {
            self.dotted = false;
            self.name.push(token);
            return true;
        }
        self.end_name(Some(token));
        false
    }

    /// Whether a name in another database goes on with this: `table@link`.
    fn is_link(&self, token: &Token<'_>) -> bool {
        let dialect = self.dialect.is_unsure() && !self.dotted && !token.spaced;
        let constant = matches!(self.last_word.role, Role::Null | Role::Bool);
        dialect && !constant && !self.name.is_empty() && token.text.starts_with('@')
    }

    /// Whether a string or a placeholder of the scanner's is a name where it stands: no value may stand where a
    /// table comes.
    pub(super) fn is_name(&mut self, token: &Token<'a>) -> bool {
        match (token.kind, token.text.as_bytes()) {
            (Kind::Placeholder, [b'@', ..]) => self.is_link(token),
            (Kind::Text, [b'"', ..]) => self.name_comes(),
            (Kind::Text, [b'\'', name @ .., b'\'']) => {
                let dialect = self.dialect.is_unsure() || self.dialect == Dialect::Sqlite;
                let simple = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                dialect
                    && matches!(self.last, Kind::Word | Kind::Comma)
                    && self.levels.top().verb == Verb::Select
                    && self.name_comes()
                    && self.want == Want::Table
                    && name.len() <= MAX_STRING
                    && name.first().is_some_and(|first| !first.is_ascii_digit())
                    && name.iter().all(simple)
            }
            _ => false,
        }
    }

    /// Whether the name of a table or the like comes.
    fn name_comes(&mut self) -> bool {
        if !self.name.is_empty() {
            return self.dotted;
        }
        let distinct = self.is_distinct();
        let top = self.levels.top();
        if top.cte == Cte::Name {
            return true;
        }
        match self.want {
            Want::Nothing => false,
            Want::Table => !distinct,
            Want::Class => self.class != Role::Plain,
            Want::Object | Want::Deleted => top.verb != Verb::Call && self.verb != "PRAGMA",
        }
    }

    /// Whether the last words are `IS DISTINCT`: a `FROM` names no table then.
    fn is_distinct(&self) -> bool {
        self.last_word.role == Role::Distinct
            && matches!(self.word_before.role, Role::Is | Role::Not)
    }

    /// Takes back what was read as the begin of an operation or of a list of tables, and is the name of a column.
    fn take_back(&mut self, begun: Option<Begun>) {
        if let Some(begun) = begun {
            if matches!(
                self.last_word.role,
                Role::Select | Role::Insert | Role::Update | Role::Delete
            ) {
                self.written.restore(begun.written);
                self.verb = begun.verb;
                self.class = begun.class;
                self.want = Want::Nothing;
                *self.levels.top() = begun.level;
                self.levels.top().start = false;
            }
            return;
        }
        if self.last == Kind::Word && self.last_word.role == Role::From && self.want == Want::Table
        {
            self.want = Want::Nothing;
            let top = self.levels.top();
            top.list = Want::Nothing;
            top.from_awaited = true;
        }
    }

    /// Whether the word is the second of an operation.
    fn is_second(&mut self, token: &Token<'a>) -> bool {
        if matches!(
            self.last_word.role,
            Role::Select | Role::Insert | Role::Update | Role::Delete | Role::Merge
        ) {
            return false;
        }
        let longest = |word: &&str| word.len() <= 12;
        let upper = Some(token.text)
            .filter(longest)
            .map(str::to_ascii_uppercase);
        let Some(found) = upper.and_then(|upper| second(self.verb, &upper)) else {
            return false;
        };
        self.written.push(token.text);
        self.want = match found {
            Second::Target => Want::Object,
            Second::Alone => Want::Nothing,
        };
        let (list, load) = (self.want, token.text.eq_ignore_ascii_case("DATA"));
        let top = self.levels.top();
        top.list = list;
        if load {
            top.verb = Verb::Load;
        }
        true
    }

    fn end_name(&mut self, next: Option<&Token<'_>>) {
        if !self.name.is_empty() && !self.ends_otherwise(next) {
            self.written.push_target(&self.name);
        }
        self.name.clear();
        self.dotted = false;
        self.body = self.class == Role::Routine && matches!(self.verb, "CREATE" | "ALTER");
    }

    /// Whether what was read as a name is none, as what follows shows.
    fn ends_otherwise(&mut self, next: Option<&Token<'_>>) -> bool {
        let role = next.map_or(Role::Plain, Token::role);
        let kind = next.map(|token| token.kind);
        if self.wanted == Want::Deleted {
            return self.dotted || kind == Some(Kind::Comma) || role == Role::From;
        }
        let Some(word) = self.name.word() else {
            return false;
        };
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        let next_is =
            |known: &str| next.is_some_and(|token| token.text.eq_ignore_ascii_case(known));
        let statistics = matches!(self.dialect, Dialect::SqlServer | Dialect::Unknown);
        let verb = self.levels.top().verb;
        let named = next.is_some_and(Token::is_name) && !role.is_structure();
        match verb {
            _ if self.wanted == Want::Object && is("TABLE") && named => self.want = Want::Object,
            // `TABLE(f(..))`
            _ if self.wanted == Want::Table && is("TABLE") && kind == Some(Kind::Open) => {
                self.want = Want::Table;
            }
            Verb::Insert
                if (is("ALL") || is("FIRST")) && (role == Role::Into || next_is("WHEN")) =>
            {
                self.levels.top().verb = Verb::InsertMany;
            }
            Verb::Call if is("NEXT") && next_is("VALUE") => {}
            Verb::Update if statistics && is("STATISTICS") && named => {
                self.written.push(word);
                self.want = Want::Object;
            }
            Verb::Select if is("OUTFILE") || is("DUMPFILE") => {}
            _ => return false,
        }
        true
    }

    fn begin_name(&mut self, token: &Token<'a>) {
        self.name.push(token);
        self.wanted = std::mem::take(&mut self.want);
    }

    fn end_statement(&mut self) {
        self.levels.reset();
        self.written.forget_ctes();
        self.want = Want::Nothing;
        self.class = Role::Plain;
    }

    fn open(&mut self, kind: Kind) {
        let mut inner = Level {
            start: kind == Kind::Open,
            ..Level::default()
        };
        if self.last_word.role == Role::Using {
            self.want = Want::Nothing;
        }
        let top = self.levels.top();
        match top.cte {
            Cte::Name => top.cte = Cte::No,
            Cte::Body => {
                top.cte = Cte::Done;
                inner.whole = true;
            }
            _ => {}
        }
        match self.want {
            Want::Table => inner.list = Want::Table,
            want => {
                let copied = self.verb == "COPY";
                inner.whole |= copied && want == Want::Object;
                if !copied && top.verb != Verb::Call {
                    inner.after = want;
                }
                self.want = Want::Nothing;
            }
        }
        self.levels.open(inner);
    }

    fn comma(&mut self) {
        let top = self.levels.top();
        if top.cte == Cte::Done {
            top.cte = Cte::Name;
        } else {
            if top.cte == Cte::Name {
                top.cte = Cte::No;
            }
            self.want = top.list;
        }
    }

    fn quoted(&mut self, token: &Token<'a>) {
        let top = self.levels.top();
        top.start = false;
        if top.cte == Cte::Name {
            top.cte = Cte::Named;
            self.written.add_cte(token);
        } else if self.want == Want::Class && self.class == Role::Plain {
            // Who defines it comes before what it is.
        } else if self.want != Want::Nothing {
            self.begin_name(token);
        }
    }

    /// A literal or an operator: no target comes, unless it is an `EXEC @result = name` or a `DEFINER =`.
    fn other(&mut self) {
        let defined = self.want == Want::Class && self.class == Role::Plain;
        if !defined && self.levels.top().verb != Verb::Call {
            self.want = Want::Nothing;
        }
    }

    fn word(&mut self, token: &Token<'a>) {
        if self.in_with(token) || self.is_target(token) {
            return;
        }
        let role = token.role();
        if self.is_operation(role) {
            return self.begin(token);
        }
        let with = role == Role::With && self.begins_with();
        let inserted = matches!(self.dialect, Dialect::Mysql | Dialect::Sqlite);
        let distinct = role == Role::From && self.is_distinct();
        let next_value =
            role == Role::Before && self.last_word.role == Role::Values && token.word.text == "FOR";
        let outermost = self.levels.outermost();
        let top = self.levels.top();
        match role {
            Role::With if with => top.cte = Cte::Name,
            // A query that leaves its `SELECT` out.
            Role::From if outermost && top.start && top.whole => {
                let lower = token.text.starts_with('f');
                self.written.push(if lower { "select" } else { "SELECT" });
                top.verb = Verb::Select;
                top.list = Want::Table;
                self.want = Want::Table;
            }
            Role::From if top.from_awaited && !distinct => {
                top.from_awaited = false;
                top.list = Want::Table;
                self.want = Want::Table;
            }
            Role::Join if top.list != Want::Nothing => self.want = Want::Table,
            Role::Using if matches!(top.verb, Verb::Delete | Verb::Merge) => {
                top.list = Want::Table;
                self.want = Want::Table;
            }
            Role::Into if top.verb == Verb::Select && top.from_awaited && !inserted => {
                self.want = Want::Object;
            }
            Role::Into if matches!(top.verb, Verb::InsertMany | Verb::Load) => {
                self.want = Want::Object;
            }
            Role::Before if top.verb == Verb::Call && next_value => self.want = Want::Object,
            Role::Clause | Role::Set | Role::SetOperator | Role::Values | Role::Before => {
                top.list = Want::Nothing;
            }
            Role::On | Role::With | Role::From if top.verb == Verb::Other => {
                top.list = Want::Nothing;
            }
            _ => {}
        }
        if top.start {
            top.start = top.verb == Verb::Explain || token.word.text == "BULK";
        }
    }

    /// Whether the word belongs to the frame of a `WITH`.
    fn in_with(&mut self, token: &Token<'a>) -> bool {
        let top = self.levels.top();
        match top.cte {
            Cte::No => return false,
            Cte::Name if token.word.text == "RECURSIVE" => {}
            Cte::Name => {
                top.cte = Cte::Named;
                self.written.add_cte(token);
            }
            Cte::Named if token.role() == Role::As => top.cte = Cte::Body,
            Cte::Named | Cte::Body => {}
            Cte::Done => {
                top.cte = Cte::No;
                top.start = true;
                top.whole = true;
                return false;
            }
        }
        true
    }

    /// Whether a `WITH` here begins common table expressions.
    fn begins_with(&mut self) -> bool {
        let (last, role) = (self.last, self.last_word.role);
        let top = self.levels.top();
        let inserting = top.verb == Verb::Insert
            && (last == Kind::Close || last == Kind::Quoted || role == Role::Plain);
        top.start || role == Role::As || inserting
    }

    /// Whether the word is a target, or stands between an operation and its target.
    fn is_target(&mut self, token: &Token<'a>) -> bool {
        let role = token.role();
        match self.want {
            Want::Nothing => false,
            Want::Class => self.is_class(token),
            Want::Table if role == Role::Only => true,
            // A table may have this name, as what follows shows.
            Want::Object if token.word.text == "TABLE" => {
                self.begin_name(token);
                true
            }
            Want::Object | Want::Deleted if self.is_noise(token.word) => true,
            _ if role.is_structure() => {
                if !matches!(role, Role::Select | Role::With | Role::Values) {
                    self.take_back(None);
                }
                self.want = Want::Nothing;
                false
            }
            _ => {
                self.begin_name(token);
                true
            }
        }
    }

    fn is_noise(&self, word: &Word) -> bool {
        match word.role {
            Role::Noise | Role::Only | Role::Into | Role::Relation | Role::Replace | Role::Not => {
                true
            }
            Role::Act => self.verb == "VACUUM",
            Role::Class => self.verb == "REINDEX",
            _ => matches!(word.text, "OR" | "IF" | "ROLLBACK" | "ABORT"),
        }
    }

    /// The same where what is created is said first.
    fn is_class(&mut self, token: &Token<'a>) -> bool {
        let role = token.role();
        match (self.class, role) {
            (Role::Plain, Role::Relation | Role::Class | Role::Routine | Role::Materialized) => {
                self.written.push(token.text);
                if role != Role::Materialized {
                    self.class = role;
                }
            }
            (Role::Plain, Role::Nameless) => self.nameless(token),
            (Role::Plain, _) if token.word.text == "GROUP" => self.nameless(token),
            (
                Role::Plain,
                Role::Set
                | Role::Default
                | Role::With
                | Role::As
                | Role::On
                | Role::From
                | Role::Before
                | Role::Using,
            ) => {
                self.want = Want::Nothing;
                return false;
            }
            (Role::Plain, _) | (_, Role::Noise | Role::Only | Role::Not | Role::On) => {}
            _ if token.word.text == "IF" => {}
            _ if role.is_structure() || is_of_somebody(token.text) => {
                self.want = Want::Nothing;
                return false;
            }
            _ => {
                let dropped = self.verb == "DROP";
                self.levels.top().list = if dropped { Want::Object } else { Want::Nothing };
                self.begin_name(token);
            }
        }
        true
    }

    /// The kind of something whose name is not shown.
    fn nameless(&mut self, token: &Token<'a>) {
        self.written.push(token.text);
        self.class = Role::Nameless;
        self.want = Want::Nothing;
    }

    /// Whether a word of this role is an operation where it stands.
    fn is_operation(&mut self, role: Role) -> bool {
        let outermost = self.levels.outermost();
        let (last, last_role) = (self.last, self.last_word.role);
        let top = self.levels.top();
        let start = top.start && top.whole;
        // Statements follow each other without semicolons there.
        let anywhere = self.dialect == Dialect::SqlServer
            && top.verb != Verb::Grant
            && !matches!(last, Kind::Comma | Kind::Dot | Kind::Operator)
            && !matches!(last_role, Role::Before | Role::On | Role::As | Role::With);
        match role {
            Role::Select => {
                top.verb != Verb::Grant
                    && last_role != Role::Grant
                    && !matches!(last, Kind::Comma | Kind::Dot | Kind::Operator)
            }
            Role::Insert | Role::Update | Role::Delete | Role::Merge => {
                start || anywhere || last_role == Role::As && top.verb == Verb::Other
            }
            Role::Call => outermost && (start || anywhere),
            Role::Act | Role::Use => start && outermost && top.verb != Verb::Explain,
            Role::Replace
            | Role::Define
            | Role::Copy
            | Role::Explain
            | Role::Grant
            | Role::Do
            | Role::Set
            | Role::Values
            | Role::Relation => start && outermost,
            _ => false,
        }
    }

    fn begin(&mut self, token: &Token<'a>) {
        let word = token.word;
        self.begun = Some(Begun {
            written: self.written.mark(),
            level: *self.levels.top(),
            verb: self.verb,
            class: self.class,
        });
        self.written.push(token.text);
        self.verb = word.text;
        self.class = Role::Plain;
        let (verb, want, list, from) = match word.role {
            Role::Select => (Verb::Select, Want::Nothing, Want::Nothing, true),
            Role::Insert | Role::Replace => (Verb::Insert, Want::Object, Want::Nothing, false),
            Role::Update => (Verb::Update, Want::Object, Want::Object, true),
            Role::Delete => (Verb::Delete, Want::Deleted, Want::Deleted, true),
            Role::Merge => (Verb::Merge, Want::Object, Want::Nothing, false),
            Role::Define => (Verb::Other, Want::Class, Want::Nothing, false),
            Role::Call => (Verb::Call, Want::Object, Want::Nothing, false),
            Role::Explain => (Verb::Explain, Want::Nothing, Want::Nothing, false),
            Role::Grant => (Verb::Grant, Want::Nothing, Want::Nothing, false),
            Role::Act => (Verb::Other, Want::Object, Want::Object, false),
            Role::Copy | Role::Relation | Role::Use => {
                (Verb::Other, Want::Object, Want::Nothing, false)
            }
            _ => (Verb::Other, Want::Nothing, Want::Nothing, false),
        };
        self.want = want;
        let top = self.levels.top();
        top.verb = verb;
        top.list = list;
        top.from_awaited = from;
        top.start = verb == Verb::Explain || word.text == "BULK";
    }

    /// The summary. If the statement was `cut`, so was its last name.
    pub(super) fn finish(mut self, cut: bool) -> Box<str> {
        if !cut {
            self.end_name(None);
        }
        self.written.finish()
    }
}

/// Whether the name of a user or a role follows.
fn is_of_somebody(word: &str) -> bool {
    word.eq_ignore_ascii_case("AUTHORIZATION")
}
