use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::form::Raw;
use super::nearest::{nearest, nearest_key};
use super::problem::{Origin, problem};
use super::settings::{Resolution, Settings};
use super::table::{FILE_VARIABLE, PREFIX, SETTINGS, keys, position};
use super::variables::Variables;
use super::{Config, Environment, file, mask};

/// Unknown variables that are told of.
const MOST_UNKNOWN: usize = 20;

/// Where settings come from, besides the defaults, in rising precedence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Named by a call; else `WATCHPOST_CONFIG` may name one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Environment,
    /// A later one wins over an earlier.
    pub(crate) code: Vec<CodeSetting>,
    /// Routes and their ratios, which code alone can set.
    pub(crate) trace_rules: Vec<(String, f64)>,
}

/// A setting made by a call, as the text that the environment would hold.
#[derive(Clone)]
pub(crate) struct CodeSetting {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    /// The call as the host wrote it, such as `.log_level(..)`.
    pub(crate) call: &'static str,
}

impl std::fmt::Debug for CodeSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by {}", self.key, self.call)
    }
}

/// The settings that hold.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) config: Config,
    /// What was not taken, though it is no error: each with what to write.
    pub(crate) warnings: Vec<String>,
    pub(crate) settings: Settings,
}

/// A value that a source gives for a setting.
pub(super) struct Given {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
    /// A bad value is told of, and the next source holds.
    pub(super) warns: bool,
}

/// Finds what holds for every setting.
///
/// # Errors
///
/// [`Error::is_config`] with every problem of the file, the environment and the calls at once. What is
/// wrong in variables that are not ours (`OTEL_*`, `RUST_LOG`, ..) is a warning, and the next source holds.
pub(crate) fn resolve(sources: Sources) -> Result<Resolved> {
    let mut resolution = Resolving::default();
    resolution.file(&sources);
    resolution.environment(&sources.environment);
    resolution.code(sources.code);
    resolution.trace_rules(sources.trace_rules);
    resolution.contradictions();
    resolution.finish()
}

struct Resolving {
    config: Config,
    origins: Vec<Origin>,
    /// Settings of which some source gave a bad value.
    bad: Vec<bool>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Default for Resolving {
    fn default() -> Self {
        Self {
            config: Config::default(),
            origins: vec![Origin::Default; SETTINGS.len()],
            bad: vec![false; SETTINGS.len()],
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Resolving {
    /// Takes a value over what held so far; says whether it is good.
    fn take(&mut self, index: usize, given: Given) -> bool {
        let Some(setting) = SETTINGS.get(index) else {
            return false;
        };
        // What one source has redacted no other shows: these lists grow.
        let earlier = matches!(setting.key, "redact.keys" | "redact.paths")
            .then(|| self.config.redact.clone());
        match setting.field.read(&given.raw, &mut self.config) {
            Ok(()) => {
                if let Some(earlier) = earlier {
                    self.config.redact.add(earlier);
                }
                if let Some(origin) = self.origins.get_mut(index) {
                    *origin = given.origin;
                }
                true
            }
            Err(advice) => {
                let shown = mask::shown(&given.raw.line(), setting.secret);
                let told = problem(setting.key, &shown, &given.origin, &advice);
                if given.warns {
                    self.warnings.push(format!("{told}; it is not used"));
                } else {
                    self.spoil(index, told);
                }
                false
            }
        }
    }

    fn spoil(&mut self, index: usize, problem: String) {
        self.problems.push(problem);
        if let Some(bad) = self.bad.get_mut(index) {
            *bad = true;
        }
    }

    fn file(&mut self, sources: &Sources) {
        let variable = || sources.environment.value(FILE_VARIABLE).map(PathBuf::from);
        let (path, origin) = match (&sources.file, variable()) {
            (Some(path), _) => (path.clone(), Origin::Call(".file(..)")),
            (None, Some(path)) => (path, Origin::Variable(FILE_VARIABLE)),
            (None, None) => return,
        };
        match file::read(&path) {
            Ok(bytes) => self.flat(&path, &bytes),
            Err(advice) => {
                let shown = mask::shown(&path.to_string_lossy(), false);
                self.problems
                    .push(problem("file", &shown, &origin, &advice));
            }
        }
    }

    fn flat(&mut self, path: &Path, bytes: &[u8]) {
        let flat = file::flatten(path, bytes);
        self.problems.extend(flat.problems);
        for (index, given) in flat.given {
            self.take(index, given);
        }
    }

    fn environment(&mut self, environment: &Environment) {
        let variables = Variables::new(environment);
        if let Some(problem) = variables.attributes_problem() {
            self.warnings.push(format!("{problem}; it is not used"));
        }
        self.config.service.attributes = variables.attributes().to_vec();
        for (index, setting) in SETTINGS.iter().enumerate() {
            for found in variables.of(setting) {
                // The first good one wins; a bad one of ours ends the search.
                let done = match found {
                    Ok(given) => {
                        let warns = given.warns;
                        self.take(index, given) || !warns
                    }
                    Err((problem, true)) => {
                        self.warnings.push(format!("{problem}; it is not used"));
                        false
                    }
                    Err((problem, false)) => {
                        self.spoil(index, problem);
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
        let unknown = environment
            .names_with(PREFIX)
            .filter(|name| !known.contains(name))
            .take(MOST_UNKNOWN);
        for name in unknown {
            let near = nearest(&name, known.iter().map(String::as_str));
            let name = mask::name(&name);
            self.warnings.push(format!(
                "{name} = {} (variable {name}): the variable is not known; write `{near}`, which is the nearest, or unset it",
                mask::REDACTED
            ));
        }
    }

    fn code(&mut self, code: Vec<CodeSetting>) {
        for CodeSetting { key, value, call } in code {
            let given = Given {
                raw: Raw::One(value),
                origin: Origin::Call(call),
                warns: false,
            };
            match position(key) {
                Some(index) => {
                    self.take(index, given);
                }
                None => self.problems.push(problem(
                    key,
                    mask::REDACTED,
                    &given.origin,
                    &format!(
                        "the key is not known; write `{}`, which is the nearest",
                        nearest_key(key, keys())
                    ),
                )),
            }
        }
    }

    fn trace_rules(&mut self, rules: Vec<(String, f64)>) {
        for (route, ratio) in &rules {
            if !(0.0..=1.0).contains(ratio) {
                let shown = mask::shown(&format!("{route} {ratio}"), false);
                let advice = "the ratio is not a share; write a number from 0 to 1, such as `0.1`";
                let origin = Origin::Call(".trace_rule(..)");
                self.problems
                    .push(problem("trace.rules", &shown, &origin, advice));
            }
        }
        self.config.trace.rules = rules;
    }

    /// Settings that are good alone and not together. Where one of the two is bad, that is told instead.
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
        ];
        for (less, more, contradict) in pairs {
            let (Some(a), Some(b)) = (position(less), position(more)) else {
                continue;
            };
            let bad = |index| self.bad.get(index).copied().unwrap_or_default();
            if !contradict || bad(a) || bad(b) {
                continue;
            }
            // The subject is what was set, not a default.
            let told = if self.origin(a) == Origin::Default {
                let other = format!("{less} = {} ({})", self.print(a), self.origin(a));
                let advice = format!("less than {other}; write at least that, or lower {less}");
                problem(more, &self.print(b), &self.origin(b), &advice)
            } else {
                let other = format!("{more} = {} ({})", self.print(b), self.origin(b));
                let advice = format!("more than {other}; write at most that, or raise {more}");
                problem(less, &self.print(a), &self.origin(a), &advice)
            };
            self.problems.push(told);
        }
    }

    fn origin(&self, index: usize) -> Origin {
        self.origins.get(index).cloned().unwrap_or(Origin::Default)
    }

    fn print(&mut self, index: usize) -> String {
        SETTINGS
            .get(index)
            .and_then(|setting| setting.field.print(&mut self.config))
            .unwrap_or_default()
    }

    fn finish(mut self) -> Result<Resolved> {
        if !self.problems.is_empty() {
            return Err(Error::config(self.problems));
        }
        let mut settings = Vec::with_capacity(SETTINGS.len());
        for (setting, origin) in SETTINGS.iter().zip(&self.origins) {
            let value = setting.field.print(&mut self.config);
            let masked = value.map(|value| {
                if setting.secret || mask::looks_secret(&value) {
                    format!("\"{}\"", mask::REDACTED)
                } else {
                    value
                }
            });
            settings.push(Resolution {
                key: setting.key,
                value: masked,
                origin: origin.to_string(),
            });
        }
        Ok(Resolved {
            config: self.config,
            warnings: self.warnings,
            settings: Settings(settings),
        })
    }
}
