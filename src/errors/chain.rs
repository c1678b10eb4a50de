//! An error and its sources as texts.
//!
//! `Display`, `Debug` and `source` are code of the host: each of them may panic, and each call is guarded.

use std::error::Error;
use std::fmt::{self, Write};

use crate::context::{DriverError, ReadDriverError};
use crate::model::codec::{put_sized, put_str};
use crate::model::text::put_formatted;
use crate::model::{catch_panic, cut, prefix};

/// The maximum number of errors of a chain: the error and nine sources.
const MAX_CAUSES: usize = 10;
/// The maximum number of bytes of one message.
const MAX_MESSAGE: usize = 8 * 1024;
/// The maximum number of bytes of all types and messages together.
const MAX_CHAIN: usize = 20 * 1024;
/// The maximum number of bytes of a type's name.
const MAX_TYPE: usize = 256;

/// The result of encoding a chain.
#[derive(Debug, Default)]
pub(super) struct ChainSummary {
    /// Whether every message and every source is included completely.
    pub(super) complete: bool,
    /// Code and constraint of the first source that a database driver returned.
    pub(super) driver: Option<DriverError>,
}

/// Appends type and message of the error and of its sources.
pub(super) fn put_chain<E: Error + ?Sized>(
    out: &mut Vec<u8>,
    error: &E,
    read_driver_error: ReadDriverError,
) -> ChainSummary {
    let end = out.len() + MAX_CHAIN;
    let type_name = std::any::type_name::<E>();
    // The compiler knows the type of a concrete error. Behind `dyn Error`, only `Debug` may show it.
    if type_name.starts_with("dyn ") {
        put_debug_name(out, format_args!("{error:?}"));
    } else {
        put_str(out, prefix(type_name, MAX_TYPE));
    }
    let mut complete = put_message(out, end, format_args!("{error}"));
    let mut next = source_of(|| error.source());
    let mut driver: Option<DriverError> = None;
    for _ in 1..MAX_CAUSES {
        let Some(cause) = next else { break };
        if out.len() >= end {
            break;
        }
        // A driver's error without a code may wrap the one that has it.
        if driver.as_ref().is_none_or(|driver| driver.code.is_none()) {
            driver = read_driver_error(cause).or(driver);
        }
        put_debug_name(out, format_args!("{cause:?}"));
        complete &= put_message(out, end, format_args!("{cause}"));
        next = source_of(|| cause.source());
    }
    ChainSummary {
        complete: complete && next.is_none(),
        driver,
    }
}

/// Appends a type and a message that are texts already.
pub(super) fn put_text(out: &mut Vec<u8>, type_name: &str, message: &str) -> ChainSummary {
    put_str(out, type_name);
    put_str(out, &cut(message, MAX_MESSAGE));
    ChainSummary {
        complete: message.len() <= MAX_MESSAGE,
        driver: None,
    }
}

fn source_of<'a>(
    source: impl FnOnce() -> Option<&'a (dyn Error + 'static)>,
) -> Option<&'a (dyn Error + 'static)> {
    catch_panic(source).flatten()
}

/// Appends a message; returns whether all of it had room.
fn put_message(out: &mut Vec<u8>, end: usize, message: fmt::Arguments<'_>) -> bool {
    let room = end.saturating_sub(out.len()).min(MAX_MESSAGE);
    put_formatted(out, message, room)
}

/// Appends the type name with which a derived `Debug` begins, or `Error` if `debug` does not begin with one.
///
/// A source is a `dyn Error`, so its type has no other name at run time.
fn put_debug_name(out: &mut Vec<u8>, debug: fmt::Arguments<'_>) {
    put_sized(out, |out| {
        let start = out.len();
        let mut name = TypeNameWriter {
            end: start + MAX_TYPE,
            out,
            is_type: true,
        };
        // The writer ends the formatting with an error after the name.
        let _ended = catch_panic(|| name.write_fmt(debug));
        let found = name.is_type && name.out.get(start).is_some_and(u8::is_ascii_uppercase);
        if !found {
            name.out.truncate(start);
            name.out.extend_from_slice(b"Error");
        }
    });
}

/// Writes a leading name, then ends the formatting with an error.
struct TypeNameWriter<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
    /// Whether the name is followed by what a derived `Debug` prints after a type's name.
    is_type: bool,
}

impl Write for TypeNameWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if !(byte.is_ascii_alphanumeric() || byte == b'_') {
                self.is_type = matches!(byte, b'(' | b'{') || text == " { ";
                return Err(fmt::Error);
            }
            if self.out.len() >= self.end {
                return Err(fmt::Error);
            }
            self.out.push(byte);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::codec::Reader;
    use crate::model::text::PANICKED;

    #[derive(Debug)]
    struct Nested(u32, Option<Box<Self>>);

    impl fmt::Display for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            assert_ne!(self.0, 99, "a planned panic");
            write!(f, "level {}", self.0)
        }
    }

    impl Error for Nested {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            assert_ne!(self.0, 98, "a planned panic");
            self.1.as_deref().map(|error| error as _)
        }
    }

    fn type_of(error: &dyn fmt::Debug) -> String {
        let mut out = Vec::new();
        put_debug_name(&mut out, format_args!("{error:?}"));
        String::from_utf8(out.split_off(4)).unwrap()
    }

    fn chain<E: Error + ?Sized>(error: &E) -> Vec<(String, String)> {
        let mut out = Vec::new();
        put_chain(&mut out, error, |_| None);
        let mut reader = Reader::new(&out);
        std::iter::from_fn(|| Some((reader.str()?.to_owned(), reader.str()?.to_owned()))).collect()
    }

    #[test]
    fn sources_are_followed_ten_deep() {
        let mut error = Nested(0, None);
        for n in 1..20 {
            error = Nested(n, Some(Box::new(error)));
        }
        let causes = chain(&error);
        assert_eq!(causes.len(), 10);
        assert!(causes[0].0.ends_with("chain::tests::Nested"), "{causes:?}");
        assert_eq!(causes[9], ("Nested".to_owned(), "level 10".to_owned()));
        let erased: &(dyn Error + Send + Sync) = &error;
        assert_eq!(chain(erased)[0].0, "Nested");
    }

    #[test]
    fn a_type_name_is_taken_only_where_debug_begins_with_one() {
        assert_eq!(type_of(&fmt::Error), "Error");
        assert_eq!(type_of(&std::io::Error::from_raw_os_error(2)), "Os");
        assert_eq!(type_of(&"Text, not a type"), "Error");
        assert_eq!(type_of(&format_args!("Failed to open")), "Error");
        assert_eq!(type_of(&Some(1)), "Some");
    }

    #[test]
    fn a_panic_while_formatting_is_recorded_and_length_is_bounded() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(chain(&Nested(99, None))[0].1, PANICKED);
        assert_eq!(chain(&Nested(98, Some(Box::new(Nested(1, None))))).len(), 1);
        std::panic::set_hook(hook);
        let long = std::io::Error::other("é".repeat(100_000));
        let causes = chain(&long);
        assert_eq!(causes[0].1.len(), MAX_MESSAGE);
    }
}
