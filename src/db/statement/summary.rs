//! The operations of a statement and their targets, in the order in which they stand.

use super::dialect::Dialect;
use super::level::{Cte, Level, Levels, Verb, Want};
use super::operation::Operation;
use super::target::{Name, Written};
use super::token::{Kind, Token};
use super::word::{NAME, Role, Word};

#[derive(Debug)]
pub(super) struct Summary<'a> {
    dialect: Dialect,
    levels: Levels,
    written: Written<'a>,
    operation: Operation,
    /// The word that began what is read.
    verb: &'static str,
    /// The kind of what is created was there.
    class: Role,
    /// Whether targets are tables or the like.
    collections: bool,
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
}

impl<'a> Summary<'a> {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            levels: Levels::new(),
            written: Written::new(),
            operation: Operation::default(),
            verb: "",
            class: Role::Plain,
            collections: true,
            body: false,
            want: Want::Nothing,
            name: Name::default(),
            wanted: Want::Nothing,
            dotted: false,
            last: Kind::Semicolon,
            last_word: &NAME,
            word_before: &NAME,
        }
    }

    #[inline]
    pub(super) fn token(&mut self, token: &Token<'a>) {
        if self.body {
            return;
        }
        if !self.name.is_empty() && self.name_goes_on(token) {
            self.last = token.kind;
            return;
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
        if self.dotted && token.is_name() {
            self.dotted = false;
            self.name.push(token);
            return true;
        }
        self.end_name(Some(token));
        false
    }

    fn end_name(&mut self, next: Option<&Token<'_>>) {
        let next_kind = next.map(|token| token.kind);
        let no_target = match self.wanted {
            Want::Table => next_kind == Some(Kind::Open),
            Want::Deleted => {
                self.dotted
                    || next_kind == Some(Kind::Comma)
                    || next.is_some_and(|token| token.role() == Role::From)
            }
            _ => false,
        };
        if !no_target && !self.name.is_empty() {
            self.written.push_target(&self.name, self.collections);
        }
        self.name.clear();
        self.dotted = false;
        self.body = self.class == Role::Routine && self.verb != "DROP";
    }

    fn begin_name(&mut self, token: &Token<'a>) {
        self.name.push(token);
        self.wanted = std::mem::take(&mut self.want);
    }

    fn end_statement(&mut self) {
        self.levels.reset();
        self.written.forget_ctes();
        self.operation.end_statement();
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
            return self.begin(token.word);
        }
        let with = role == Role::With && self.begins_with();
        let inserted = matches!(self.dialect, Dialect::Mysql | Dialect::Sqlite);
        let distinct = self.last_word.role == Role::Distinct
            && matches!(self.word_before.role, Role::Is | Role::Not);
        let top = self.levels.top();
        match role {
            Role::With if with => top.cte = Cte::Name,
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
            Role::On if top.verb == Verb::Grant => self.want = Want::Object,
            Role::Clause | Role::Set | Role::SetOperator | Role::Values | Role::Before => {
                top.list = Want::Nothing;
            }
            _ => {}
        }
        top.start &= top.verb == Verb::Explain;
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
        let noise = self.is_noise(token.word);
        match self.want {
            Want::Nothing => false,
            Want::Class => self.is_class(token),
            Want::Table if role == Role::Only => true,
            Want::Object | Want::Deleted if noise => true,
            _ if role.is_structure() => {
                self.want = Want::Nothing;
                false
            }
            _ => {
                self.begin_name(token);
                true
            }
        }
    }

    fn is_noise(&mut self, word: &Word) -> bool {
        match word.role {
            Role::Noise | Role::Only | Role::Into | Role::Relation | Role::Replace | Role::Not => {
                true
            }
            Role::Act => self.verb == "VACUUM",
            Role::Class | Role::Routine => {
                self.verb == "REINDEX" || self.levels.top().verb == Verb::Grant
            }
            _ => matches!(word.text, "OR" | "IF" | "ROLLBACK" | "ABORT" | "ALL"),
        }
    }

    /// The same where what is created is said first.
    fn is_class(&mut self, token: &Token<'a>) -> bool {
        let role = token.role();
        match (self.class, role) {
            (Role::Plain, Role::Relation | Role::Class | Role::Routine | Role::Materialized) => {
                self.written.push(token.word.text);
                self.operation.push(token.word.text);
                if role != Role::Materialized {
                    self.class = role;
                    self.collections = role == Role::Relation;
                }
            }
            (Role::Plain, _) | (_, Role::Noise | Role::Only | Role::Not | Role::On) => {}
            _ if token.word.text == "IF" => {}
            _ if role.is_structure() => {
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
            Role::Select => top.verb != Verb::Grant,
            Role::Insert | Role::Update | Role::Delete | Role::Merge => {
                start || anywhere || last_role == Role::As && top.verb == Verb::Other
            }
            Role::Call => outermost && (start || anywhere),
            Role::Act => start && outermost && top.verb != Verb::Explain,
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

    fn begin(&mut self, word: &'static Word) {
        let outermost = self.levels.outermost();
        self.written.push(word.text);
        self.operation.begin(word.text, outermost);
        self.verb = word.text;
        self.class = Role::Plain;
        self.collections = word.role != Role::Call && !matches!(word.text, "PRAGMA" | "REINDEX");
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
            Role::Copy | Role::Relation => (Verb::Other, Want::Object, Want::Nothing, false),
            _ => (Verb::Other, Want::Nothing, Want::Nothing, false),
        };
        self.want = want;
        let top = self.levels.top();
        top.verb = verb;
        top.list = list;
        top.from_awaited = from;
        top.start = verb == Verb::Explain;
    }

    /// The summary, the operation and the collection. If the statement was `cut`, so was its last name.
    pub(super) fn finish(mut self, cut: bool) -> (Box<str>, Box<str>, Option<Box<str>>) {
        if !cut {
            self.end_name(None);
        }
        let (summary, collection) = self.written.finish();
        (summary, self.operation.finish(), collection)
    }
}
