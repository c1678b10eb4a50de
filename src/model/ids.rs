use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

/// A trace ID. A request's response header, log records, spans, exemplars and captured errors share it.
///
/// 16 bytes, displayed as 32 lower-case hexadecimal digits ([W3C Trace Context]).
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context/#trace-id
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(u128);

/// A span ID: one operation in a trace. 8 bytes, displayed as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(u64);

/// The ID of a captured error. Its log record, its error group and its Sentry event share it.
///
/// 16 bytes, displayed as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventId(u128);

impl EventId {
    /// The ID of an error that was not captured: all zeros.
    pub const NIL: Self = Self(0);

    /// A random ID, formatted as a version 4 UUID and never [`NIL`](Self::NIL).
    #[inline]
    pub(crate) fn random() -> Self {
        let random = u128::from(random()) << 64 | u128::from(random());
        Self(random & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62)
    }

    /// Returns the ID of these 16 bytes, as one big-endian number.
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// Returns the ID as a number.
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// Returns whether this is [`NIL`](Self::NIL): nothing was captured.
    pub const fn is_nil(self) -> bool {
        self.0 == 0
    }

    /// The 32 hexadecimal digits, without an allocation.
    #[inline]
    pub(crate) fn hex(self) -> [u8; 32] {
        TraceId(self.0).hex()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TraceId {
    /// The ID of no trace: all zeros.
    pub const NIL: Self = Self(0);

    /// A random ID, never [`NIL`](Self::NIL).
    #[inline]
    pub(crate) fn random() -> Self {
        Self(u128::from(random()) << 64 | u128::from(random() | 1))
    }

    /// Returns the ID of these 16 bytes, as one big-endian number.
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// Returns the ID as a number.
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// The 32 hexadecimal digits, without an allocation.
    #[inline]
    pub(crate) fn hex(self) -> [u8; 32] {
        let mut out = [0; 32];
        hex(&mut out, &self.0.to_be_bytes());
        out
    }
}

impl SpanId {
    /// The ID of no span: all zeros.
    pub const NIL: Self = Self(0);

    /// A random ID, never [`NIL`](Self::NIL).
    #[inline]
    pub(crate) fn random() -> Self {
        Self(random() | 1)
    }

    /// Returns the ID of these 8 bytes, as one big-endian number.
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }

    /// Returns the ID as a number.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The 16 hexadecimal digits, without an allocation.
    #[inline]
    pub(crate) fn hex(self) -> [u8; 16] {
        let mut out = [0; 16];
        hex(&mut out, &self.0.to_be_bytes());
        out
    }
}

/// The error of parsing a [`TraceId`], [`SpanId`] or [`EventId`] from text.
///
/// ```
/// use watchpost::TraceId;
///
/// let error = "17".parse::<TraceId>().unwrap_err();
/// assert_eq!(error.to_string(), "a trace ID has 32 hexadecimal digits");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError {
    /// The name of the kind of ID, with its article.
    id: &'static str,
    digits: usize,
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has {} hexadecimal digits", self.id, self.digits)
    }
}

impl Error for ParseIdError {}

/// The number of exactly this many hexadecimal digits, upper or lower case.
fn parse(text: &str, id: &'static str, digits: usize) -> Result<u128, ParseIdError> {
    // `from_str_radix` also takes a sign.
    let is_hex = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u128::from_str_radix(text, 16).ok());
    number.flatten().ok_or(ParseIdError { id, digits })
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    /// Parses 32 hexadecimal digits, upper or lower case.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse(text, "a trace ID", 32).map(Self)
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    /// Parses 16 hexadecimal digits, upper or lower case.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse(text, "a span ID", 16).map(|number| Self(number as u64))
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;

    /// Parses 32 hexadecimal digits, upper or lower case, without the hyphens of a UUID.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse(text, "an event ID", 32).map(Self)
    }
}

/// The two hexadecimal digits of each byte.
static PAIRS: [[u8; 2]; 256] = pairs();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut n = 0;
    while n < 256 {
        pairs[n] = [DIGITS[n >> 4], DIGITS[n & 15]];
        n += 1;
    }
    pairs
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
fn hex(out: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in out.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = PAIRS[usize::from(*byte)];
    }
}

/// The two hexadecimal digits of a byte.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
pub(crate) fn hex_of_byte(byte: u8) -> [u8; 2] {
    PAIRS[usize::from(byte)]
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cold]
fn seed() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// A random number of a per-thread wyrand generator, seeded from the standard library's random keys. IDs must be
/// unique, not secret.
#[inline]
pub(crate) fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let step = |state: &Cell<u64>| {
        let mut x = state.get();
        if x == 0 {
            x = seed();
        }
        x = x.wrapping_add(0x2d35_8dcc_aa6c_78a5);
        state.set(x);
        let wide = u128::from(x).wrapping_mul(u128::from(x ^ 0x8bb8_4b93_962e_acc9));
        // wyrand folds both halves: without that its output fails statistical tests.
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    // While a thread ends, its state is destroyed: each number then gets a fresh seed.
    STATE.try_with(step).unwrap_or_else(|_| step(&Cell::new(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_the_recommendation_says() {
        let id = TraceId::from_u128(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(&id.hex(), b"0af7651916cd43dd8448eb211c80319c");
        let span = SpanId::from_u64(0xb7);
        assert_eq!(span.to_string(), "00000000000000b7");
        assert_eq!(&span.hex(), b"00000000000000b7");
    }

    #[test]
    fn ids_are_parsed_from_what_they_display() {
        let (trace, span, event) = (TraceId::random(), SpanId::random(), EventId::random());
        assert_eq!(trace.to_string().parse(), Ok(trace));
        assert_eq!(span.to_string().to_uppercase().parse(), Ok(span));
        assert_eq!(event.to_string().parse(), Ok(event));
        for wrong in [
            "",
            "17",
            "+af7651916cd43dd8448eb211c80319c",
            "0af7651916cd43dd8448eb211c80319g",
            "0af7651916cd43dd8448eb211c80319c0",
            "0af76519-16cd-43dd-8448-eb211c80319c",
        ] {
            assert!(wrong.parse::<TraceId>().is_err(), "{wrong}");
            assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
        }
        let error = "0000000000000g".parse::<SpanId>().unwrap_err();
        assert_eq!(error.to_string(), "a span ID has 16 hexadecimal digits");
    }

    #[test]
    fn random_ids_differ_across_and_within_threads() {
        let ids: Vec<TraceId> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..10_000).map(|_| TraceId::random()).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 40_000);
    }
}
