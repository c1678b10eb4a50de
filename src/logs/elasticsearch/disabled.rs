use std::io;

use super::{ShippingSetup, ShippingStatus};
use crate::worker::PeriodicTask;

/// Nothing is sent without the feature `elasticsearch`: there is no value of this type.
#[derive(Clone)]
pub(crate) struct Shipping {
    never: Never,
}

#[derive(Clone)]
enum Never {}

impl Shipping {
    /// Reports that this build cannot send log records, if a URL is set.
    pub(crate) fn new(setup: &ShippingSetup<'_>) -> Option<Self> {
        if !setup.config.urls.is_empty() {
            setup.diagnostics.report(
                "a URL of Elasticsearch is set, and this build cannot send to it: build watchpost with the feature `elasticsearch`",
            );
        }
        // The fields are those of the twin.
        let _ = setup.files;
        None
    }

    pub(crate) fn tasks(&self) -> [PeriodicTask; 2] {
        match self.never {}
    }

    pub(crate) fn writer(&self) -> Option<Box<dyn io::Write + Send>> {
        match self.never {}
    }

    pub(crate) fn status(&self) -> Option<ShippingStatus> {
        match self.never {}
    }
}
