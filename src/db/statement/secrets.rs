//! Finds secrets that are written without quotes, or in quotes that usually hold names.
//!
//! Statements about users, keys and connections write passwords as plain words in several dialects
//! (`IDENTIFIED BY tiger`). What follows a word that announces a secret is a literal, regardless of its form. If two
//! readings are possible, both candidates are literals.

use super::dialect::Dialect;
use super::token::{SqlToken, TokenKind};
use super::word::WordRole;

/// Bytes of look-ahead.
const MAX_AHEAD: usize = 16;

/// Which words announce a secret in the current statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecretMode {
    /// No word has been read yet.
    Start,
    /// A query or a change of rows: only `IDENTIFIED BY` does.
    Query,
    /// `GRANT` and similar words: the words after `IDENTIFIED` do.
    Grant,
    /// `CREATE` and `ALTER`: the kind of the object follows, and decides.
    Define,
    /// An object or a statement with keys: the names of keys do.
    Keyed,
    /// A user, a role or a link: as [`Keyed`](Self::Keyed), and `USING`.
    User,
    /// `CONNECT`: a user with a password may follow.
    Connect,
    /// After the user of `CONNECT`: as [`User`](Self::User), and the words for a new password.
    Connected,
    /// `ATTACH`: as [`Keyed`](Self::Keyed), and `KEY`.
    Attach,
    /// `COPY` and similar words: the names of keys to an object store do, unless they are columns.
    Store,
    /// `SET`: the names of keys do, and `PASSWORD`.
    Set,
    /// `PRAGMA`: the names of keys and salts do.
    Pragma,
    /// `ADMINISTER` and changes of a keystore: after a first password, `SET` announces the new one.
    Keystore,
    /// `SHOW`: the passphrase of a backup may follow.
    Show,
    /// `CALL`: the name of the procedure follows. For a system procedure of SQL Server, unquoted words are strings.
    Call,
    /// `EXEC`: the name of the procedure follows.
    Exec,
    /// After the name of a procedure: unquoted words are strings.
    Arguments,
    /// Every word is a secret.
    All,
}

/// How a secret ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretExtent {
    /// At a blank, a comma, a semicolon or a closing bracket, outside of brackets.
    Attached,
    /// After its first token, if that is a word or a name.
    Word,
    /// Like [`Word`](Self::Word), unless it is a keyword.
    Argument,
    /// Like [`Attached`](Self::Attached), if it contains a slash: `user/password@server`. Otherwise it is
    /// not a secret.
    Account,
    /// It does not begin yet: a sign precedes it.
    Sign,
}

/// Follows a statement and finds where secrets begin and end.
#[derive(Debug)]
pub(super) struct SecretDetector {
    dialect: Dialect,
    mode: SecretMode,
    /// The next operand is a secret.
    is_due: bool,
    /// Another secret follows the next comma.
    is_list: bool,
    /// `IDENTIFIED` was read.
    after_identified: bool,
    /// The role of the last word.
    last: WordRole,
}

impl SecretDetector {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            mode: SecretMode::Start,
            is_due: false,
            is_list: false,
            after_identified: false,
            last: WordRole::Plain,
        }
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// The extent of the secret that begins here; `None` if none does. Called only while a secret is due.
    #[cold]
    pub(super) fn next_extent(&mut self, rest: &[u8]) -> Option<SecretExtent> {
        let stays_due = self.mode == SecretMode::All;
        // 1. Punctuation before the secret, or in its place.
        match rest {
            [b'=', ..] => return Some(SecretExtent::Sign),
            // An assignment: the secret is still due after it.
            [b':', b'=', ..] => return None,
            // The arguments are in brackets: the secret is still expected inside.
            [b'(', ..]
                if matches!(
                    self.mode,
                    SecretMode::All | SecretMode::Arguments | SecretMode::Pragma
                ) =>
            {
                return None;
            }
            // There is no operand.
            [b',' | b';' | b')' | b']' | b'.', ..] => {
                self.is_due = stays_due;
                return None;
            }
            _ => {}
        }
        let word = || {
            let near = rest.get(..rest.len().min(MAX_AHEAD)).unwrap_or_default();
            let end = near.iter().position(|byte| !byte.is_ascii_alphanumeric());
            near.get(..end.unwrap_or(near.len())).unwrap_or_default()
        };
        // 2. The secret itself. How much belongs to it depends on the statement.
        match self.mode {
            SecretMode::All => Some(SecretExtent::Word),
            SecretMode::Arguments => Some(SecretExtent::Argument),
            SecretMode::Connect => {
                self.mode = SecretMode::Connected;
                Some(SecretExtent::Account)
            }
            // The word before was a column in a query that is copied, and not the name of a key.
            SecretMode::Store if is_any_of(word(), &["FROM", "WHERE", "AS", "AND", "OR"]) => {
                self.is_due = false;
                None
            }
            _ => Some(SecretExtent::Attached),
        }
    }

    /// Notes that a secret was read. If it may itself be a word that announces a secret, another one is due.
    pub(super) fn secret_read(&mut self, secret: &[u8], kind: TokenKind) {
        let signs = secret.iter().all(|byte| b"=<>-+*/:@!~|&%^#".contains(byte));
        self.is_due = match self.mode {
            SecretMode::All => true,
            SecretMode::Arguments => signs,
            _ if signs => true,
            SecretMode::Keystore if kind == TokenKind::Literal && is_any_of(secret, PRECEDING) => {
                true
            }
            SecretMode::Keystore => {
                self.after_identified = true;
                false
            }
            _ => kind == TokenKind::Literal && is_any_of(secret, PRECEDING),
        };
    }

    /// Notes a token that is not a secret.
    #[inline]
    pub(super) fn observe(&mut self, token: &SqlToken<'_>) {
        match token.kind {
            TokenKind::Word => self.word(token),
            // Each statement of a text is read by itself: what announced a secret before means nothing here.
            TokenKind::Semicolon => *self = Self::new(self.dialect),
            _ if self.mode == SecretMode::Query => {}
            TokenKind::Quoted if self.mode == SecretMode::Call => self.procedure_name(token),
            TokenKind::Dot if self.mode == SecretMode::Call => {}
            _ if self.mode == SecretMode::Call => self.mode = SecretMode::Query,
            TokenKind::Quoted
                if matches!(
                    self.mode,
                    SecretMode::Keyed | SecretMode::Set | SecretMode::User
                ) =>
            {
                self.is_due = is_key(unquoted(token.text));
            }
            // The next item of a list of secrets, or the next argument of a procedure, is a secret too.
            TokenKind::Comma => self.is_due |= self.is_list || self.mode == SecretMode::Arguments,
            TokenKind::Quoted if matches!(self.mode, SecretMode::Exec | SecretMode::Arguments) => {
                self.argument(token);
            }
            TokenKind::Dot if self.mode == SecretMode::Arguments => {
                self.is_due = false;
                self.mode = SecretMode::Exec;
            }
            TokenKind::Operator if self.mode == SecretMode::Arguments && token.text == "=" => {
                self.is_due = true;
            }
            _ => {}
        }
    }

    #[inline]
    fn word(&mut self, token: &SqlToken<'_>) {
        let role = token.role();
        if matches!(role, WordRole::Null | WordRole::Bool) {
            // A literal, which announces nothing.
            return;
        }
        match self.mode {
            SecretMode::Start => self.first_word(token),
            SecretMode::Query => self.query_word(token),
            SecretMode::Call => self.procedure_name(token),
            SecretMode::Show => {
                let backup = token.word.text == "BACKUP";
                self.mode = if backup {
                    SecretMode::Keyed
                } else {
                    SecretMode::Query
                };
            }
            SecretMode::Exec | SecretMode::Arguments => self.argument(token),
            _ => self.announcement(token),
        }
        self.last = role;
    }

    /// The first word of a statement.
    fn first_word(&mut self, token: &SqlToken<'_>) {
        let (role, text) = (token.role(), token.text.as_bytes());
        // Where a procedure may be called by its name alone, or by `EXEC` with arguments without quotes.
        let bare = matches!(
            self.dialect,
            Dialect::SqlServer | Dialect::Other | Dialect::Unknown
        );
        self.mode = match (role, token.word.text) {
            (WordRole::Define, "DROP" | "REFRESH" | "ENABLE" | "DISABLE") => SecretMode::Query,
            (WordRole::Define, _) => SecretMode::Define,
            (WordRole::Grant, _) => SecretMode::Grant,
            (WordRole::Set, _) => SecretMode::Set,
            (WordRole::Copy, _) | (_, "LOAD") => SecretMode::Store,
            (WordRole::Call, "EXEC" | "EXECUTE") if bare => SecretMode::Exec,
            (WordRole::Call, _) => SecretMode::Call,
            (_, "SHOW") => SecretMode::Show,
            (_, "PRAGMA") => SecretMode::Pragma,
            (_, "ATTACH") => SecretMode::Attach,
            (_, "START" | "IMPORT" | "BACKUP" | "RESTORE" | "CHECK") => SecretMode::Keyed,
            _ if token.is_keyword() => SecretMode::Query,
            _ if is_any_of(text, &["ADMINISTER"]) => SecretMode::Keystore,
            _ if is_any_of(text, &["CONNECT", "CONN"]) => SecretMode::Connect,
            _ if is_any_of(text, &["UNLOAD"]) => SecretMode::Store,
            _ if is_any_of(text, &["AUTH", "ACL", "HELLO", "CONFIG", "LOGON"]) => SecretMode::All,
            _ if bare && is_system_procedure(text) => SecretMode::Exec,
            _ => SecretMode::Keyed,
        };
        // In these modes the first word itself announces a secret.
        match self.mode {
            SecretMode::Connect | SecretMode::All => self.is_due = true,
            SecretMode::Exec if role != WordRole::Call => self.argument(token),
            SecretMode::Keyed => self.is_due = is_key(text),
            _ => {}
        }
    }

    /// A word of a query or of a change of rows.
    #[inline]
    fn query_word(&mut self, token: &SqlToken<'_>) {
        match self.last {
            WordRole::Identified if token.word.text == "BY" => {
                self.mode = SecretMode::Grant;
                self.announcement(token);
            }
            // In a block of statements.
            WordRole::Define if token.role() == WordRole::Nameless => self.mode = SecretMode::User,
            WordRole::Define if is_any_of(token.text.as_bytes(), KEYED) => {
                self.mode = SecretMode::Keyed;
            }
            _ if token.role() == WordRole::Call => self.mode = SecretMode::Call,
            _ => {}
        }
    }

    /// The name of the called procedure, or a part of it.
    fn procedure_name(&mut self, token: &SqlToken<'_>) {
        if is_system_procedure(unquoted(token.text)) {
            self.mode = SecretMode::Arguments;
            self.is_due = true;
        } else if token.is_keyword() {
            self.mode = SecretMode::Query;
            self.query_word(token);
        }
    }

    /// A word that may announce a secret.
    fn announcement(&mut self, token: &SqlToken<'_>) {
        let text = token.text.as_bytes();
        // 1. The names of keys and the other words that announce a secret in this kind of statement.
        let is_announced = match self.mode {
            SecretMode::Define => self.object_kind(token) && is_key(text),
            SecretMode::User => {
                is_key(text) || is_any_of(text, &["USING", "SALT", "HASH", "VERIFIER"])
            }
            SecretMode::Connected => is_key(text) || is_any_of(text, &["USING", "NEW", "CONFIRM"]),
            SecretMode::Attach => is_key(text) || is_any_of(text, &["KEY", "HEXKEY", "USING"]),
            SecretMode::Pragma => is_key(text) || ends_as(text, &["KEY", "SALT"]),
            SecretMode::Keystore => {
                is_key(text) || self.after_identified && is_any_of(text, &["SET"])
            }
            SecretMode::Store => is_store_key(text),
            SecretMode::Set if is_any_of(text, &["PASSWORD"]) => {
                self.mode = SecretMode::All;
                true
            }
            // As in `BACKUP DATABASE d USER u USING ..`.
            SecretMode::Keyed if token.word.text == "USER" => {
                self.mode = SecretMode::User;
                false
            }
            SecretMode::Keyed | SecretMode::Set => is_key(text),
            _ => false,
        };
        // 2. After `IDENTIFIED`, also the words that may follow it.
        let follows_identified = self.after_identified
            && is_any_of(text, &["BY", "AS", "USING", "REPLACE", "PASSWORD", "SALT"]);
        let is_by = token.word.text == "BY";
        self.after_identified |=
            token.role() == WordRole::Identified || self.last == WordRole::Identified && is_by;
        // 3. `IDENTIFIED BY a, b` has several secrets.
        let is_identified_by = self.after_identified && is_by;
        self.is_due = is_announced || follows_identified || is_identified_by;
        self.is_list = is_identified_by;
    }

    /// A word between `CREATE` or `ALTER` and a name. Returns whether it may be the name of a key.
    fn object_kind(&mut self, token: &SqlToken<'_>) -> bool {
        self.mode = match (token.role(), token.word.text) {
            (_, "USER" | "ROLE" | "LOGIN" | "GROUP") => SecretMode::User,
            (_, "DATABASE" | "SERVER" | "SUBSCRIPTION" | "SYSTEM") => SecretMode::Keyed,
            (
                WordRole::Relation
                | WordRole::ObjectKind
                | WordRole::Routine
                | WordRole::Materialized,
                _,
            ) => SecretMode::Query,
            _ => {
                let text = token.text.as_bytes();
                // In another position it is a key: `CREATE CREDENTIAL c WITH SECRET = ..`.
                let is_kind = matches!(
                    self.last,
                    WordRole::Define | WordRole::Replace | WordRole::Noise
                );
                if is_any_of(text, &["SECRET"]) && is_kind || is_any_of(text, KEYED) {
                    self.mode = SecretMode::Keyed;
                    return false;
                }
                if is_any_of(text, &["KEYSTORE", "WALLET"]) {
                    self.mode = SecretMode::Keystore;
                    return false;
                }
                return true;
            }
        };
        false
    }

    /// A word of an `EXEC`: the procedure, or an argument.
    fn argument(&mut self, token: &SqlToken<'_>) {
        if self.mode == SecretMode::Exec {
            let immediate = is_any_of(token.text.as_bytes(), &["IMMEDIATE"]);
            let statement = token.role() == WordRole::As || immediate;
            self.is_due = !statement;
            self.mode = if statement {
                SecretMode::Query
            } else {
                SecretMode::Arguments
            };
        } else if token.role().begins_statement() {
            *self = Self::new(self.dialect);
            self.first_word(token);
        }
    }
}

/// Kinds of objects with keys.
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

/// Text that may occur between the word that announces a secret and the secret.
const PRECEDING: &[&str] = &[
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

/// How the names of keys to an object store end, without endings that are common in names of columns.
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

fn is_any_of(word: &[u8], words: &[&str]) -> bool {
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

/// Whether it is a system procedure of SQL Server, which may be called by only its name.
fn is_system_procedure(word: &[u8]) -> bool {
    let begin = word.get(..3).unwrap_or_default();
    begin.eq_ignore_ascii_case(b"sp_") || begin.eq_ignore_ascii_case(b"xp_")
}
