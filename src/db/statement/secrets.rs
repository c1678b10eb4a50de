//! Finds secrets that are written without quotes, or in quotes that hold names elsewhere.
//!
//! Statements about users, keys and connections write passwords as plain words in several dialects
//! (`IDENTIFIED BY tiger`). What follows a word that announces a secret is a literal, whatever it looks like. Where
//! two readings are possible, both candidates are literals.

use super::dialect::Dialect;
use super::token::{Kind, Token};
use super::word::Role;

/// Bytes that are looked at ahead.
const MAX_AHEAD: usize = 16;

/// Which words announce a secret in the statement that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No word of it was read yet.
    Start,
    /// A query or a change: `IDENTIFIED BY` alone does.
    Plain,
    /// `GRANT` and the like: the words behind `IDENTIFIED` do.
    Grant,
    /// `CREATE` and `ALTER`: the kind of the thing comes, and decides.
    Define,
    /// Something that takes keys: their names do.
    Keyed,
    /// A user, a role or a link: the same and `USING`.
    User,
    /// `CONNECT`: a user with a password may come.
    Connect,
    /// The same as [`User`](Self::User), and the words for a new password.
    Connected,
    /// The same as [`Keyed`](Self::Keyed), and `KEY`.
    Attach,
    /// `COPY` and the like: names of keys to a store do, unless they are columns.
    Store,
    Set,
    Pragma,
    /// `ADMINISTER` and what is done to a keystore: behind a first password, `SET` announces the new one.
    Keystore,
    /// `SHOW`: a backup's passphrase may come.
    Show,
    /// `CALL`: the procedure's name comes. Of one of SQL Server's, bare words are strings.
    Call,
    /// `EXEC`: the procedure's name comes.
    Exec,
    /// The name was there: bare words behind it are strings.
    Arguments,
    /// Every word is a secret.
    All,
}

/// How a secret ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// At a blank, a comma, a semicolon or a closing bracket, outside of brackets.
    Glued,
    /// With its first token, if that is a word or a name.
    Word,
    /// The same, unless it is a word of SQL.
    Argument,
    /// As glued, if it holds a slash: `user/password@server`. Otherwise it is none.
    Account,
    /// It does not begin yet: a sign comes, alone.
    Sign,
}

#[derive(Debug)]
pub(super) struct Secrets {
    dialect: Dialect,
    mode: Mode,
    /// The next operand is a secret.
    due: bool,
    /// Behind the next comma comes another one.
    listed: bool,
    /// `IDENTIFIED` was there.
    identified: bool,
    /// What the last word is.
    last: Role,
}

impl Secrets {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            mode: Mode::Start,
            due: false,
            listed: false,
            identified: false,
            last: Role::Plain,
        }
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// How the secret that begins here ends; `None` if none does. Something is due.
    #[cold]
    pub(super) fn begins(&mut self, rest: &[u8]) -> Option<Extent> {
        let stays = self.mode == Mode::All;
        match rest {
            [b'=', ..] => return Some(Extent::Sign),
            [b':', b'=', ..] => return None,
            [b'(', ..] if matches!(self.mode, Mode::All | Mode::Arguments | Mode::Pragma) => {
                return None;
            }
            [b',' | b';' | b')' | b']' | b'.', ..] => {
                self.due = stays;
                return None;
            }
            _ => {}
        }
        let word = || {
            let near = rest.get(..rest.len().min(MAX_AHEAD)).unwrap_or_default();
            let end = near.iter().position(|byte| !byte.is_ascii_alphanumeric());
            near.get(..end.unwrap_or(near.len())).unwrap_or_default()
        };
        match self.mode {
            Mode::All => Some(Extent::Word),
            Mode::Arguments => Some(Extent::Argument),
            Mode::Connect => {
                self.mode = Mode::Connected;
                Some(Extent::Account)
            }
            // A column of this name, in a query that is copied.
            Mode::Store if is_one_of(word(), &["FROM", "WHERE", "AS", "AND", "OR"]) => {
                self.due = false;
                None
            }
            _ => Some(Extent::Glued),
        }
    }

    /// What was due was read. If it may have been a word that announces a secret, another one follows.
    pub(super) fn found(&mut self, secret: &[u8], kind: Kind) {
        let signs = secret.iter().all(|byte| b"=<>-+*/:@!~|&%^#".contains(byte));
        self.due = match self.mode {
            Mode::All => true,
            Mode::Arguments => signs,
            _ if signs => true,
            Mode::Keystore if kind == Kind::Literal && is_one_of(secret, AGAIN) => true,
            Mode::Keystore => {
                self.identified = true;
                false
            }
            _ => kind == Kind::Literal && is_one_of(secret, AGAIN),
        };
    }

    /// Takes notice of a token that is no secret.
    #[inline]
    pub(super) fn after(&mut self, token: &Token<'_>) {
        match token.kind {
            Kind::Word => self.word(token),
            Kind::Semicolon => *self = Self::new(self.dialect),
            _ if self.mode == Mode::Plain => {}
            Kind::Quoted if self.mode == Mode::Call => self.called(token),
            Kind::Dot if self.mode == Mode::Call => {}
            _ if self.mode == Mode::Call => self.mode = Mode::Plain,
            Kind::Quoted if matches!(self.mode, Mode::Keyed | Mode::Set | Mode::User) => {
                self.due = is_key(unquoted(token.text));
            }
            Kind::Comma => self.due |= self.listed || self.mode == Mode::Arguments,
            Kind::Quoted if matches!(self.mode, Mode::Exec | Mode::Arguments) => {
                self.argument(token);
            }
            Kind::Dot if self.mode == Mode::Arguments => {
                self.due = false;
                self.mode = Mode::Exec;
            }
            Kind::Operator if self.mode == Mode::Arguments && token.text == "=" => self.due = true,
            _ => {}
        }
    }

    #[inline]
    fn word(&mut self, token: &Token<'_>) {
        let role = token.role();
        if matches!(role, Role::Null | Role::Bool) {
            // A literal, for most of what follows.
            return;
        }
        match self.mode {
            Mode::Start => self.start(token),
            Mode::Plain => self.plain(token),
            Mode::Call => self.called(token),
            Mode::Show => {
                let backup = token.word.text == "BACKUP";
                self.mode = if backup { Mode::Keyed } else { Mode::Plain };
            }
            Mode::Exec | Mode::Arguments => self.argument(token),
            _ => self.announced(token),
        }
        self.last = role;
    }

    /// The first word of a statement.
    fn start(&mut self, token: &Token<'_>) {
        let (role, text) = (token.role(), token.text.as_bytes());
        let bare = matches!(
            self.dialect,
            Dialect::SqlServer | Dialect::Other | Dialect::Unknown
        );
        self.mode = match (role, token.word.text) {
            (Role::Define, "DROP" | "REFRESH" | "ENABLE" | "DISABLE") => Mode::Plain,
            (Role::Define, _) => Mode::Define,
            (Role::Grant, _) => Mode::Grant,
            (Role::Set, _) => Mode::Set,
            (Role::Copy, _) | (_, "LOAD") => Mode::Store,
            (Role::Call, "EXEC" | "EXECUTE") if bare => Mode::Exec,
            (Role::Call, _) => Mode::Call,
            (_, "SHOW") => Mode::Show,
            (_, "PRAGMA") => Mode::Pragma,
            (_, "ATTACH") => Mode::Attach,
            (_, "START" | "IMPORT" | "BACKUP" | "RESTORE" | "CHECK") => Mode::Keyed,
            _ if token.is_known() => Mode::Plain,
            _ if is_one_of(text, &["ADMINISTER"]) => Mode::Keystore,
            _ if is_one_of(text, &["CONNECT", "CONN"]) => Mode::Connect,
            _ if is_one_of(text, &["UNLOAD"]) => Mode::Store,
            _ if is_one_of(text, &["AUTH", "ACL", "HELLO", "CONFIG", "LOGON"]) => Mode::All,
            _ if bare && is_system_procedure(text) => Mode::Exec,
            _ => Mode::Keyed,
        };
        match self.mode {
            Mode::Connect | Mode::All => self.due = true,
            Mode::Exec if role != Role::Call => self.argument(token),
            Mode::Keyed => self.due = is_key(text),
            _ => {}
        }
    }

    /// A word of a query or a change.
    #[inline]
    fn plain(&mut self, token: &Token<'_>) {
        match self.last {
            Role::Identified if token.word.text == "BY" => {
                self.mode = Mode::Grant;
                self.announced(token);
            }
            // In a block of statements.
            Role::Define if token.role() == Role::Nameless => self.mode = Mode::User,
            Role::Define if is_one_of(token.text.as_bytes(), KEYED) => self.mode = Mode::Keyed,
            _ if token.role() == Role::Call => self.mode = Mode::Call,
            _ => {}
        }
    }

    /// The name of a procedure that is called, or a part of it.
    fn called(&mut self, token: &Token<'_>) {
        if is_system_procedure(unquoted(token.text)) {
            self.mode = Mode::Arguments;
            self.due = true;
        } else if token.is_known() {
            self.mode = Mode::Plain;
            self.plain(token);
        }
    }

    /// A word that may announce a secret.
    fn announced(&mut self, token: &Token<'_>) {
        let text = token.text.as_bytes();
        let keyed = match self.mode {
            Mode::Define => self.defined(token) && is_key(text),
            Mode::User => is_key(text) || is_one_of(text, &["USING", "SALT", "HASH", "VERIFIER"]),
            Mode::Connected => is_key(text) || is_one_of(text, &["USING", "NEW", "CONFIRM"]),
            Mode::Attach => is_key(text) || is_one_of(text, &["KEY", "HEXKEY", "USING"]),
            Mode::Pragma => is_key(text) || ends_as(text, &["KEY", "SALT"]),
            Mode::Keystore => is_key(text) || self.identified && is_one_of(text, &["SET"]),
            Mode::Store => is_store_key(text),
            Mode::Set if is_one_of(text, &["PASSWORD"]) => {
                self.mode = Mode::All;
                true
            }
            // As in `BACKUP DATABASE d USER u USING ..`.
            Mode::Keyed if token.word.text == "USER" => {
                self.mode = Mode::User;
                false
            }
            Mode::Keyed | Mode::Set => is_key(text),
            _ => false,
        };
        let behind = self.identified
            && is_one_of(text, &["BY", "AS", "USING", "REPLACE", "PASSWORD", "SALT"]);
        let by = token.word.text == "BY";
        self.identified |= token.role() == Role::Identified || self.last == Role::Identified && by;
        let by = self.identified && by;
        self.due = keyed || behind || by;
        self.listed = by;
    }

    /// The kind of what is defined; whether it takes keys, as far as is known.
    fn defined(&mut self, token: &Token<'_>) -> bool {
        self.mode = match (token.role(), token.word.text) {
            (_, "USER" | "ROLE" | "LOGIN" | "GROUP") => Mode::User,
            (_, "DATABASE" | "SERVER" | "SUBSCRIPTION" | "SYSTEM") => Mode::Keyed,
            (Role::Relation | Role::Class | Role::Routine | Role::Materialized, _) => Mode::Plain,
            _ => {
                let text = token.text.as_bytes();
                // Elsewhere it is a key: `CREATE CREDENTIAL c WITH SECRET = ..`.
                let is_kind = matches!(self.last, Role::Define | Role::Replace | Role::Noise);
                if is_one_of(text, &["SECRET"]) && is_kind || is_one_of(text, KEYED) {
                    self.mode = Mode::Keyed;
                    return false;
                }
                if is_one_of(text, &["KEYSTORE", "WALLET"]) {
                    self.mode = Mode::Keystore;
                    return false;
                }
                return true;
            }
        };
        false
    }

    /// A word of an `EXEC`: its procedure, or what stands behind it.
    fn argument(&mut self, token: &Token<'_>) {
        if self.mode == Mode::Exec {
            let immediate = is_one_of(token.text.as_bytes(), &["IMMEDIATE"]);
            let statement = token.role() == Role::As || immediate;
            self.due = !statement;
            self.mode = if statement {
                Mode::Plain
            } else {
                Mode::Arguments
            };
        } else if token.role().begins_statement() {
            *self = Self::new(self.dialect);
            self.start(token);
        }
    }
}

/// Kinds of things that take keys, whatever words follow.
const KEYED: &[&str] = &[
    "CREDENTIAL",
    "SYMMETRIC",
    "ASYMMETRIC",
    "MASTER",
    "CERTIFICATE",
    "APPLICATION",
    "INTEGRATION",
    "CHANGEFEED",
    "SCHEDULE",
    "CONNECTION",
    "STAGE",
    "EXTERNLOGIN",
];

/// What may stand between the word that announces a secret and the secret.
const AGAIN: &[&str] = &[
    "PASSWORD",
    "IDENTIFIED",
    "BY",
    "AS",
    "USING",
    "REPLACE",
    "VALUES",
    "IMMEDIATELY",
    "HASH",
    "OLD",
    "NEW",
    "RANDOM",
    "TO",
    "IS",
    "TAG",
    "FORCE",
    "KEYSTORE",
];

/// How the names of keys and passwords end.
const KEYS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PWD",
    "SECRET",
    "TOKEN",
    "CREDENTIALS",
    "JWT",
    "SECRET_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "ENCRYPTION_KEY",
    "MASTER_KEY",
    "API_KEY",
    "APIKEY",
    "KEY_ID",
    "KEY_SOURCE",
    "IDENTITY_VALUE",
    "SECRET_STRING",
    "PASSPHRASE_COMMAND",
];

/// How the names of keys to a store end that are seldom names of columns.
const STORE_KEYS: &[&str] = &[
    "CREDENTIALS",
    "SECRET_KEY",
    "ACCESS_KEY",
    "SYMMETRIC_KEY",
    "MASTER_KEY",
    "KEY_ID",
    "AWS_TOKEN",
    "SAS_TOKEN",
    "SESSION_TOKEN",
];

/// A name without its quotes.
fn unquoted(name: &str) -> &[u8] {
    let quotes = ['"', '`', '[', ']'];
    name.trim_matches(quotes).as_bytes()
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    let same = |known: &&str| known.as_bytes().eq_ignore_ascii_case(word);
    words.iter().any(same)
}

fn ends_as(word: &[u8], ends: &[&str]) -> bool {
    let same = |end: &&str| {
        let from = word.len().checked_sub(end.len());
        let tail = from.and_then(|from| word.get(from..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
    };
    ends.iter().any(same)
}

fn is_key(word: &[u8]) -> bool {
    ends_as(word, KEYS)
}

fn is_store_key(word: &[u8]) -> bool {
    ends_as(word, STORE_KEYS)
}

/// Whether it is a procedure of SQL Server that may be called by its name alone.
fn is_system_procedure(word: &[u8]) -> bool {
    let begin = word.get(..3).unwrap_or_default();
    begin.eq_ignore_ascii_case(b"sp_") || begin.eq_ignore_ascii_case(b"xp_")
}
