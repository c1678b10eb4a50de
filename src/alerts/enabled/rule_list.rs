use std::collections::BTreeSet;
use std::sync::Arc;

use super::rule::Rule;
use super::silence::Inhibition;

/// The rules of the program and those of a file, which replace those of the same name.
#[derive(Debug, Default)]
pub(super) struct RuleList {
    pub(super) own: Vec<Arc<Rule>>,
    pub(super) file: Vec<Arc<Rule>>,
}

impl RuleList {
    /// The rules that are evaluated.
    pub(super) fn all(&self) -> Vec<Arc<Rule>> {
        let replaced: BTreeSet<_> = self.file.iter().map(|rule| rule.name()).collect();
        let own = self
            .own
            .iter()
            .filter(|rule| !replaced.contains(rule.name()));
        own.chain(&self.file).cloned().collect()
    }
}

/// The inhibitions of the program and those of a file. All of them apply.
#[derive(Debug, Default)]
pub(super) struct InhibitionList {
    pub(super) own: Vec<Inhibition>,
    pub(super) file: Vec<Inhibition>,
}

impl InhibitionList {
    pub(super) fn all(&self) -> Vec<Inhibition> {
        self.own.iter().chain(&self.file).cloned().collect()
    }
}
