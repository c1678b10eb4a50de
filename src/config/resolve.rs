//! Finds the effective value of every setting.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::code::{CodeSettings, CodeValues};
use super::settings::{ResolvedSetting, Settings};
use super::source::{TextValue, ValueOrigin, problem, unknown_key_advice};
use super::suggest::{suggest, suggest_key};
use super::table::{FILE_VARIABLE, PREFIX, SETTINGS, Setting, keys, position};
use super::value::RawValue;
use super::variables::Variables;
use super::{Config, Environment, file, mask};

/// The maximum number of unknown variables that are reported.
const MAX_UNKNOWN: usize = 20;

/// The sources of settings besides the defaults, lowest precedence first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// The name given to [`Monitor::builder`](crate::Monitor::builder), which every other source overrides.
    pub(crate) fallback_name: Option<String>,
    /// The file that a call in code names. If there is none, `WATCHPOST_CONFIG` may name one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Environment,
    /// The calls in code. A later one overrides an earlier one.
    pub(crate) code: Vec<CodeSettings>,
}

/// The effective settings.
#[derive(Debug)]
pub(crate) struct ResolvedConfig {
    pub(crate) config: Config,
    /// The values that were ignored without an error. Each warning contains the fix.
    pub(crate) warnings: Vec<String>,
    pub(crate) settings: Settings,
}

/// Finds the effective value of every setting.
///
/// # Errors
///
/// [`Error::is_config`] with every problem of the file, the environment and the calls. An invalid value in a variable
/// of other programs (`OTEL_*`, `RUST_LOG`, ..) is a warning, and the next source is used.
pub(crate) fn resolve(sources: Sources) -> Result<ResolvedConfig> {
    let mut resolver = Resolver::default();
    // Lowest precedence first: each step overrides the values of the steps before it.
    resolver.fallback_name(sources.fallback_name.as_deref());
    resolver.file(&sources);
    resolver.environment(&sources.environment);
    resolver.code(sources.code);
    // Only now: the two values of a pair may come from two sources.
    resolver.contradictions();
    resolver.finish()
}

struct Resolver {
    config: Config,
    /// The origin of each setting's value, by the setting's index.
    origins: Vec<ValueOrigin>,
    /// The settings for which some source has an invalid value, by index.
    bad: Vec<bool>,
    /// The warning about a value that was lowered to its maximum, by the setting's index. A source that overrides the
    /// value also replaces the warning.
    lowered: Vec<Option<String>>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            config: Config::default(),
            origins: vec![ValueOrigin::Default; SETTINGS.len()],
            bad: vec![false; SETTINGS.len()],
            lowered: vec![None; SETTINGS.len()],
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// A setting and its position in [`SETTINGS`].
#[derive(Clone, Copy)]
struct IndexedSetting<'a> {
    index: usize,
    setting: &'a Setting,
}

impl Resolver {
    /// Sets a setting from text. Returns whether the value is valid.
    fn set_text(&mut self, index: usize, value: TextValue) -> bool {
        let Some(setting) = SETTINGS.get(index) else {
            return false;
        };
        let TextValue { raw, origin, warns } = value;
        let set = self.set(
            IndexedSetting { index, setting },
            &origin,
            &raw.line(),
            |config| setting.field.set_text(&raw, config),
        );
        match set {
            Ok(()) => true,
            Err(problem) if warns => {
                self.warnings.push(format!("{problem}; it is not used"));
                false
            }
            Err(problem) => {
                self.add_problem(index, problem);
                false
            }
        }
    }

    /// Sets a setting to the value that it has in `from`.
    fn set_typed(&mut self, index: usize, from: &Config, call: &'static str) {
        let Some(setting) = SETTINGS.get(index) else {
            return;
        };
        let origin = ValueOrigin::Call(call);
        // The value as the call gave it, also if it is lowered to its maximum below.
        let shown = setting.field.display(from);
        let set = self.set(
            IndexedSetting { index, setting },
            &origin,
            &shown,
            |config| setting.field.set_typed(from, config),
        );
        if let Err(problem) = set {
            self.add_problem(index, problem);
        }
    }

    /// Sets a setting with `set`, and records the source of the value. `value` is masked before it is shown.
    fn set(
        &mut self,
        IndexedSetting { index, setting }: IndexedSetting<'_>,
        origin: &ValueOrigin,
        value: &str,
        set: impl FnOnce(&mut Config) -> Result<Option<String>, String>,
    ) -> Result<(), String> {
        // These lists are combined, so that no source reveals what another source redacts.
        let adds_up = matches!(setting.key, "redact.keys" | "redact.paths");
        let earlier = adds_up.then(|| self.config.redact.clone());
        let report = |advice: &str| {
            let shown = mask::shown(value, setting.secret);
            problem(setting.key, &shown, origin, advice)
        };
        // On an error, the value and the origin of the source before stay together.
        let warning = set(&mut self.config).map_err(|advice| report(&advice))?;
        if let Some(lowered) = self.lowered.get_mut(index) {
            *lowered = warning.map(|warning| report(&warning));
        }
        // Setting the list has replaced it, so the items of the sources before are added again.
        if let Some(earlier) = earlier {
            self.config.redact.add(earlier);
        }
        if let Some(of_setting) = self.origins.get_mut(index) {
            *of_setting = origin.clone();
        }
        Ok(())
    }

    fn add_problem(&mut self, index: usize, problem: String) {
        self.problems.push(problem);
        if let Some(bad) = self.bad.get_mut(index) {
            *bad = true;
        }
    }

    fn fallback_name(&mut self, name: Option<&str>) {
        let (Some(name), Some(index)) = (name, position("service.name")) else {
            return;
        };
        let value = TextValue {
            raw: RawValue::Text(name.to_owned()),
            origin: ValueOrigin::Call("Monitor::builder(..)"),
            warns: false,
        };
        self.set_text(index, value);
    }

    fn file(&mut self, sources: &Sources) {
        let variable = || sources.environment.value(FILE_VARIABLE).map(PathBuf::from);
        let (path, origin) = match (&sources.file, variable()) {
            (Some(path), _) => (path.clone(), ValueOrigin::Call(".file(..)")),
            (None, Some(path)) => (path, ValueOrigin::Variable(FILE_VARIABLE)),
            (None, None) => return,
        };
        match file::read(&path) {
            Ok(bytes) => self.file_text(&path, &bytes),
            // The file's settings are missing, but the other sources are still checked, so that all problems appear at
            // once.
            Err(advice) => {
                let shown = mask::shown(&path.to_string_lossy(), false);
                self.problems
                    .push(problem("file", &shown, &origin, &advice));
            }
        }
    }

    fn file_text(&mut self, path: &Path, bytes: &[u8]) {
        let flat = file::flatten(path, bytes);
        self.problems.extend(flat.problems);
        for (index, value) in flat.values {
            self.set_text(index, value);
        }
    }

    fn environment(&mut self, environment: &Environment) {
        let variables = Variables::new(environment);
        if let Some(problem) = variables.attributes_problem() {
            self.warnings.push(format!("{problem}; it is not used"));
        }
        // All attributes describe the service in exported traces. Some of them are settings too, which the loop below
        // finds as variables.
        self.config.service.attributes = variables.attributes().to_vec();
        for (index, setting) in SETTINGS.iter().enumerate() {
            for found in variables.of(setting) {
                // The search ends at the first valid value, and at an invalid value in a variable of this crate.
                let done = match found {
                    Ok(value) => {
                        let warns = value.warns;
                        self.set_text(index, value) || !warns
                    }
                    Err((problem, true)) => {
                        self.warnings.push(format!("{problem}; it is not used"));
                        false
                    }
                    Err((problem, false)) => {
                        self.add_problem(index, problem);
                        true
                    }
                };
                if done {
                    break;
                }
            }
        }
        self.unknown_variables(environment);
    }

    fn unknown_variables(&mut self, environment: &Environment) {
        let known = Variables::own_names();
        let without_prefix = |name: &'_ str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        // The prefix that all names share must not count as similarity.
        let candidates: Vec<_> = known.iter().map(|name| without_prefix(name)).collect();
        let mut unknown = environment
            .names_with(PREFIX)
            .filter(|name| !known.contains(name));
        for name in unknown.by_ref().take(MAX_UNKNOWN) {
            let near = suggest(
                &without_prefix(&name),
                candidates.iter().map(String::as_str),
            );
            let advice = match near {
                Some(near) => {
                    format!("write `{PREFIX}{near}`, which is the nearest, or unset it")
                }
                None => "unset it".to_owned(),
            };
            let name = mask::name(&name);
            self.warnings.push(format!(
                "{name} = {} (variable {name}): the variable is not known; {advice}",
                mask::REDACTED
            ));
        }
        let more = unknown.count();
        if more > 0 {
            self.warnings.push(format!(
                "{more} more variables that begin with {PREFIX} are not known; unset them"
            ));
        }
    }

    fn code(&mut self, code: Vec<CodeSettings>) {
        // What a struct contains without a setter call is compared with these.
        let defaults = Config::default();
        for CodeSettings { call, values } in code {
            match values {
                // Text passes the same parser as a file's, since the value has no type of its own in the host's code.
                CodeValues::Text { key, raw } => {
                    let value = TextValue {
                        raw,
                        origin: ValueOrigin::Call(call),
                        warns: false,
                    };
                    match position(key) {
                        Some(index) => _ = self.set_text(index, value),
                        None => self.problems.push(unknown_key(key, &value.origin)),
                    }
                }
                CodeValues::Typed { keys, config } => {
                    for (index, setting) in SETTINGS.iter().enumerate() {
                        // A setter that was called with the default overrides other sources too. A public field may
                        // have been assigned without a setter.
                        let is_set = keys.contains(&setting.key)
                            || !setting.field.is_equal(&config, &defaults);
                        if is_set {
                            self.set_typed(index, &config, call);
                        }
                    }
                    self.trace_rules(config.trace.rules, call);
                }
            }
        }
    }

    /// Adds the sampling rules of a call, which are tried after those of earlier calls.
    fn trace_rules(&mut self, rules: Vec<(String, f64)>, call: &'static str) {
        let origin = ValueOrigin::Call(call);
        for (route, ratio) in &rules {
            // The route is masked by itself: the `{` of a parameter must not hide the ratio.
            let shown = format!("\"{} {ratio}\"", mask::name(route));
            let mut report = |advice: &str| {
                self.problems
                    .push(problem("trace.rules", &shown, &origin, advice));
            };
            if route.is_empty() {
                report("the route is missing; write one such as `/orders/{id}` or `/api/*`");
            }
            if !(0.0..=1.0).contains(ratio) {
                report("the ratio is not a share; write a number from 0 to 1, such as `0.1`");
            }
        }
        self.config.trace.rules.extend(rules);
    }

    /// Adds the problems of settings that are valid alone but not together. If one of the two is invalid, only its own
    /// problem is reported.
    fn contradictions(&mut self) {
        let config = &self.config;
        let pairs = [
            (
                "metrics.max_series_per_metric",
                "metrics.max_series",
                config.metrics.max_series_per_metric > config.metrics.max_series,
            ),
            (
                "health.timeout",
                "health.interval",
                config.health.timeout > config.health.interval,
            ),
            (
                "history.interval",
                "history.memory_age",
                config.history.interval > config.history.memory_age,
            ),
        ];
        for (less, more, contradict) in pairs {
            let (Some(a), Some(b)) = (position(less), position(more)) else {
                continue;
            };
            let bad = |index| self.bad.get(index).copied().unwrap_or_default();
            if !contradict || bad(a) || bad(b) {
                continue;
            }
            // The problem is reported for a setting that was set, not for a default.
            let problem = if self.origin(a) == ValueOrigin::Default {
                let other = format!("{less} = {} ({})", self.print(a), self.origin(a));
                let advice = format!("less than {other}; write at least that, or lower {less}");
                problem(more, &self.print(b), &self.origin(b), &advice)
            } else {
                let other = format!("{more} = {} ({})", self.print(b), self.origin(b));
                let advice = format!("more than {other}; write at most that, or raise {more}");
                problem(less, &self.print(a), &self.origin(a), &advice)
            };
            self.problems.push(problem);
        }
    }

    fn origin(&self, index: usize) -> ValueOrigin {
        let origin = self.origins.get(index).cloned();
        origin.unwrap_or(ValueOrigin::Default)
    }

    fn print(&self, index: usize) -> String {
        SETTINGS
            .get(index)
            .and_then(|setting| setting.field.print(&self.config))
            .unwrap_or_default()
    }

    fn finish(self) -> Result<ResolvedConfig> {
        if !self.problems.is_empty() {
            return Err(Error::config(self.problems));
        }
        let mut settings = Vec::with_capacity(SETTINGS.len());
        for (setting, origin) in SETTINGS.iter().zip(&self.origins) {
            let value = setting.field.print(&self.config);
            // A secret may stand in a setting that is none, such as a password in a URL.
            let masked = value.map(|value| {
                if setting.secret || mask::looks_secret(&value) {
                    format!("\"{}\"", mask::REDACTED)
                } else {
                    value
                }
            });
            settings.push(ResolvedSetting {
                key: setting.key,
                value: masked,
                origin: origin.to_string(),
            });
        }
        let mut warnings = self.warnings;
        warnings.extend(self.lowered.into_iter().flatten());
        Ok(ResolvedConfig {
            config: self.config,
            warnings,
            settings: Settings(settings),
        })
    }
}

fn unknown_key(key: &str, origin: &ValueOrigin) -> String {
    let advice = unknown_key_advice(suggest_key(key, keys()));
    problem(key, mask::REDACTED, origin, &advice)
}
