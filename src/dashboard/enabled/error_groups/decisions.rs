//! What an operator decides about a group.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;

use crate::dashboard::enabled::audit::{self, AuditedChange, Requester};
use crate::dashboard::enabled::change_fields::{
    ChangeFields, MOST_SECONDS, Refusal, bad, unavailable,
};
use crate::dashboard::enabled::flat_json::FlatValue;
use crate::dashboard::enabled::json;
use crate::dashboard::enabled::publisher::Dashboard;
use crate::dashboard::enabled::routes::ErrorAction;
use crate::errors::{ChangeAuthor, ErrorDecision, ErrorGroup, ErrorGroups, ErrorResolution, Mute};
use crate::model::prefix;

/// The most digits of the number of a group.
const MAX_DIGITS: usize = 20;
/// The most bytes of a group's title in a record of a change.
const MAX_TITLE: usize = 200;

/// A request to change a group, of a client with the access that it needs.
#[derive(Debug)]
pub(in crate::dashboard::enabled) struct ErrorCall {
    pub(in crate::dashboard::enabled) action: ErrorAction,
    pub(in crate::dashboard::enabled) body: Bytes,
    pub(in crate::dashboard::enabled) who: Requester,
}

/// Carries out a change. The response says in which state the group is.
///
/// # Errors
///
/// Returns why the request is refused.
pub(in crate::dashboard::enabled) async fn change(
    dashboard: &Arc<Dashboard>,
    call: &ErrorCall,
) -> Result<String, Refusal> {
    let fields = ChangeFields::read(&call.body)?;
    let number = number_of(&fields.text("error", MAX_DIGITS)?)
        .ok_or_else(|| bad("`error` must be the number of a group, as a text."))?;
    let (by, comment) = fields.who_and_why()?;
    let wanted = WantedChange::of(call.action, &fields, dashboard.setup.now())?;
    let author = ChangeAuthor { by, comment };
    let (acting, who) = (Arc::clone(dashboard), call.who);
    let changed = dashboard
        .on_pool(move || {
            let groups = acting.setup.errors.error_groups();
            let title = title(groups, number)?;
            wanted.carry_out(groups, number, &author)?;
            let change = AuditedChange {
                action: wanted.word(),
                subject: &format!("{title}{}", wanted.details()),
                by: &author.by,
                comment: &author.comment,
            };
            // In the job that made the change: the job goes on if the client leaves.
            audit::record(&acting.setup.log, &who, &change);
            Ok(groups.show(number))
        })
        .await
        .ok_or_else(unavailable)?;
    let after = changed.map_err(|error: ChangeError| error.refusal())?;
    let number = after.as_ref().map_or(number, |group| group.number);
    Ok(json::object(|it| {
        it.text("id", &number.to_string());
        let state = after.as_ref().map(|group| group.state.as_str());
        it.optional_text("state", state);
    }))
}

/// Why nothing was changed.
enum ChangeError {
    Unknown,
    Refused(crate::Error),
}

impl ChangeError {
    fn refusal(&self) -> Refusal {
        match self {
            Self::Unknown => {
                let message = "There is no such group of errors: it may have been merged, or replaced by a newer one.";
                Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
            }
            Self::Refused(error) => {
                Refusal::new(StatusCode::CONFLICT, "conflict", error.to_string())
            }
        }
    }
}

/// What a request wants.
#[derive(Debug, PartialEq)]
enum WantedChange {
    Decide(ErrorDecision),
    Merge(Vec<u64>),
}

impl WantedChange {
    fn of(action: ErrorAction, fields: &ChangeFields, now: u64) -> Result<Self, Refusal> {
        Ok(match action {
            ErrorAction::Resolve => {
                let applies = match fields.text("in", 20)?.as_str() {
                    "now" => ErrorResolution::Now,
                    "this_release" => ErrorResolution::ThisRelease,
                    "next_release" => ErrorResolution::NextRelease,
                    _ => return Err(bad("`in` must be now, this_release or next_release.")),
                };
                Self::Decide(ErrorDecision::Resolve(applies))
            }
            ErrorAction::Mute => Self::Decide(ErrorDecision::Mute(mute_of(fields, now)?)),
            ErrorAction::Reopen => Self::Decide(ErrorDecision::Reopen),
            ErrorAction::Merge => {
                let message = "`others` must be a list of numbers of groups, as texts.";
                let Some(FlatValue::Texts(others)) = fields.get("others") else {
                    return Err(bad(message));
                };
                let numbers: Option<Vec<u64>> = others.iter().map(|it| number_of(it)).collect();
                Self::Merge(numbers.ok_or_else(|| bad(message))?)
            }
        })
    }

    fn carry_out(
        &self,
        groups: &ErrorGroups,
        number: u64,
        author: &ChangeAuthor,
    ) -> Result<(), ChangeError> {
        let changed = match self {
            Self::Decide(decision) => groups.decide(number, *decision, author),
            Self::Merge(others) => groups.merge(number, others),
        };
        changed.map_err(ChangeError::Refused)
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Decide(ErrorDecision::Resolve(_)) => "resolve error",
            Self::Decide(ErrorDecision::Mute(_)) => "mute error",
            Self::Decide(ErrorDecision::Reopen) => "reopen error",
            Self::Merge(_) => "merge errors",
        }
    }

    /// What the record of the change says besides the title of the group.
    fn details(&self) -> String {
        match self {
            Self::Decide(ErrorDecision::Resolve(ErrorResolution::Now)) => ", now".to_owned(),
            Self::Decide(ErrorDecision::Resolve(ErrorResolution::ThisRelease)) => {
                ", in this release".to_owned()
            }
            Self::Decide(ErrorDecision::Resolve(ErrorResolution::NextRelease)) => {
                ", in the next release".to_owned()
            }
            Self::Decide(ErrorDecision::Mute(Mute::Until(time))) => {
                let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                format!(", until {} s after the epoch", since.as_secs())
            }
            Self::Decide(ErrorDecision::Mute(Mute::UntilMoreThan { events, period })) => {
                format!(
                    ", until more than {events} events in {} s",
                    period.as_secs()
                )
            }
            Self::Decide(ErrorDecision::Reopen) => String::new(),
            Self::Merge(others) => {
                let others: Vec<String> = others.iter().map(u64::to_string).collect();
                format!(", with {}", others.join(", "))
            }
        }
    }
}

/// The title of a group in the record of a change, with its number.
fn title(groups: &ErrorGroups, number: u64) -> Result<String, ChangeError> {
    let group: ErrorGroup = groups.show(number).ok_or(ChangeError::Unknown)?;
    let name = [group.error_type.as_str(), group.message.as_str()];
    let name: Vec<&str> = name.into_iter().filter(|it| !it.is_empty()).collect();
    let name = name.join(": ");
    Ok(format!("{} ({})", prefix(&name, MAX_TITLE), group.number))
}

fn number_of(text: &str) -> Option<u64> {
    let is_plain = text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn mute_of(fields: &ChangeFields, now: u64) -> Result<Mute, Refusal> {
    match (fields.get("until"), fields.get("events")) {
        (Some(FlatValue::Number(until)), None) => {
            let last = now.saturating_add(MOST_SECONDS * 1000);
            let time = UNIX_EPOCH.checked_add(Duration::from_millis(*until));
            time.filter(|_| (now..=last).contains(until))
                .map(Mute::Until)
                .ok_or_else(|| bad("`until` must be a time within the next year, in milliseconds since the epoch."))
        }
        (None, Some(FlatValue::Number(events))) => {
            let period = fields.seconds("period")?;
            let period = period.ok_or_else(|| {
                bad("`period` must be given with `events`: the seconds in which more events end the mute.")
            })?;
            Ok(Mute::until_more_than(*events, period))
        }
        _ => Err(bad(
            "A mute needs either `until`, or `events` and `period`, as whole numbers.",
        )),
    }
}
