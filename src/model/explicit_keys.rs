/// The keys of the settings whose setters were called on a config struct.
///
/// A setter that is called with the default still overrides the file and the environment. The value itself does not
/// show whether the setter was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExplicitKeys(Vec<&'static str>);

impl ExplicitKeys {
    pub(crate) fn add(&mut self, key: &'static str) {
        self.0.push(key);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}
