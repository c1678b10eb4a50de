//! An error and its sources as texts. `Display`, `Debug` and `source` are foreign: each may panic.

use std::error::Error;
use std::fmt::{self, Write};

use crate::context::{DriverError, ReadDriverError};
use crate::model::codec::{put_sized, put_str};
use crate::model::text::put_formatted;
use crate::model::{catch_panic, cut, prefix};

/// The error and nine sources.
const MAX_CAUSES: usize = 10;
/// Bytes of one message.
const MAX_MESSAGE: usize = 8 * 1024;
/// Bytes of all of them: what is left is cut.
const MAX_CHAIN: usize = 20 * 1024;
/// Bytes of a type's name.
const MAX_TYPE: usize = 256;

/// What became of an error that was written.
#[derive(Debug, Default)]
pub(super) struct ChainSummary {
    /// Whether all messages and sources are there, in whole.
    pub(super) whole: bool,
    /// What a database driver tells of one of the sources.
    pub(super) driver: Option<DriverError>,
}

/// Appends type and message of the error and of its sources.
pub(super) fn put_chain<E: Error + ?Sized>(
    out: &mut Vec<u8>,
    error: &E,
    read: ReadDriverError,
) -> ChainSummary {
    let end = out.len() + MAX_CHAIN;
    let named = std::any::type_name::<E>();
    if named.starts_with("dyn ") {
        put_type_of(out, format_args!("{error:?}"));
    } else {
        put_str(out, prefix(named, MAX_TYPE));
    }
    let mut whole = put_message(out, end, format_args!("{error}"));
    let mut next = source_of(|| error.source());
    let mut driver: Option<DriverError> = None;
    for _ in 1..MAX_CAUSES {
        let Some(cause) = next else { break };
        if out.len() >= end {
            break;
        }
        if driver.as_ref().is_none_or(|driver| driver.code.is_none()) {
            driver = read(cause).or(driver);
        }
        put_type_of(out, format_args!("{cause:?}"));
        whole &= put_message(out, end, format_args!("{cause}"));
        next = source_of(|| cause.source());
    }
    ChainSummary {
        whole: whole && next.is_none(),
        driver,
    }
}

/// Appends a type and a message that are texts already.
pub(super) fn put_text(out: &mut Vec<u8>, kind: &str, message: &str) -> ChainSummary {
    put_str(out, kind);
    put_str(out, &cut(message, MAX_MESSAGE));
    ChainSummary {
        whole: message.len() <= MAX_MESSAGE,
        driver: None,
    }
}

fn source_of<'a>(
    source: impl FnOnce() -> Option<&'a (dyn Error + 'static)>,
) -> Option<&'a (dyn Error + 'static)> {
    catch_panic(source).flatten()
}

fn put_message(out: &mut Vec<u8>, end: usize, message: fmt::Arguments<'_>) -> bool {
    let room = end.saturating_sub(out.len()).min(MAX_MESSAGE);
    put_formatted(out, message, room)
}

/// Appends the name with which a derived `Debug` begins.
fn put_type_of(out: &mut Vec<u8>, error: fmt::Arguments<'_>) {
    put_sized(out, |out| {
        let start = out.len();
        let mut name = TypeNameWriter {
            end: start + MAX_TYPE,
            out,
            whole: true,
        };
        // The error with which the name ends the writing is no failure.
        let _ended = catch_panic(|| name.write_fmt(error));
        let named = name.whole && name.out.get(start).is_some_and(u8::is_ascii_uppercase);
        if !named {
            name.out.truncate(start);
            name.out.extend_from_slice(b"Error");
        }
    });
}

/// Takes a leading name, and ends the writing after it.
struct TypeNameWriter<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
    /// Whether what follows the name is what follows a type's.
    whole: bool,
}

impl Write for TypeNameWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if !(byte.is_ascii_alphanumeric() || byte == b'_') {
                self.whole = matches!(byte, b'(' | b'{') || text == " { ";
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
    struct Level(u32, Option<Box<Self>>);

    impl fmt::Display for Level {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            assert_ne!(self.0, 99, "a planned panic");
            write!(f, "level {}", self.0)
        }
    }

    impl Error for Level {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            assert_ne!(self.0, 98, "a planned panic");
            self.1.as_deref().map(|error| error as _)
        }
    }

    fn type_of(error: &dyn fmt::Debug) -> String {
        let mut out = Vec::new();
        put_type_of(&mut out, format_args!("{error:?}"));
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
        let mut error = Level(0, None);
        for n in 1..20 {
            error = Level(n, Some(Box::new(error)));
        }
        let told = chain(&error);
        assert_eq!(told.len(), 10);
        assert!(told[0].0.ends_with("chain::tests::Level"), "{told:?}");
        assert_eq!(told[9], ("Level".to_owned(), "level 10".to_owned()));
        let erased: &(dyn Error + Send + Sync) = &error;
        assert_eq!(chain(erased)[0].0, "Level");
    }

    #[test]
    fn a_type_is_named_only_where_one_stands() {
        assert_eq!(type_of(&fmt::Error), "Error");
        assert_eq!(type_of(&std::io::Error::from_raw_os_error(2)), "Os");
        assert_eq!(type_of(&"Text, not a type"), "Error");
        assert_eq!(type_of(&format_args!("Failed to open")), "Error");
        assert_eq!(type_of(&Some(1)), "Some");
    }

    #[test]
    fn what_panics_is_told_as_that_and_length_is_bounded() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(chain(&Level(99, None))[0].1, PANICKED);
        assert_eq!(chain(&Level(98, Some(Box::new(Level(1, None))))).len(), 1);
        std::panic::set_hook(hook);
        let long = std::io::Error::other("é".repeat(100_000));
        let told = chain(&long);
        assert_eq!(told[0].1.len(), MAX_MESSAGE);
    }
}
