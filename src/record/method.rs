//! Request methods as numbers.

use std::sync::RwLock;

use crate::model::{read_lock, write_lock};
/// A request method that can be a label: one from the semantic conventions, one that a host added, or `_OTHER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Method(u8);

const METHODS: [&str; 11] = [
    "_OTHER", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT",
    "QUERY",
];

/// The maximum number of methods that hosts add in one process.
const MAX_ADDED: usize = 64;
/// The maximum length of a method's name, in bytes, in settings and in `http.request.method_original`.
pub(crate) const MAX_METHOD: usize = 64;

/// The methods that hosts added, of all monitors of the process. They come from settings, never from a request.
static ADDED: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl Method {
    pub(crate) const COUNT: usize = METHODS.len() + MAX_ADDED;
    const _BELOW_THE_MARK: () = assert!(Self::COUNT < 0x80);
    pub(crate) const OTHER: Self = Self(0);
    pub(crate) const HEAD: Self = Self(5);
    pub(crate) const CONNECT: Self = Self(9);

    /// Returns the method of the semantic conventions, or `_OTHER` if they do not define it.
    #[inline]
    pub(crate) fn of(method: &http::Method) -> Self {
        use http::Method as Http;
        Self(match *method {
            Http::GET => 1,
            Http::POST => 2,
            Http::PUT => 3,
            Http::DELETE => 4,
            Http::HEAD => 5,
            Http::OPTIONS => 6,
            Http::PATCH => 7,
            Http::TRACE => 8,
            Http::CONNECT => 9,
            _ if method.as_str() == "QUERY" => 10,
            _ => 0,
        })
    }

    #[inline]
    pub(crate) fn index(self) -> u8 {
        self.0
    }

    /// Whether requests with this method usually have a body.
    #[inline]
    pub(crate) fn sends_content(self) -> bool {
        // All but GET, HEAD, OPTIONS, TRACE and CONNECT.
        !matches!(self.0, 1 | 5 | 6 | 8 | 9)
    }

    pub(crate) fn from_index(index: u8) -> Self {
        Self(index)
    }

    pub(crate) fn as_str(self) -> &'static str {
        let index = usize::from(self.0);
        METHODS
            .get(index)
            .copied()
            .or_else(|| added(index))
            .unwrap_or("_OTHER")
    }

    /// Returns the methods of the semantic conventions.
    pub(crate) fn conventional() -> impl Iterator<Item = &'static str> {
        METHODS.into_iter().skip(1)
    }
}

#[cold]
fn added(index: usize) -> Option<&'static str> {
    let added = read_lock(&ADDED);
    added.get(index.checked_sub(METHODS.len())?).copied()
}

/// Returns the number of a name that is not part of the conventions, and adds the name if it is new. Its text stays
/// allocated for the life of the process, so there are at most [`MAX_ADDED`].
fn add(name: &str) -> Option<Method> {
    let mut added = write_lock(&ADDED);
    let at = match added.iter().position(|known| *known == name) {
        Some(at) => at,
        None if added.len() >= MAX_ADDED => return None,
        None => {
            added.push(Box::leak(Box::from(name)));
            added.len() - 1
        }
    };
    u8::try_from(METHODS.len() + at).ok().map(Method)
}

/// The methods that one monitor knows; all others are `_OTHER`.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownMethods {
    /// The listed methods; `None` for those of the conventions.
    listed: Option<Vec<(&'static str, Method)>>,
}

impl KnownMethods {
    /// Creates a set of exactly the methods with these names.
    pub(crate) fn new(names: &[String]) -> Self {
        if Method::conventional().eq(names.iter().map(String::as_str)) {
            return Self::default();
        }
        let listed = names.iter().filter_map(|name| {
            let known = METHODS.iter().position(|known| known == name);
            let method = match known {
                Some(0) => return None,
                Some(index) => Method(u8::try_from(index).ok()?),
                None => add(name)?,
            };
            Some((method.as_str(), method))
        });
        Self {
            listed: Some(listed.collect()),
        }
    }

    /// Returns the method as a label, given the conventions' method `sent` that was already determined.
    #[inline]
    pub(crate) fn of_sent(&self, sent: Method, method: &http::Method) -> Method {
        match &self.listed {
            None => sent,
            Some(listed) => in_list(listed, method.as_str()),
        }
    }

    /// Returns the method as a label.
    #[inline]
    pub(crate) fn of(&self, method: &http::Method) -> Method {
        match &self.listed {
            None => Method::of(method),
            Some(listed) => in_list(listed, method.as_str()),
        }
    }
}

fn in_list(listed: &[(&'static str, Method)], method: &str) -> Method {
    let found = listed.iter().find(|(name, _)| *name == method);
    found.map_or(Method::OTHER, |(_, method)| *method)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(names: &[&str], method: &str) -> &'static str {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        KnownMethods::new(&names).of(&method).as_str()
    }

    #[test]
    fn a_list_of_methods_replaces_the_conventions() {
        let usual: Vec<_> = Method::conventional().collect();
        for (names, method, label) in [
            (&*usual, "GET", "GET"),
            (&usual, "QUERY", "QUERY"),
            (&usual, "PROPFIND", "_OTHER"),
            (&usual, "get", "_OTHER"),
            (&["GET", "PROPFIND"], "PROPFIND", "PROPFIND"),
            (&["GET", "PROPFIND"], "GET", "GET"),
            (&["GET", "PROPFIND"], "POST", "_OTHER"),
            (&["GET", "PROPFIND"], "propfind", "_OTHER"),
            (&["get"], "get", "get"),
            (&["_OTHER"], "GET", "_OTHER"),
            (&[], "GET", "_OTHER"),
        ] {
            assert_eq!(known(names, method), label, "{names:?} {method}");
        }
    }

    #[test]
    fn added_methods_are_bounded() {
        for n in 0..1_000 {
            let name = format!("M{n}");
            let label = known(&[&name], &name);
            assert!(label == name || label == "_OTHER", "{label}");
        }
        assert!(ADDED.read().unwrap().len() <= MAX_ADDED);
        // Each method has its own number, which maps back to its name.
        let all: Vec<_> = (0..Method::COUNT as u8)
            .map(|index| Method::from_index(index).as_str())
            .filter(|name| *name != "_OTHER")
            .collect();
        let mut unique = all.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
    }
}
