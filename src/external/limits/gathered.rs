//! Gathers the headers of one answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::list::{self, Subject};
use super::names::{self, DEFAULT, Field, Header};
use super::told::Told;
use super::{MAX_VALUE, MAX_WINDOWS, Read, Window, number, when};

/// Windows whose name tells their length.
const LENGTHS: [(&str, Duration); 4] = [
    ("second", Duration::from_secs(1)),
    ("minute", Duration::from_secs(60)),
    ("hour", Duration::from_secs(3600)),
    ("day", Duration::from_secs(86_400)),
];

pub(super) struct Gathered {
    /// Since the Unix epoch.
    now: Duration,
    read: Read,
    /// Policies without a name: `100;w=60`.
    quotas: Vec<(u64, Option<Duration>)>,
    /// Of the default window.
    used: Option<u64>,
    /// The default window's name.
    name: Option<Box<str>>,
}

impl Gathered {
    pub(super) fn new(now: SystemTime) -> Self {
        Self {
            now: now.duration_since(UNIX_EPOCH).unwrap_or_default(),
            read: Read::default(),
            quotas: Vec::new(),
            used: None,
            name: None,
        }
    }

    pub(super) fn take(&mut self, header: Header<'_>, value: &[u8]) {
        if self.try_take(header, value).is_none() {
            self.count_rubbish(1);
        }
    }

    /// `None` for a value that cannot be read.
    fn try_take(&mut self, header: Header<'_>, value: &[u8]) -> Option<()> {
        let value = text(value)?;
        match header.field {
            Field::RetryAfter => {
                let wait = when::retry(value, self.now)?;
                self.read.retry_after.get_or_insert(wait);
            }
            Field::List => self.take_list(value),
            Field::Limit => self.take_limits(header.window, value)?,
            Field::Remaining => {
                let told = self.number_and_parameters(list::split(value, b',').next()?)?;
                self.fill(
                    header.window.unwrap_or(DEFAULT),
                    &Told {
                        limit: None,
                        remaining: told.limit,
                        ..told
                    },
                )?;
            }
            Field::Used => {
                let used = number::count(value)?;
                if header.window.is_none() {
                    self.used.get_or_insert(used);
                }
            }
            Field::Reset | Field::ResetAfter => self.take_reset(header, value)?,
            Field::Name => {
                let name = names::window(value)?;
                self.name.get_or_insert(name);
            }
        }
        Some(())
    }

    fn take_list(&mut self, value: &str) {
        for item in list::split(value, b',').filter(|item| !item.is_empty()) {
            if self.take_item(item).is_none() {
                self.count_rubbish(1);
            }
        }
    }

    fn take_item(&mut self, item: &str) -> Option<()> {
        let mut parts = list::split(item, b';');
        let subject = list::subject(parts.next()?)?;
        let mut told = Told::default();
        if let Subject::Pair(key, value) = subject {
            told.set(key, Some(value), self.now);
        }
        self.parameters(parts, &mut told);
        match subject {
            Subject::Name(name) => self.fill(&name, &told)?,
            Subject::Pair(..) => self.fill(DEFAULT, &told)?,
            Subject::Quota(quota) => self.add_quota(quota, told.window),
        }
        Some(())
    }

    /// `100`, or `100, 100;w=60, 1000;w=3600`: the limit that is nearest, then all policies.
    fn take_limits(&mut self, window: Option<&str>, value: &str) -> Option<()> {
        let mut items = list::split(value, b',');
        let told = self.number_and_parameters(items.next()?)?;
        self.fill(window.unwrap_or(DEFAULT), &told)?;
        if window.is_none() {
            for item in items {
                match self.number_and_parameters(item) {
                    Some(Told {
                        limit: Some(quota),
                        window,
                        ..
                    }) => self.add_quota(quota, window),
                    _ => self.count_rubbish(1),
                }
            }
        }
        Some(())
    }

    fn take_reset(&mut self, header: Header<'_>, value: &str) -> Option<()> {
        // A list's first, but the comma of a date is none of a list.
        let value = match value.as_bytes().first() {
            Some(b'0'..=b'9') => value.split([',', ';']).next()?.trim(),
            _ => value,
        };
        let reset = when::reset(value, self.now)?;
        let name = names::window(header.window.unwrap_or(DEFAULT))?;
        if let Some(window) = self.window(&name)
            && (window.reset.is_none() || header.field == Field::ResetAfter)
        {
            window.reset = Some(reset);
        }
        Some(())
    }

    /// `100;w=60`: the number as a limit.
    fn number_and_parameters(&mut self, item: &str) -> Option<Told> {
        let mut parts = list::split(item, b';');
        let limit = number::count(parts.next()?)?;
        let mut told = Told::default();
        self.parameters(parts, &mut told);
        told.limit = Some(limit);
        Some(told)
    }

    fn parameters<'a>(&mut self, parts: impl Iterator<Item = &'a str>, told: &mut Told) {
        for part in parts {
            let (key, value) = list::parameter(part);
            told.set(key, value, self.now);
        }
        self.count_rubbish(std::mem::take(&mut told.rubbish));
    }

    fn add_quota(&mut self, quota: u64, window: Option<Duration>) {
        if self.quotas.len() < MAX_WINDOWS {
            self.quotas.push((quota, window));
        }
    }

    /// Adds to a window what it does not know yet; `None` for what is no name.
    fn fill(&mut self, name: &str, told: &Told) -> Option<()> {
        let name = names::window(name)?;
        if !told.is_nothing()
            && let Some(window) = self.window(&name)
        {
            told.fill(window);
        }
        Some(())
    }

    /// The window of that name, new where there is room for it.
    fn window(&mut self, name: &str) -> Option<&mut Window> {
        let windows = &mut self.read.windows;
        let found = windows.iter().position(|window| &*window.name == name);
        if found.is_none() && windows.len() < MAX_WINDOWS {
            windows.push(Window {
                name: name.into(),
                limit: None,
                remaining: None,
                reset: None,
                window: None,
            });
            return windows.last_mut();
        }
        windows.get_mut(found?)
    }

    fn count_rubbish(&mut self, more: u32) {
        self.read.rubbish = self.read.rubbish.saturating_add(more);
    }

    /// What all headers tell together.
    pub(super) fn finish(mut self) -> Read {
        for (quota, window) in std::mem::take(&mut self.quotas) {
            self.place(quota, window);
        }
        let used = self.used;
        if let Some(default) = self.default_window()
            && default.remaining.is_none()
        {
            let told = default.limit.zip(used);
            default.remaining = told.map(|(limit, used)| limit.saturating_sub(used));
        }
        for window in &mut self.read.windows {
            let named = LENGTHS.iter().find(|(name, _)| **name == *window.name);
            window.window = window.window.or(named.map(|(_, length)| *length));
        }
        self.rename();
        self.read
    }

    /// Finds the window of a policy without a name: the default one where it has that limit or none, else
    /// one that is named by its length.
    fn place(&mut self, quota: u64, length: Option<Duration>) {
        let told = Told {
            limit: Some(quota),
            window: length,
            ..Told::default()
        };
        let is_default = self.default_window().is_none_or(|default| {
            default.limit.is_none_or(|limit| limit == quota)
                && (default.window.is_none() || length.is_none() || default.window == length)
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
            told.fill(window);
        }
    }

    fn default_window(&mut self) -> Option<&mut Window> {
        let windows = &mut self.read.windows;
        windows.iter_mut().find(|window| &*window.name == DEFAULT)
    }

    /// Gives the default window the name that the answer has for it.
    fn rename(&mut self) {
        let Some(name) = self.name.take() else { return };
        let windows = &self.read.windows;
        let is_free = windows.iter().all(|window| window.name != name);
        if is_free && let Some(default) = self.default_window() {
            default.name = name;
        }
    }
}

/// A value as text without blanks around it, where it is one.
fn text(value: &[u8]) -> Option<&str> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?.trim();
    (!value.contains(char::is_control)).then_some(value)
}
