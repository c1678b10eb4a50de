/// The value of an attribute of a recorded span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A text.
    Str(String),
    /// A whole number.
    I64(i64),
    /// A number.
    F64(f64),
    /// A truth value.
    Bool(bool),
    /// Values of one type.
    Array(Vec<Self>),
}

/// Sets a value in place of an earlier one of this key.
pub(super) fn set<K, Q, V>(all: &mut Vec<(K, V)>, key: Q, value: V)
where
    K: PartialEq<Q> + From<Q>,
{
    match all.iter_mut().find(|(have, _)| *have == key) {
        Some((_, old)) => *old = value,
        None => all.push((K::from(key), value)),
    }
}
