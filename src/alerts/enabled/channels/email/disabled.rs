use std::sync::Arc;

use crate::alerts::AlertsConfig;
use crate::alerts::enabled::notify::Channel;
use crate::error::{Error, Result};
use crate::model::Diagnostics;

/// Reports that there is no e-mail, if it is set up.
pub(in super::super) fn add_email(
    config: &AlertsConfig,
    _diagnostics: &Diagnostics,
    add: impl FnOnce(&str, Result<Arc<dyn Channel>>),
) {
    if config.smtp_config.is_some() {
        let problem = "e-mail needs the feature `email` of watchpost";
        add("alerts.smtp_config", Err(Error::alert(problem)));
    }
}
