use std::collections::BTreeSet;

/// The keys of the settings whose setters were called on a config struct.
///
/// A setter that is called with the default still overrides the file and the environment. The value itself does not
/// show whether the setter was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExplicitKeys(BTreeSet<&'static str>);

impl ExplicitKeys {
    pub(crate) fn add(&mut self, key: &'static str) {
        self.0.insert(key);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_order_nor_repetition_makes_a_difference() {
        let added = |keys: &[&'static str]| {
            let mut explicit = ExplicitKeys::default();
            for key in keys {
                explicit.add(key);
            }
            explicit
        };
        assert_eq!(added(&["a", "b"]), added(&["b", "a", "b"]));
        assert_ne!(added(&["a"]), added(&["a", "b"]));
    }
}
