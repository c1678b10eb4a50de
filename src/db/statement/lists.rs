//! Leaves out the elements of lists beyond the first, and rows like the one before.
//!
//! Everything is written as it comes; what turns out to be a repetition is taken back.

use super::hash::Hash;
use super::text::{Mark, Text};
use super::token::Kind;
use super::word::Role;

/// Brackets inside each other beyond which they are only counted.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// `IN (..)` or `[..]`: its elements are hashed each on its own.
    List,
    /// A row of `VALUES`: hashed on its own.
    Row,
}

/// Where the text and the hash were at some time.
#[derive(Debug, Clone, Copy)]
struct Point {
    text: Mark,
    hash: Hash,
}

/// The rows of a `VALUES`.
#[derive(Debug, Clone, Copy)]
struct Rows {
    /// The hash of the last row, and the point behind it.
    last: Option<(Hash, Point)>,
    /// Whether a row may begin here.
    expected: bool,
}

/// What stands between one pair of brackets.
#[derive(Debug, Clone, Copy)]
struct Frame {
    form: Form,
    /// Made of nothing but literals so far.
    pure: bool,
    /// All elements of a list are like the first, whose hash this is, with the point behind it.
    first: Option<(Hash, Point)>,
    same: bool,
    /// The hash of what came before; with a list, and of its elements so far.
    before: Hash,
    rows: Option<Rows>,
}

impl Frame {
    fn new(form: Form, before: Hash) -> Self {
        Self {
            form,
            pure: true,
            first: None,
            same: true,
            before,
            rows: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Lists {
    text: Text,
    hash: Hash,
    /// What is open, inside the whole.
    frames: Vec<Frame>,
    base: Frame,
    /// What is open beyond [`MAX_DEPTH`].
    deeper: usize,
    last: Kind,
    last_role: Role,
}

impl Lists {
    pub(super) fn new(text: Text) -> Self {
        Self {
            text,
            hash: Hash::NEW,
            frames: Vec::with_capacity(8),
            base: Frame::new(Form::Plain, Hash::NEW),
            deeper: 0,
            last: Kind::Semicolon,
            last_role: Role::Plain,
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().unwrap_or(&mut self.base)
    }

    fn point(&self) -> Point {
        Point {
            text: self.text.mark(),
            hash: self.hash,
        }
    }

    fn back_to(&mut self, point: Point) {
        self.text.restore(point.text);
        self.hash = point.hash;
    }

    /// Writes one token.
    #[inline]
    pub(super) fn put(&mut self, kind: Kind, role: Role, spaced: bool, text: &str, fold: bool) {
        match kind {
            _ if self.deeper > 0 => self.put_deeper(kind, spaced, text, fold),
            Kind::Open | Kind::OpenBracket => self.open(kind, spaced, text),
            Kind::Close | Kind::CloseBracket => self.close(kind, spaced, text),
            Kind::Comma => self.comma(spaced, text),
            _ => {
                self.plain(kind, role);
                self.write(kind, spaced, text, fold);
            }
        }
        self.last = kind;
        self.last_role = role;
    }

    #[inline]
    fn write(&mut self, kind: Kind, spaced: bool, text: &str, fold: bool) {
        self.text.push(spaced, text);
        let kind = if kind.is_literal() {
            Kind::Literal
        } else {
            kind
        };
        match text.as_bytes() {
            [byte] if kind != Kind::Word => {
                self.hash.mix(u64::from(kind as u8) << 8 | u64::from(*byte));
            }
            bytes => self.hash.mix_bytes(kind as u8, bytes, fold),
        }
    }

    fn put_deeper(&mut self, kind: Kind, spaced: bool, text: &str, fold: bool) {
        match kind {
            Kind::Open | Kind::OpenBracket => self.deeper += 1,
            Kind::Close | Kind::CloseBracket => self.deeper -= 1,
            _ => {}
        }
        self.write(kind, spaced, text, fold);
    }

    /// What a token that is no bracket and no comma means for what it stands in.
    #[inline]
    fn plain(&mut self, kind: Kind, role: Role) {
        let after_cast = self.last == Kind::Cast;
        let top = self.top();
        top.pure &= match kind {
            Kind::Word => after_cast || role == Role::Typed,
            Kind::Quoted => after_cast,
            Kind::Cast => true,
            kind => kind.is_literal(),
        };
        match role {
            Role::Values => {
                top.rows = Some(Rows {
                    last: None,
                    expected: true,
                });
            }
            Role::Row => {}
            _ => top.rows = None,
        }
    }

    fn open(&mut self, kind: Kind, spaced: bool, text: &str) {
        if self.frames.len() >= MAX_DEPTH {
            self.top().pure = false;
            self.top().rows = None;
            return self.put_deeper(kind, spaced, text, false);
        }
        let in_list = kind == Kind::Open && self.last == Kind::Word && self.last_role == Role::In;
        let row = kind == Kind::Open && self.top().rows.is_some_and(|rows| rows.expected);
        if row {
            let before = std::mem::replace(&mut self.hash, Hash::NEW);
            self.frames.push(Frame::new(Form::Row, before));
            return self.write(kind, spaced, text, false);
        }
        self.top().rows = None;
        self.write(kind, spaced, text, false);
        if in_list || kind == Kind::OpenBracket {
            let before = std::mem::replace(&mut self.hash, Hash::NEW);
            self.frames.push(Frame::new(Form::List, before));
        } else {
            self.frames.push(Frame::new(Form::Plain, self.hash));
        }
    }

    fn comma(&mut self, spaced: bool, text: &str) {
        if self.top().form == Form::List {
            self.end_element();
            self.write(Kind::Comma, spaced, text, false);
            self.hash = Hash::NEW;
            return;
        }
        let top = self.top();
        top.rows = top.rows.filter(|rows| !rows.expected);
        if let Some(rows) = &mut top.rows {
            rows.expected = true;
        }
        self.write(Kind::Comma, spaced, text, false);
    }

    /// Takes the element of a list that ends here into the list's hash.
    fn end_element(&mut self) {
        let (element, text) = (self.hash, self.text.mark());
        let top = self.top();
        top.before.mix(element.finish());
        let point = Point {
            text,
            hash: top.before,
        };
        let (first, _) = top.first.get_or_insert((element, point));
        top.same &= *first == element;
    }

    fn close(&mut self, kind: Kind, spaced: bool, text: &str) {
        let Some(form) = self.frames.last().map(|frame| frame.form) else {
            self.base.rows = None;
            return self.write(kind, spaced, text, false);
        };
        if form == Form::List {
            self.end_element();
            self.end_list(false);
        }
        self.write(kind, spaced, text, false);
        let Some(closed) = self.frames.pop() else {
            return;
        };
        self.top().pure &= closed.pure;
        if form == Form::Row {
            self.end_row(closed.before);
        } else {
            self.top().rows = None;
        }
    }

    /// Leaves the list's elements beyond the first out, if they are nothing else.
    fn end_list(&mut self, cut: bool) {
        let top = *self.top();
        match top.first {
            Some((_, point)) if top.pure && top.same => self.back_to(point),
            _ if cut => {
                let element = self.hash;
                self.hash = top.before;
                self.hash.mix(element.finish());
            }
            _ => self.hash = top.before,
        }
    }

    /// Leaves the row that ended out, if it is like the one before.
    fn end_row(&mut self, before: Hash) {
        let row = std::mem::replace(&mut self.hash, before);
        self.hash.mix(row.finish());
        let last = self.top().rows.and_then(|rows| rows.last);
        match last {
            Some((like, point)) if like == row => self.back_to(point),
            _ => {}
        }
        let last = Some((row, self.point()));
        self.top().rows = Some(Rows {
            last,
            expected: false,
        });
    }

    /// Ends all that is open. If the statement was `cut`, a list or a row that was not whole is left out
    /// where one like it stands before.
    pub(super) fn end_statement(&mut self, cut: bool) {
        self.deeper = 0;
        while let Some(frame) = self.frames.last().copied() {
            match frame.form {
                Form::Plain => {}
                Form::List if cut => self.end_list(true),
                Form::List => {
                    self.end_element();
                    self.hash = self.top().before;
                }
                Form::Row => {
                    let row = std::mem::replace(&mut self.hash, frame.before);
                    self.hash.mix(row.finish());
                }
            }
            self.frames.pop();
            self.top().pure &= frame.pure;
            if cut {
                self.drop_row(frame.form == Form::Row);
            }
        }
        if cut {
            self.drop_row(false);
        }
        self.base = Frame::new(Form::Plain, Hash::NEW);
    }

    /// Leaves a row out that was begun.
    fn drop_row(&mut self, inside: bool) {
        let rows = self.top().rows;
        if let Some(Rows {
            last: Some((_, point)),
            expected,
        }) = rows
            && (inside || expected)
        {
            self.back_to(point);
        }
        self.top().rows = None;
    }

    pub(super) fn finish(self, cut: bool) -> (Box<str>, u64) {
        (self.text.finish(cut), self.hash.finish())
    }
}
