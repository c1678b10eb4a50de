//! The table of settings, which the code that reads, prints and documents settings shares.

/// Binds a parser to the place of its value in [`Config`](super::Config).
macro_rules! field {
    ($parser:expr, $($part:ident).+) => {
        &Binding {
            parser: $parser,
            get: |config| &config.$($part).+,
            get_mut: |config| &mut config.$($part).+,
        }
    };
}

#[cfg(test)]
mod documentation;
mod logs;
mod monitoring;
mod parsers;
mod service;
mod setting;
mod telemetry;

use self::logs::LOG_RECEIVERS;
use self::monitoring::MONITORING;
use self::service::SERVICE;
use self::telemetry::TELEMETRY;

pub(super) use self::setting::{Setting, Variable};

/// The prefix of the variables of this crate.
pub(super) const PREFIX: &str = "WATCHPOST_";
/// The variable that names the file.
pub(super) const FILE_VARIABLE: &str = "WATCHPOST_CONFIG";
/// The variable with OpenTelemetry's list of resource attributes.
pub(super) const ATTRIBUTES_VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

const PARTS: [&[Setting]; 4] = [SERVICE, TELEMETRY, LOG_RECEIVERS, MONITORING];
const COUNT: usize = SERVICE.len() + TELEMETRY.len() + LOG_RECEIVERS.len() + MONITORING.len();

/// All settings, in the order in which they are printed.
pub(super) static SETTINGS: &[Setting] = &concatenated();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn concatenated() -> [Setting; COUNT] {
    let mut all = [SERVICE[0]; COUNT];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            all[at] = PARTS[part][row];
            (at, row) = (at + 1, row + 1);
        }
        part += 1;
    }
    all
}

/// Returns the variable of a key: `WATCHPOST_<KEY>`.
pub(super) fn own_variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Returns the index of the setting with this key.
pub(super) fn position(key: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.key == key)
}

/// Returns whether the section contains any keys.
pub(super) fn is_section(path: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting
            .key
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Returns every section, some of them several times.
pub(super) fn sections() -> impl Iterator<Item = &'static str> + Clone {
    keys().filter_map(|key| Some(key.rsplit_once('.')?.0))
}

/// Returns every key.
pub(super) fn keys() -> impl Iterator<Item = &'static str> + Clone {
    SETTINGS.iter().map(|setting| setting.key)
}

#[cfg(test)]
pub(super) use self::documentation::documentation;
