//! Collects the rate-limit headers of one response into windows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::duration;
use super::list::{self, ListItem};
use super::names::{self, DEFAULT, LimitField, LimitHeader};
use super::number;
use super::window::{LimitWindow, MAX_WINDOWS, ResponseLimits};

/// The maximum length of a header value, in bytes. A longer value counts as one that cannot be parsed.
const MAX_VALUE: usize = 1024;

/// Windows whose name implies their length.
const LENGTHS: [(&str, Duration); 4] = [
    ("second", Duration::from_secs(1)),
    ("minute", Duration::from_secs(60)),
    ("hour", Duration::from_secs(3600)),
    ("day", Duration::from_secs(86_400)),
];

/// The state of a response whose headers are read one after another.
pub(super) struct LimitCollector {
    /// When the response arrived, since the Unix epoch.
    now: Duration,
    limits: ResponseLimits,
    /// Limits and lengths of policies without a name, such as `100;w=60`. They are assigned to a window in `finish`,
    /// when the default window is known.
    unnamed_policies: Vec<(u64, Option<Duration>)>,
    /// The number of requests that the default window has used.
    used: Option<u64>,
    /// The name that the response gives to the default window.
    default_name: Option<Box<str>>,
}

impl LimitCollector {
    pub(super) fn new(now: SystemTime) -> Self {
        Self {
            now: now.duration_since(UNIX_EPOCH).unwrap_or_default(),
            limits: ResponseLimits::default(),
            unnamed_policies: Vec::new(),
            used: None,
            default_name: None,
        }
    }

    /// Adds one header. A value that cannot be parsed is counted.
    pub(super) fn add(&mut self, header: LimitHeader<'_>, value: &[u8]) {
        if self.try_add(header, value).is_none() {
            self.count_parse_errors(1);
        }
    }

    /// Returns `None` for a value that cannot be parsed.
    fn try_add(&mut self, header: LimitHeader<'_>, value: &[u8]) -> Option<()> {
        let value = as_text(value)?;
        match header.field {
            LimitField::RetryAfter => {
                let wait = duration::retry_after(value, self.now)?;
                // The first value counts if a header occurs twice.
                self.limits.retry_after.get_or_insert(wait);
            }
            LimitField::List => self.add_list(value),
            LimitField::Limit => self.add_limit(header.window, value)?,
            LimitField::Remaining => {
                // `99;w=60`: the number is parsed as a limit is, and stands for what remains.
                let fields = self.parse_item(list::split(value, b',').next()?)?;
                self.fill_window(
                    header.window.unwrap_or(DEFAULT),
                    &LimitFields {
                        limit: None,
                        remaining: fields.limit,
                        ..fields
                    },
                )?;
            }
            LimitField::Used => {
                let used = number::count(value)?;
                if header.window.is_none() {
                    self.used.get_or_insert(used);
                }
            }
            LimitField::Reset | LimitField::ResetAfter => self.add_reset(header, value)?,
            LimitField::Name => {
                let name = names::window(value)?;
                self.default_name.get_or_insert(name);
            }
        }
        Some(())
    }

    /// Adds `RateLimit` or `RateLimit-Policy`: each item that cannot be parsed is counted by itself.
    fn add_list(&mut self, value: &str) {
        for item in list::split(value, b',').filter(|item| !item.is_empty()) {
            if self.add_list_item(item).is_none() {
                self.count_parse_errors(1);
            }
        }
    }

    fn add_list_item(&mut self, item: &str) -> Option<()> {
        let mut parts = list::split(item, b';');
        let first = list::item(parts.next()?)?;
        let mut fields = LimitFields::default();
        if let ListItem::Pair(key, value) = first {
            fields.set(key, Some(value), self.now);
        }
        self.parse_parameters(parts, &mut fields);
        match first {
            ListItem::Name(name) => self.fill_window(&name, &fields)?,
            ListItem::Pair(..) => self.fill_window(DEFAULT, &fields)?,
            ListItem::Quota(quota) => self.add_unnamed_policy(quota, fields.length),
        }
        Some(())
    }

    /// Adds a limit: `100`, or `100, 100;w=60, 1000;w=3600`, where the first number is the limit that applies now and
    /// the others are the policies.
    fn add_limit(&mut self, window: Option<&str>, value: &str) -> Option<()> {
        let mut items = list::split(value, b',');
        let fields = self.parse_item(items.next()?)?;
        self.fill_window(window.unwrap_or(DEFAULT), &fields)?;
        if window.is_none() {
            for item in items {
                match self.parse_item(item) {
                    Some(LimitFields {
                        limit: Some(quota),
                        length,
                        ..
                    }) => self.add_unnamed_policy(quota, length),
                    _ => self.count_parse_errors(1),
                }
            }
        }
        Some(())
    }

    fn add_reset(&mut self, header: LimitHeader<'_>, value: &str) -> Option<()> {
        // A value that begins with a digit may be a list, whose first entry counts. The comma of an HTTP date is not a
        // list separator.
        let value = match value.as_bytes().first() {
            Some(b'0'..=b'9') => value.split([',', ';']).next()?.trim(),
            _ => value,
        };
        let reset = duration::until_reset(value, self.now)?;
        let name = names::window(header.window.unwrap_or(DEFAULT))?;
        if let Some(window) = self.window(&name)
            // A duration is preferred to a time of day, which depends on the clocks of both sides.
            && (window.reset.is_none() || header.field == LimitField::ResetAfter)
        {
            window.reset = Some(reset);
        }
        Some(())
    }

    /// Parses `100;w=60`; the number becomes the limit.
    fn parse_item(&mut self, item: &str) -> Option<LimitFields> {
        let mut parts = list::split(item, b';');
        let limit = number::count(parts.next()?)?;
        let mut fields = LimitFields::default();
        self.parse_parameters(parts, &mut fields);
        fields.limit = Some(limit);
        Some(fields)
    }

    fn parse_parameters<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a str>,
        fields: &mut LimitFields,
    ) {
        for part in parts {
            let (key, value) = list::parameter(part);
            fields.set(key, value, self.now);
        }
        self.count_parse_errors(std::mem::take(&mut fields.parse_errors));
    }

    fn add_unnamed_policy(&mut self, limit: u64, length: Option<Duration>) {
        if self.unnamed_policies.len() < MAX_WINDOWS {
            self.unnamed_policies.push((limit, length));
        }
    }

    /// Sets the unset fields of a window. Returns `None` if `name` cannot name a window.
    fn fill_window(&mut self, name: &str, fields: &LimitFields) -> Option<()> {
        let name = names::window(name)?;
        if !fields.is_empty()
            && let Some(window) = self.window(&name)
        {
            fields.fill(window);
        }
        Some(())
    }

    /// The window of this name. It is created if fewer than [`MAX_WINDOWS`] exist.
    fn window(&mut self, name: &str) -> Option<&mut LimitWindow> {
        let windows = &mut self.limits.windows;
        let found = windows.iter().position(|window| &*window.name == name);
        if found.is_none() && windows.len() < MAX_WINDOWS {
            windows.push(LimitWindow {
                name: name.into(),
                limit: None,
                remaining: None,
                reset: None,
                length: None,
            });
            return windows.last_mut();
        }
        windows.get_mut(found?)
    }

    fn count_parse_errors(&mut self, more: u32) {
        self.limits.parse_errors = self.limits.parse_errors.saturating_add(more);
    }

    /// Combines what the headers reported.
    pub(super) fn finish(mut self) -> ResponseLimits {
        // Policies without a name are handled first: they may set the limit of the default window, from which the
        // remaining number is computed next.
        for (limit, length) in std::mem::take(&mut self.unnamed_policies) {
            self.fill_unnamed(limit, length);
        }
        let used = self.used;
        if let Some(default) = self.default_window()
            && default.remaining.is_none()
        {
            let known = default.limit.zip(used);
            default.remaining = known.map(|(limit, used)| limit.saturating_sub(used));
        }
        for window in &mut self.limits.windows {
            let named = LENGTHS.iter().find(|(name, _)| **name == *window.name);
            window.length = window.length.or(named.map(|(_, length)| *length));
        }
        // Last, since the steps above find the default window by its name.
        self.rename_default();
        self.limits
    }

    /// Assigns a policy without a name to a window: the default one if its limit and length agree or are not known,
    /// otherwise a window that is named after the length.
    fn fill_unnamed(&mut self, limit: u64, length: Option<Duration>) {
        let fields = LimitFields {
            limit: Some(limit),
            length,
            ..LimitFields::default()
        };
        let is_default = self.default_window().is_none_or(|default| {
            default.limit.is_none_or(|known| known == limit)
                && (default.length.is_none() || length.is_none() || default.length == length)
        });
        let name = match length {
            _ if is_default => DEFAULT.to_owned(),
            Some(length) => LENGTHS
                .iter()
                .find(|(_, known)| *known == length)
                .map_or_else(
                    || format!("{}s", length.as_secs()),
                    |(name, _)| (*name).to_owned(),
                ),
            None => return,
        };
        if let Some(window) = self.window(&name) {
            fields.fill(window);
        }
    }

    fn default_window(&mut self) -> Option<&mut LimitWindow> {
        let windows = &mut self.limits.windows;
        windows.iter_mut().find(|window| &*window.name == DEFAULT)
    }

    /// Gives the default window the name that the response has for it, unless another window has that name.
    fn rename_default(&mut self) {
        let Some(name) = self.default_name.take() else {
            return;
        };
        let windows = &self.limits.windows;
        let is_free = windows.iter().all(|window| window.name != name);
        if is_free && let Some(default) = self.default_window() {
            default.name = name;
        }
    }
}

/// The fields of one window in one header.
#[derive(Debug, Default)]
struct LimitFields {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
    length: Option<Duration>,
    /// The number of values that could not be parsed.
    parse_errors: u32,
}

impl LimitFields {
    /// Sets a field from a parameter or an entry of a dictionary. If a key occurs twice, the last value wins.
    fn set(&mut self, key: &str, value: Option<&str>, now: Duration) {
        let value = value.unwrap_or_default();
        let is_valid = match key {
            "q" | "limit" => set_parsed(&mut self.limit, number::count(value)),
            "r" | "remaining" => set_parsed(&mut self.remaining, number::count(value)),
            "t" | "reset" => set_parsed(&mut self.reset, duration::until_reset(value, now)),
            "w" | "window" => set_parsed(&mut self.length, duration::window_length(value)),
            _ => true,
        };
        self.parse_errors += u32::from(!is_valid);
    }

    fn is_empty(&self) -> bool {
        self.limit.is_none()
            && self.remaining.is_none()
            && self.reset.is_none()
            && self.length.is_none()
    }

    /// Sets the unset fields of a window.
    fn fill(&self, window: &mut LimitWindow) {
        window.limit = window.limit.or(self.limit);
        window.remaining = window.remaining.or(self.remaining);
        window.reset = window.reset.or(self.reset);
        window.length = window.length.or(self.length);
    }
}

/// Stores a value that could be parsed; returns whether it could.
fn set_parsed<T>(field: &mut Option<T>, parsed: Option<T>) -> bool {
    let is_valid = parsed.is_some();
    if is_valid {
        *field = parsed;
    }
    is_valid
}

/// A header value as trimmed text. Returns `None` if it is too long, not UTF-8, or holds control characters.
fn as_text(value: &[u8]) -> Option<&str> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?.trim();
    (!value.contains(char::is_control)).then_some(value)
}
