//! Loggers: their levels, shown and set. Names are modules, with dots or with `::`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::answer::{Answer, Handled};
use super::body;
use super::connectors::nothing;
use super::{Api, Call};

/// The levels of a process's loggers. Clones share them.
#[derive(Clone)]
pub struct Loggers(Arc<Inner>);

struct Inner {
    levels: Mutex<BTreeMap<String, Level>>,
    /// Told the levels that were set, as tracing's filter writes them.
    apply: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Clone, Copy, Serialize)]
struct Level {
    #[serde(rename = "level")]
    word: &'static str,
    /// Milliseconds since the Unix epoch; none while nobody set it.
    #[serde(rename = "last_modified")]
    modified_ms: Option<i64>,
}

/// Connect's words, and what they are here.
const WORDS: [(&str, &str); 8] = [
    ("OFF", "off"),
    ("FATAL", "error"),
    ("ERROR", "error"),
    ("WARN", "warn"),
    ("INFO", "info"),
    ("DEBUG", "debug"),
    ("TRACE", "trace"),
    ("ALL", "trace"),
];
const ROOT: &str = "root";

impl Loggers {
    /// Loggers at `INFO`; `apply` is told what was set, as `info,eddy_connector=debug`.
    pub fn new(apply: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let root = Level {
            word: "INFO",
            modified_ms: None,
        };
        Self(Arc::new(Inner {
            levels: Mutex::new(BTreeMap::from([(ROOT.to_owned(), root)])),
            apply: Box::new(apply),
        }))
    }

    fn get(&self, name: &str) -> Option<Level> {
        self.lock().get(&key(name)).copied()
    }

    /// Sets a level for a logger and all whose names begin with its own, which is more than those
    /// below it and what Connect does; answers which of them it was new to.
    fn set(&self, name: &str, word: &'static str, now_ms: i64) -> Vec<String> {
        let name = key(name);
        let mut levels = self.lock();
        let mut names: Vec<String> = levels
            .keys()
            .filter(|known| name == ROOT || known.starts_with(&name))
            .cloned()
            .collect();
        names.push(name);
        names.sort();
        names.dedup();
        let level = Level {
            word,
            modified_ms: Some(now_ms),
        };
        names.retain(|name| {
            let new = levels.get(name).is_none_or(|level| level.word != word);
            if new {
                levels.insert(name.clone(), level);
            }
            new
        });
        let set: Vec<String> = levels
            .iter()
            .filter(|(name, level)| name.as_str() != ROOT && level.modified_ms.is_some())
            .map(|(name, level)| format!("{}={}", name.replace('.', "::"), directive(level.word)))
            .collect();
        let root = levels
            .get(ROOT)
            .filter(|root| root.modified_ms.is_some())
            .map(|root| directive(root.word).to_owned());
        drop(levels);
        let all: Vec<String> = root.into_iter().chain(set).collect();
        (self.0.apply)(&all.join(","));
        names
    }

    /// Sets a level that another worker was told; one that nobody knows says nothing.
    pub(super) fn hear(&self, name: &str, word: &str, now_ms: i64) {
        if let Some(word) = known(word) {
            self.set(name, word, now_ms);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Level>> {
        self.0.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Loggers {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loggers").finish_non_exhaustive()
    }
}

impl Api {
    pub(super) fn loggers(&self) -> Answer {
        Answer::ok(&*self.options.loggers.lock())
    }

    pub(super) fn logger(&self, name: &str) -> Handled {
        let level = self.options.loggers.get(name);
        let unknown = || Answer::error(404, format!("Logger {name} not found."));
        level.map(Answer::ok).ok_or_else(unknown)
    }

    pub(super) fn set_logger(&self, name: &str, call: &Call) -> Handled {
        let request = body::config(&call.body)?.ok_or_else(nothing)?;
        let Some(word) = request.get("level").cloned().flatten() else {
            let message = "Desired 'level' parameter was not specified in request.";
            return Err(Answer::error(400, message));
        };
        if word.is_empty() {
            return Err(Answer::error(500, "Illegal null or empty Level name."));
        }
        let Some(word) = known(&word) else {
            return Err(Answer::error(404, format!("invalid log level '{word}'.")));
        };
        let scope = call.query("scope").unwrap_or_default();
        if scope.eq_ignore_ascii_case("cluster") {
            self.worker.set_level(&key(name), word)?;
            return Ok(Answer::empty(204));
        }
        let now_ms = self.worker.clock().now_us() / 1_000;
        Ok(Answer::ok(self.options.loggers.set(name, word, now_ms)))
    }
}

/// Connect's word for a level, in either case.
fn known(word: &str) -> Option<&'static str> {
    let all = WORDS.iter();
    all.map(|(known, _)| *known)
        .find(|known| known.eq_ignore_ascii_case(word))
}

fn directive(word: &str) -> &'static str {
    let known = WORDS.iter().find(|(known, _)| *known == word);
    known.map_or("info", |(_, directive)| directive)
}

/// One spelling for each logger.
fn key(name: &str) -> String {
    if name.eq_ignore_ascii_case(ROOT) {
        return ROOT.to_owned();
    }
    name.replace("::", ".")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn those_below_follow_and_only_what_changes_is_told() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let loggers = Loggers::new(move |directives| {
            *heard.lock().unwrap() = directives.to_owned();
        });
        assert_eq!(loggers.set("a.b", "DEBUG", 1), ["a.b"]);
        assert_eq!(loggers.set("a.b", "DEBUG", 2), Vec::<String>::new());
        assert_eq!(loggers.set("a.b.c", "WARN", 3), ["a.b.c"]);
        assert_eq!(loggers.set("a", "FATAL", 4), ["a", "a.b", "a.b.c"]);
        assert_eq!(*said.lock().unwrap(), "a=error,a::b=error,a::b::c=error");
        assert_eq!(loggers.set("ROOT", "INFO", 5), ["a", "a.b", "a.b.c"]);
        assert_eq!(loggers.get("a::b").unwrap().word, "INFO");
        assert_eq!(loggers.set("a.bc", "INFO", 6), ["a.bc"]);
        assert_eq!(loggers.set("a.b", "WARN", 7), ["a.b", "a.b.c", "a.bc"]);
        assert!(loggers.get("a.b.c.d").is_none());
    }
}
