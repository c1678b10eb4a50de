use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// The id that ties a request's response header, lines, series' exemplars and errors together: 16
/// bytes, written as 32 lower-case hexadecimal digits ([W3C Trace Context]).
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context/#trace-id
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(u128);

/// The id of one operation in a trace: 8 bytes, written as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(u64);

/// The id of a captured error: 16 bytes, written as 32 lower-case hexadecimal digits. The same in the line,
/// in the list of groups and in Sentry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventId(u128);

impl EventId {
    /// The id of nothing captured: all zeros.
    pub const NIL: Self = Self(0);

    /// A new random id, never [`NIL`](Self::NIL), of version 4 as UUIDs count.
    #[inline]
    pub(crate) fn random() -> Self {
        let random = u128::from(random()) << 64 | u128::from(random());
        Self(random & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62)
    }

    /// The id of these 16 bytes, read as one big-endian number.
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The id as one number.
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// Whether nothing was captured.
    pub const fn is_nil(self) -> bool {
        self.0 == 0
    }

    /// The 32 digits, without an allocation.
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
    /// The id of no trace: all zeros.
    pub const NIL: Self = Self(0);

    /// A new random id, never [`NIL`](Self::NIL).
    #[inline]
    pub(crate) fn random() -> Self {
        Self(u128::from(random()) << 64 | u128::from(random() | 1))
    }

    /// The id of these 16 bytes, read as one big-endian number.
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The id as one number.
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// The id of 32 hexadecimal digits; `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits
            .then(|| u128::from_str_radix(text, 16).ok().map(Self))
            .flatten()
    }

    /// The 32 digits, without an allocation.
    #[inline]
    pub(crate) fn hex(self) -> [u8; 32] {
        let mut out = [0; 32];
        hex(&mut out, &self.0.to_be_bytes());
        out
    }
}

impl SpanId {
    /// The id of no operation: all zeros.
    pub const NIL: Self = Self(0);

    /// A new random id, never [`NIL`](Self::NIL).
    #[inline]
    pub(crate) fn random() -> Self {
        Self(random() | 1)
    }

    /// The id of these 8 bytes, read as one big-endian number.
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }

    /// The id as one number.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The 16 digits, without an allocation.
    #[inline]
    pub(crate) fn hex(self) -> [u8; 16] {
        let mut out = [0; 16];
        hex(&mut out, &self.0.to_be_bytes());
        out
    }
}

/// The two digits of each byte.
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

/// The two digits of a byte.
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

/// A thread's own wyrand, seeded by the standard library's random keys. Ids must be unique, not secret.
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
        // Both halves are wanted: the fold is what makes the generator pass its tests.
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    // A thread that is ending gets a fresh seed a number.
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
        assert_eq!(
            TraceId::from_hex("0af7651916cd43dd8448eb211c80319c"),
            Some(id)
        );
        assert_eq!(TraceId::from_hex("+af7651916cd43dd8448eb211c80319c"), None);
        let span = SpanId::from_u64(0xb7);
        assert_eq!(span.to_string(), "00000000000000b7");
        assert_eq!(&span.hex(), b"00000000000000b7");
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
