//! Collapses lists of literals to their first element, and rows of `VALUES` to one.
//!
//! Each token is written when it is read. When a list or a row ends as a repetition, the text and the hash return to
//! the point before it. So nothing is read twice, and only one point is kept for each open bracket.

use super::hash::TokenHash;
use super::text::{OutputText, TextMark};
use super::token::TokenKind;
use super::word::WordRole;

/// Nested brackets beyond which nothing is collapsed.
const MAX_DEPTH: usize = 64;

/// A token of the normalized text.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputToken<'a> {
    pub(super) kind: TokenKind,
    pub(super) role: WordRole,
    /// Whether a blank precedes it.
    pub(super) spaced: bool,
    pub(super) text: &'a str,
    /// Whether the case of its letters is ignored in the hash.
    pub(super) fold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BracketKind {
    Plain,
    /// `IN (..)` or `[..]`. Each element has its own hash.
    List,
    /// A row of `VALUES`. It has its own hash.
    Row,
}

/// A state of the output to return to.
#[derive(Debug, Clone, Copy)]
struct OutputPoint {
    text: TextMark,
    hash: TokenHash,
}

/// The rows of a `VALUES`.
#[derive(Debug, Clone, Copy)]
struct ValuesRows {
    /// The hash of the last row, and the point after it.
    last: Option<(TokenHash, OutputPoint)>,
    /// Whether a row may begin here.
    expected: bool,
}

/// One pair of brackets.
#[derive(Debug, Clone, Copy)]
struct BracketFrame {
    kind: BracketKind,
    /// Whether it holds only literals so far.
    is_literal: bool,
    /// The hash of the first element of a list, and the point after it.
    first: Option<(TokenHash, OutputPoint)>,
    /// Whether all elements so far have the hash of the first.
    is_uniform: bool,
    /// The hash of everything before the brackets. In a list, the hashes of its elements are mixed in.
    outer_hash: TokenHash,
    rows: Option<ValuesRows>,
}

impl BracketFrame {
    fn new(kind: BracketKind, outer_hash: TokenHash) -> Self {
        Self {
            kind,
            is_literal: true,
            first: None,
            is_uniform: true,
            outer_hash,
            rows: None,
        }
    }
}

/// Writes tokens to the text and the hash, and collapses repetitions.
#[derive(Debug)]
pub(super) struct ListCollapser {
    text: OutputText,
    /// The hash of the innermost list element, row or statement.
    hash: TokenHash,
    /// The open brackets.
    frames: Vec<BracketFrame>,
    /// The level outside all brackets.
    outermost: BracketFrame,
    /// Open brackets beyond [`MAX_DEPTH`].
    overflow: usize,
    last: TokenKind,
    last_role: WordRole,
}

impl ListCollapser {
    pub(super) fn new(text: OutputText) -> Self {
        Self {
            text,
            hash: TokenHash::NEW,
            frames: Vec::with_capacity(8),
            outermost: BracketFrame::new(BracketKind::Plain, TokenHash::NEW),
            overflow: 0,
            last: TokenKind::Semicolon,
            last_role: WordRole::Plain,
        }
    }

    fn top(&mut self) -> &mut BracketFrame {
        self.frames.last_mut().unwrap_or(&mut self.outermost)
    }

    fn point(&self) -> OutputPoint {
        OutputPoint {
            text: self.text.mark(),
            hash: self.hash,
        }
    }

    fn return_to(&mut self, point: OutputPoint) {
        self.text.restore(point.text);
        self.hash = point.hash;
    }

    #[inline]
    pub(super) fn push(&mut self, token: OutputToken<'_>) {
        match token.kind {
            _ if self.overflow > 0 => self.push_too_deep(token),
            TokenKind::Open | TokenKind::OpenBracket => self.open(token),
            TokenKind::Close | TokenKind::CloseBracket => self.close(token),
            TokenKind::Comma => self.comma(token),
            _ => {
                self.note_content(token.kind, token.role);
                self.write(token);
            }
        }
        self.last = token.kind;
        self.last_role = token.role;
    }

    /// Writes a token to the text and the hash.
    #[inline]
    fn write(&mut self, token: OutputToken<'_>) {
        self.text.push(token.spaced, token.text);
        // All literals are written as `?` and are one kind.
        let kind = if token.kind.is_literal() {
            TokenKind::Literal
        } else {
            token.kind
        };
        match token.text.as_bytes() {
            [byte] if kind != TokenKind::Word => {
                self.hash.mix(u64::from(kind as u8) << 8 | u64::from(*byte));
            }
            bytes => self.hash.mix_bytes(kind as u8, bytes, token.fold),
        }
    }

    fn push_too_deep(&mut self, token: OutputToken<'_>) {
        match token.kind {
            TokenKind::Open | TokenKind::OpenBracket => self.overflow += 1,
            TokenKind::Close | TokenKind::CloseBracket => self.overflow -= 1,
            _ => {}
        }
        self.write(token);
    }

    /// Notes the effect of a token other than brackets and commas on the brackets around it.
    #[inline]
    fn note_content(&mut self, kind: TokenKind, role: WordRole) {
        let after_cast = self.last == TokenKind::Cast;
        let top = self.top();
        top.is_literal &= match kind {
            TokenKind::Word => after_cast || role == WordRole::Type,
            TokenKind::Quoted => after_cast,
            TokenKind::Cast => true,
            kind => kind.is_literal(),
        };
        match role {
            WordRole::Values => {
                top.rows = Some(ValuesRows {
                    last: None,
                    expected: true,
                });
            }
            WordRole::Row => {}
            _ => top.rows = None,
        }
    }

    fn open(&mut self, token: OutputToken<'_>) {
        if self.frames.len() >= MAX_DEPTH {
            self.top().is_literal = false;
            self.top().rows = None;
            return self.push_too_deep(token);
        }
        let is_bracket = token.kind == TokenKind::OpenBracket;
        let is_in = !is_bracket && self.last == TokenKind::Word && self.last_role == WordRole::In;
        let is_row = !is_bracket && self.top().rows.is_some_and(|rows| rows.expected);
        // The brackets of a row belong to its hash, those of a list precede its first element.
        if is_row {
            let outer_hash = std::mem::replace(&mut self.hash, TokenHash::NEW);
            self.frames
                .push(BracketFrame::new(BracketKind::Row, outer_hash));
            return self.write(token);
        }
        self.top().rows = None;
        self.write(token);
        if is_in || is_bracket {
            let outer_hash = std::mem::replace(&mut self.hash, TokenHash::NEW);
            self.frames
                .push(BracketFrame::new(BracketKind::List, outer_hash));
        } else {
            self.frames
                .push(BracketFrame::new(BracketKind::Plain, self.hash));
        }
    }

    fn comma(&mut self, token: OutputToken<'_>) {
        if self.top().kind == BracketKind::List {
            self.end_element();
            self.write(token);
            self.hash = TokenHash::NEW;
            return;
        }
        let top = self.top();
        // Two rows are separated by one comma.
        top.rows = top.rows.filter(|rows| !rows.expected);
        if let Some(rows) = &mut top.rows {
            rows.expected = true;
        }
        self.write(token);
    }

    /// Mixes the element that ends here into the hash of its list.
    fn end_element(&mut self) {
        let (element, text) = (self.hash, self.text.mark());
        let top = self.top();
        top.outer_hash.mix(element.finish());
        let point = OutputPoint {
            text,
            hash: top.outer_hash,
        };
        let (first, _) = top.first.get_or_insert((element, point));
        top.is_uniform &= *first == element;
    }

    fn close(&mut self, token: OutputToken<'_>) {
        let Some(kind) = self.frames.last().map(|frame| frame.kind) else {
            // A closing bracket without an opening one.
            self.outermost.rows = None;
            return self.write(token);
        };
        if kind == BracketKind::List {
            self.end_element();
            self.end_list(false);
        }
        self.write(token);
        let Some(closed) = self.frames.pop() else {
            return;
        };
        self.top().is_literal &= closed.is_literal;
        if kind == BracketKind::Row {
            self.end_row(closed.outer_hash);
        } else {
            self.top().rows = None;
        }
    }

    /// Ends a list. If its elements are equal literals, all but the first are removed. `cut`: the last element is
    /// incomplete.
    fn end_list(&mut self, cut: bool) {
        let top = *self.top();
        match top.first {
            Some((_, point)) if top.is_literal && top.is_uniform => self.return_to(point),
            _ if cut => {
                let element = self.hash;
                self.hash = top.outer_hash;
                self.hash.mix(element.finish());
            }
            _ => self.hash = top.outer_hash,
        }
    }

    /// Ends a row. It is removed if it equals the one before.
    fn end_row(&mut self, outer_hash: TokenHash) {
        let row = std::mem::replace(&mut self.hash, outer_hash);
        self.hash.mix(row.finish());
        let last = self.top().rows.and_then(|rows| rows.last);
        match last {
            Some((previous, point)) if previous == row => self.return_to(point),
            _ => {}
        }
        let last = Some((row, self.point()));
        self.top().rows = Some(ValuesRows {
            last,
            expected: false,
        });
    }

    /// Ends all open lists and rows. If the statement was `cut`, an incomplete list or row is removed if a complete one
    /// precedes it: the position of the cut must not change the digest.
    pub(super) fn end_statement(&mut self, cut: bool) {
        self.overflow = 0;
        while let Some(frame) = self.frames.last().copied() {
            match frame.kind {
                BracketKind::Plain => {}
                BracketKind::List if cut => self.end_list(true),
                BracketKind::List => {
                    self.end_element();
                    self.hash = self.top().outer_hash;
                }
                BracketKind::Row => {
                    let row = std::mem::replace(&mut self.hash, frame.outer_hash);
                    self.hash.mix(row.finish());
                }
            }
            self.frames.pop();
            self.top().is_literal &= frame.is_literal;
            if cut {
                self.remove_incomplete_row(frame.kind == BracketKind::Row);
            }
        }
        if cut {
            self.remove_incomplete_row(false);
        }
        self.outermost = BracketFrame::new(BracketKind::Plain, TokenHash::NEW);
    }

    /// Removes a row that has begun, or the comma before it.
    fn remove_incomplete_row(&mut self, has_begun: bool) {
        let rows = self.top().rows;
        if let Some(ValuesRows {
            last: Some((_, point)),
            expected,
        }) = rows
            && (has_begun || expected)
        {
            self.return_to(point);
        }
        self.top().rows = None;
    }

    /// The text and the hash.
    pub(super) fn finish(self, cut: bool) -> (Box<str>, u64) {
        (self.text.finish(cut), self.hash.finish())
    }
}
