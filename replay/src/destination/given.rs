//! A destination's options as they were given: text by text, each read by who knows what it means.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{Error, Result};

/// The options of one destination.
pub(super) struct Given<'a> {
    /// How people call the type, as in `an HTTP destination`.
    what: &'static str,
    options: &'a BTreeMap<String, String>,
    /// Whether references are resolved. What is still one can't be judged.
    resolved: bool,
}

impl<'a> Given<'a> {
    /// Options as they are written down.
    pub(super) fn written(what: &'static str, options: &'a BTreeMap<String, String>) -> Self {
        Self {
            what,
            options,
            resolved: false,
        }
    }

    /// Options with what their references stand for.
    pub(super) fn resolved(what: &'static str, options: &'a BTreeMap<String, String>) -> Self {
        Self {
            what,
            options,
            resolved: true,
        }
    }

    /// Refuses every option that is neither among `names` nor begins with one of `prefixes`.
    ///
    /// # Errors
    /// `Invalid`, naming the option and what is known.
    pub(super) fn only(&self, names: &[&str], prefixes: &[&str]) -> Result<()> {
        let known = |key: &str| {
            let named = |prefix: &&str| {
                key.strip_prefix(*prefix)
                    .is_some_and(|rest| !rest.is_empty())
            };
            names.contains(&key) || prefixes.iter().any(named)
        };
        let Some(key) = self.options.keys().find(|key| !known(key)) else {
            return Ok(());
        };
        let prefixes = prefixes.iter().map(|prefix| format!("{prefix}NAME"));
        let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let all: Vec<String> = all.into_iter().chain(prefixes).collect();
        Err(
            Error::invalid(format!("{} has no option `{key}`", self.what))
                .with_hint(format!("the options are: {}", all.join(", "))),
        )
    }

    /// Whether the value is still a reference, or holds one.
    pub(super) fn is_open(&self, key: &str) -> bool {
        !self.resolved
            && self
                .options
                .get(key)
                .is_some_and(|value| value.contains("${"))
    }

    /// The text of an option; `None` if it isn't given, or blank.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        let text = self.options.get(key)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The text of an option that has to be there.
    ///
    /// # Errors
    /// `Invalid` if it isn't.
    pub(super) fn needed(&self, key: &str) -> Result<&'a str> {
        self.text(key)
            .ok_or_else(|| Error::invalid(format!("{} needs the option `{key}`", self.what)))
    }

    /// The options whose names begin with `prefix`, without it.
    pub(super) fn named(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.options.iter();
        pairs.filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// What `read` makes of an option; `default` if it isn't given, or can't be judged yet.
    ///
    /// # Errors
    /// `Invalid` where `read` makes nothing of it: it has to be `expected`.
    pub(super) fn read<T>(
        &self,
        key: &str,
        default: T,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        if self.is_open(key) {
            return Ok(default);
        }
        // The value isn't repeated: it may come from a secret.
        read(text).ok_or_else(|| Error::invalid(format!("`{key}` has to be {expected}")))
    }

    /// A whole number of a range.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub(super) fn number(
        &self,
        key: &str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> Result<usize> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let within = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.read(key, default, &expected, within)
    }

    /// Yes or no.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        self.read(key, default, "`true` or `false`", |text| text.parse().ok())
    }

    /// A time such as `30s`, `500ms` or `2min`, more than none and an hour at most.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub(super) fn duration(&self, key: &str, default: Duration) -> Result<Duration> {
        let expected = "a time such as `30s`, `500ms` or `2min`, an hour at most";
        self.read(key, default, expected, duration)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let ms = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        _ => return None,
    };
    let ms = number.checked_mul(ms)?;
    (1..=3_600_000)
        .contains(&ms)
        .then(|| Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_are_read_or_refused_without_being_repeated() {
        let options: BTreeMap<String, String> = [
            ("a", "30s"),
            ("b", "hunter2"),
            ("c", "${env:LATER}"),
            ("d", "3"),
            ("e", " "),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let given = Given::written("a test", &options);
        let second = Duration::from_secs(1);
        assert_eq!(
            given.duration("a", second).unwrap(),
            Duration::from_secs(30)
        );
        let error = given.duration("b", second).unwrap_err().to_string();
        assert!(error.starts_with("`b` has to be a time") && !error.contains("hunter2"));
        assert_eq!(given.duration("c", second).unwrap(), second);
        assert!(
            Given::resolved("a test", &options)
                .duration("c", second)
                .is_err()
        );
        assert_eq!(given.number("d", 1, 1..=3).unwrap(), 3);
        assert!(given.number("d", 1, 1..=2).is_err());
        let error = given.needed("e").unwrap_err().to_string();
        assert_eq!(error, "a test needs the option `e`");
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_known_ones() {
        let options = BTreeMap::from([("header.".to_owned(), String::new())]);
        let error = Given::written("a test", &options).only(&["url"], &["header."]);
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "a test has no option `header.`");
        assert_eq!(error.hint(), Some("the options are: url, header.NAME"));
    }

    #[test]
    fn times_have_a_unit_and_an_end() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        for bad in ["", "5", "0s", "-1s", "2h", "61min", "99999999999999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
