/// The value of an attribute of a recorded span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A string.
    Str(String),
    /// A 64-bit signed integer.
    I64(i64),
    /// A 64-bit floating-point number.
    F64(f64),
    /// A boolean.
    Bool(bool),
    /// An array of values of one type.
    Array(Vec<Self>),
}

/// Sets the value of a key, replacing an earlier one.
pub(super) fn set<K, Q, V>(all: &mut Vec<(K, V)>, key: Q, value: V)
where
    K: PartialEq<Q> + From<Q>,
{
    match all.iter_mut().find(|(have, _)| *have == key) {
        Some((_, old)) => *old = value,
        None => all.push((K::from(key), value)),
    }
}
