//! The paths that a source file names, each resolved to where it leads.

use std::collections::BTreeSet;

use crate::tokens::{Kind, Token, tokens};

/// How a file names a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `use`
    Import,
    /// `pub use`, also with a restricted visibility.
    Reexport,
    /// In the middle of code.
    Code,
}

/// A path that a file names outside of its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Absolute: `crate` first, or the name of another crate (or of something local) first.
    pub(crate) path: Vec<String>,
    /// The name that a `use` gives it.
    pub(crate) alias: Option<String>,
    /// The module that contains the path: the file's, or an inline one.
    pub(crate) module: Vec<String>,
    pub(crate) place: Place,
    pub(crate) line: usize,
}

impl Named {
    /// The name by which the code after a `use` refers to it.
    pub(crate) fn local_name(&self) -> Option<&str> {
        self.alias
            .as_deref()
            .or(self.path.last().map(String::as_str))
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) named: Vec<Named>,
    /// Modules that the file declares for tests alone and keeps in files of their own.
    pub(crate) test_modules: Vec<String>,
    /// Modules that the file declares.
    pub(crate) modules: Vec<String>,
    /// Names of functions at any depth.
    pub(crate) functions: Vec<String>,
    /// Types that the code refers to and functions and macros that it calls, each by the first name of its path.
    pub(crate) referred: BTreeSet<String>,
    /// Names of structs, enums, unions, traits and type aliases, associated types apart.
    pub(crate) types: Vec<String>,
    /// Lines with `extern crate`.
    pub(crate) extern_crates: Vec<usize>,
    /// Lines that hold code outside of tests.
    pub(crate) lines_of_code: usize,
}

/// Reads a file that is the module `module` (`crate` itself: empty).
pub(crate) fn read(source: &str, module: &[String]) -> File {
    let tokens = tokens(source);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        modules: Vec::new(),
        depth: 0,
        root: module,
        file: File::default(),
        last_line: 0,
    };
    reader.run();
    reader.file
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Inline modules that are open, with the depth of braces outside of them.
    modules: Vec<(String, usize)>,
    depth: usize,
    root: &'a [String],
    file: File,
    last_line: usize,
}

impl Reader<'_> {
    fn kind(&self, ahead: usize) -> Option<&Kind> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    fn ident(&self, ahead: usize) -> Option<&str> {
        self.kind(ahead).and_then(Kind::ident)
    }

    fn is(&self, ahead: usize, punct: char) -> bool {
        self.kind(ahead).is_some_and(|kind| kind.is(punct))
    }

    fn path_sep(&self, ahead: usize) -> bool {
        self.kind(ahead) == Some(&Kind::PathSep)
    }

    /// One token on, counted as code.
    fn step(&mut self) {
        if let Some(token) = self.tokens.get(self.at)
            && token.line != self.last_line
        {
            self.last_line = token.line;
            self.file.lines_of_code += 1;
        }
        self.at += 1;
    }

    fn run(&mut self) {
        while self.at < self.tokens.len() {
            if self.is(0, '#') {
                self.attribute();
            } else if self.is(0, '{') {
                self.depth += 1;
                self.step();
            } else if self.is(0, '}') {
                self.depth = self.depth.saturating_sub(1);
                self.modules.retain(|(_, outside)| *outside < self.depth);
                self.step();
            } else if self.ident(0) == Some("mod") && self.ident(1).is_some() {
                self.module();
            } else if self.ident(0) == Some("use") && !self.is(1, '<') {
                let place = self.place_of_use();
                self.step();
                let mut leaves = Vec::new();
                self.use_tree(&[], &mut leaves);
                for leaf in &mut leaves {
                    leaf.place = place;
                }
                self.file.named.extend(leaves);
            } else if self.ident(0) == Some("extern") && self.ident(1) == Some("crate") {
                let line = self.tokens.get(self.at).map_or(0, |token| token.line);
                self.file.extern_crates.push(line);
                self.step();
            } else if self.ident(0) == Some("fn") {
                self.step();
                let name = self.ident(0).map(str::to_owned);
                if let Some(name) = name {
                    self.file.functions.push(name);
                    self.step();
                }
            } else if self.defines_type() {
                self.step();
                let name = self.ident(0).map(str::to_owned);
                self.file.types.extend(name);
                self.step();
            } else if self.ident(0).is_some() {
                self.inline_path();
            } else {
                self.step();
            }
        }
    }

    /// Whether the `use` in front of the reader has a visibility.
    fn place_of_use(&self) -> Place {
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at].kind);
        let visible = before.is_some_and(|kind| kind.ident() == Some("pub") || kind.is(')'));
        if visible {
            Place::Reexport
        } else {
            Place::Import
        }
    }

    /// Whether a type's definition begins here. A `type` inside of a block is an associated type, or local.
    fn defines_type(&self) -> bool {
        let kept = match self.ident(0) {
            Some("struct" | "enum" | "union" | "trait") => true,
            Some("type") => self.depth == self.modules.len(),
            _ => false,
        };
        kept && self.ident(1).is_some()
    }

    /// An attribute. An item with `cfg(test)` is skipped.
    fn attribute(&mut self) {
        let start = self.at;
        let inner = self.is(1, '!');
        let mut words = Vec::new();
        let mut depth = 0;
        while self.at < self.tokens.len() {
            depth += usize::from(self.is(0, '['));
            let closes = self.is(0, ']');
            words.extend(self.ident(0).map(str::to_owned));
            self.at += 1;
            if closes {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let for_tests = matches!(
            words.as_slice(),
            ["cfg", "test"] | ["cfg", "all", "test", ..]
        );
        if for_tests && inner {
            self.at = self.tokens.len();
        } else if for_tests {
            self.skip_item();
        } else {
            let end = self.at;
            self.at = start;
            while self.at < end {
                self.step();
            }
        }
    }

    /// Up to the item's `;` or the end of its braces.
    fn skip_item(&mut self) {
        if self.ident(0) == Some("mod")
            && self.is(2, ';')
            && let Some(name) = self.ident(1)
        {
            self.file.test_modules.push(name.to_owned());
        }
        let (mut braces, mut brackets) = (0_usize, 0_usize);
        while let Some(kind) = self.kind(0) {
            let (opens, closes) = (kind.is('{'), kind.is('}'));
            let ends = (kind.is(';') || kind.is(',')) && braces + brackets == 0;
            brackets += usize::from(kind.is('[') || kind.is('('));
            brackets -= usize::from((kind.is(']') || kind.is(')')) && brackets > 0);
            braces += usize::from(opens);
            // The end of what holds the item.
            if closes && braces == 0 {
                return;
            }
            braces -= usize::from(closes);
            self.at += 1;
            if ends || (closes && braces == 0) {
                return;
            }
        }
    }

    fn module(&mut self) {
        let name = self.ident(1).unwrap_or_default().to_owned();
        self.file.modules.push(name.clone());
        if self.is(2, '{') {
            self.modules.push((name, self.depth));
        }
        self.step();
        self.step();
    }

    /// Adds the paths of a `use` to `leaves`.
    fn use_tree(&mut self, prefix: &[String], leaves: &mut Vec<Named>) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        let mut path = prefix.to_vec();
        loop {
            if self.path_sep(0) {
                self.step();
            } else if self.is(0, '{') {
                self.step();
                while self.at < self.tokens.len() && !self.is(0, '}') && !self.is(0, ';') {
                    self.use_tree(&path, leaves);
                    if self.is(0, ',') {
                        self.step();
                    }
                }
                self.step();
                return;
            } else if self.is(0, '*') {
                self.step();
                path.push("*".to_owned());
            } else if self.ident(0) == Some("as") {
                self.step();
                let alias = self.ident(0).map(str::to_owned);
                self.step();
                leaves.push(self.named(&path, alias, line));
                return;
            } else if let Some(name) = self.ident(0) {
                path.push(name.to_owned());
                self.step();
            } else {
                break;
            }
        }
        // A token that is no part of a path is skipped; `run` continues after it.
        if path == prefix && self.at < self.tokens.len() && !self.is(0, ';') {
            self.step();
        }
        leaves.push(self.named(&path, None, line));
    }

    /// A path in the midst of code, its `use<..>` and macros too.
    fn inline_path(&mut self) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        // A field's or a method's name starts no path.
        let starts = self.at == 0
            || !matches!(self.tokens[self.at - 1].kind, Kind::PathSep)
            || self.leading_path_sep();
        let of_a_value = self.at > 0 && self.tokens[self.at - 1].kind.is('.');
        let mut path = Vec::new();
        while let Some(name) = self.ident(0) {
            path.push(name.to_owned());
            self.step();
            if self.path_sep(0) && self.kind(1).and_then(Kind::ident).is_some() {
                self.step();
            } else {
                break;
            }
        }
        if starts && path.len() > 1 {
            let named = self.named(&path, None, line);
            self.file.named.push(named);
        } else if starts && !of_a_value {
            let called = self.is(0, '(') || self.is(0, '!');
            let refers = |name: &String| called || name.starts_with(char::is_uppercase);
            self.file.referred.extend(path.pop().filter(refers));
        }
    }

    /// Whether the `::` in front of the reader has no path before it.
    fn leading_path_sep(&self) -> bool {
        self.at < 2
            || match &self.tokens[self.at - 2].kind {
                Kind::Ident(_) | Kind::PathSep => false,
                Kind::Punct(punct) => *punct != '>',
            }
    }

    /// `path` made absolute from the module that is open here.
    fn named(&self, path: &[String], alias: Option<String>, line: usize) -> Named {
        let mut here: Vec<String> = self.root.to_vec();
        here.extend(self.modules.iter().map(|(name, _)| name.clone()));
        let module = here.clone();
        let mut rest = path;
        let mut local = true;
        match rest.first().map(String::as_str) {
            Some("crate") => {
                here.clear();
                rest = &rest[1..];
            }
            Some("self") => rest = &rest[1..],
            Some("super") => {}
            _ => local = false,
        }
        while local && rest.first().is_some_and(|name| name == "super") {
            here.pop();
            rest = &rest[1..];
        }
        // `{self}` in a group is the path before it.
        let rest = rest.iter().filter(|name| *name != "self").cloned();
        let path = if local {
            ["crate".to_owned()]
                .into_iter()
                .chain(here)
                .chain(rest)
                .collect()
        } else {
            rest.collect()
        };
        Named {
            path,
            alias,
            module,
            place: Place::Code,
            line,
        }
    }
}
