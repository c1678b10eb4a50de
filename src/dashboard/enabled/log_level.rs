//! Which log records are kept, and a change of it for a while.

use std::sync::Arc;
use std::time::Duration;

use super::audit::{self, AuditedChange, Requester};
use super::change_fields::{ChangeFields, Refusal, bad, unavailable};
use super::json;
use super::publisher::Dashboard;
use super::setup::DashboardSetup;
use super::times::millis;
use crate::logs::LogLevels;

/// The longest directives, in bytes.
const MAX_DIRECTIVES: usize = 4096;
/// The longest time, so that nobody forgets a level that fills the disk.
const MAX_TIME: Duration = Duration::from_secs(86_400);

/// The level in use, until when, and which one returns then.
pub(super) fn document(setup: &DashboardSetup) -> String {
    let level = setup.log_levels.current();
    json::object(|it| {
        it.integer("at", setup.now());
        it.text("level", &level.directives);
        it.integer("until", level.until.map(millis));
        it.text("lasting", &level.lasting);
    })
}

/// Changes the level for `seconds`, or ends such a change if there is no `level`.
///
/// # Errors
///
/// Returns why the request is refused.
pub(super) async fn change(
    dashboard: &Arc<Dashboard>,
    body: &[u8],
    who: Requester,
) -> Result<String, Refusal> {
    let fields = ChangeFields::read(body)?;
    let (by, comment) = fields.who_and_why()?;
    let wanted = WantedLevel::of(&fields)?;
    let acting = Arc::clone(dashboard);
    // On the pool, because a change calls the subscribers of the host.
    let changed = dashboard
        .on_pool(move || {
            let subject = wanted.carry_out(&acting.setup.log_levels)?;
            let change = AuditedChange {
                action: wanted.action(),
                subject: &subject,
                by: &by,
                comment: &comment,
            };
            audit::record(&acting.setup.log, &who, &change);
            Ok(document(&acting.setup))
        })
        .await
        .ok_or_else(unavailable)?;
    changed.map_err(|problem: String| bad(&problem))
}

enum WantedLevel {
    For(String, Duration),
    Lasting,
}

impl WantedLevel {
    fn of(fields: &ChangeFields) -> Result<Self, Refusal> {
        if fields.get("level").is_none() {
            return Ok(Self::Lasting);
        }
        let level = fields.text("level", MAX_DIRECTIVES)?;
        match fields.seconds("seconds")? {
            Some(time) if time <= MAX_TIME => Ok(Self::For(level, time)),
            Some(_) => Err(bad("`seconds` must be at most 86400.")),
            None => Err(bad("`seconds` must be given: the level returns by itself.")),
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::For(..) => "set log level",
            Self::Lasting => "end log level",
        }
    }

    /// Returns a description for the record of the change.
    fn carry_out(&self, levels: &LogLevels) -> Result<String, String> {
        match self {
            Self::For(level, time) => {
                levels
                    .set_for(level, *time)
                    .map_err(|problem| format!("`level` is wrong: {problem}."))?;
                Ok(format!("{level} for {} s", time.as_secs()))
            }
            Self::Lasting => {
                levels.revert();
                Ok(levels.current().directives)
            }
        }
    }
}
