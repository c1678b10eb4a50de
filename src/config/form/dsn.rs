use crate::errors::Dsn;

use super::{Form, Raw, Takes, Type, quoted};

/// Where events go to a Sentry.
pub(in crate::config) struct SentryDsn;

impl Form for SentryDsn {
    type Value = Option<Dsn>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"https://key@sentry.example.com/1\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Option<Dsn>, String> {
        let dsn = Dsn::parse(&raw.line());
        dsn.map(Some)
            .map_err(|what| format!("not a DSN, {what}; write {}", self.describe()))
    }

    fn print(&self, value: &Option<Dsn>) -> Option<String> {
        value.as_ref().map(|dsn| quoted(&format!("{dsn:?}")))
    }

    fn describe(&self) -> String {
        "a DSN: `https://key@host/project`".to_owned()
    }
}
