//! What a destination's references stand for, kept out of every error.
//!
//! Errors are stored with replays, shown to whoever lists them, and go out with dead letters. The
//! client of the other side, and the other side itself, may put into them what they were told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{FutureExt, TryFutureExt};

use super::secret::HIDDEN;
use super::{Checked, Delivery, Destination, Marked, Outgoing, Transactions, percent};
use crate::error::{Error, Result};

/// Shorter texts, in bytes, are in any error.
const LEAST: usize = 4;

/// The texts that nobody may see, the longest first. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Veil(Arc<Vec<String>>);

impl Veil {
    /// What `resolved` has where `written` has references.
    pub(super) fn between(
        written: &BTreeMap<String, String>,
        resolved: &BTreeMap<String, String>,
    ) -> Self {
        let mut texts = BTreeSet::new();
        for (key, written) in written {
            let resolved = resolved.get(key).map_or("", String::as_str);
            for value in values(written, resolved) {
                texts.extend(forms(value));
            }
        }
        let mut texts: Vec<String> = texts.into_iter().collect();
        // No piece of a longer one stays.
        texts.sort_by_key(|text| Reverse(text.len()));
        Self(Arc::new(texts))
    }

    /// The text without them.
    pub(super) fn over(&self, text: &str) -> String {
        let texts = self.0.iter();
        texts.fold(text.to_owned(), |text, hidden| text.replace(hidden, HIDDEN))
    }

    /// The error without them.
    pub(super) fn error(&self, error: Error) -> Error {
        let told = error.to_string();
        let shown = self.over(&told);
        let hint = error.hint().map(|hint| self.over(hint));
        if shown == told && hint.as_deref() == error.hint() {
            return error;
        }
        let veiled = Error::new(error.kind(), shown);
        match hint {
            Some(hint) => veiled.with_hint(hint),
            None => veiled,
        }
    }

    /// The destination, whose errors don't have them.
    pub(super) fn around(self, inner: Arc<dyn Destination>) -> Arc<dyn Destination> {
        match self.0.is_empty() {
            true => inner,
            false => Arc::new(Veiled { inner, veil: self }),
        }
    }
}

/// What stands in `resolved` where `written` has references.
fn values<'a>(written: &str, resolved: &'a str) -> Vec<&'a str> {
    let mut values = Vec::new();
    let Some((before, mut from)) = written.split_once("${") else {
        return values;
    };
    let mut rest = resolved.strip_prefix(before).unwrap_or(resolved);
    while let Some((_, after)) = from.split_once('}') {
        let Some((literal, next)) = after.split_once("${") else {
            values.push(rest.strip_suffix(after).unwrap_or(rest));
            break;
        };
        from = next;
        // Nothing parts two references that stand side by side.
        if !literal.is_empty() {
            let (value, left) = rest.split_once(literal).unwrap_or((rest, ""));
            values.push(value);
            rest = left;
        }
    }
    values
}

/// How a value may come back: as it is, in a URL, in JSON.
fn forms(value: &str) -> impl Iterator<Item = String> {
    let value = value.trim();
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let forms = [
        Some(value.to_owned()),
        // As URLs take them.
        Some(value.replace(['\r', '\n', '\t'], "")),
        Some(percent::encoded(value)),
        percent::decoded(value),
        Some(json.replace('/', "\\/")),
        Some(json),
    ];
    let forms = forms.into_iter().flatten();
    forms.filter(|text| text.len() >= LEAST)
}

/// A destination whose errors are veiled.
struct Veiled<D: ?Sized> {
    veil: Veil,
    inner: Arc<D>,
}

impl<D: ?Sized> Veiled<D> {
    fn told<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.veil.error(error))
    }
}

#[async_trait]
impl<D: Destination + ?Sized> Destination for Veiled<D> {
    fn target(&self) -> String {
        self.inner.target()
    }

    async fn check(&self) -> Result<Checked> {
        self.told(self.inner.check().await)
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        let delivery = self.told(self.inner.send(record).await)?;
        let veil = self.veil.clone();
        Ok(delivery.map_err(move |error| veil.error(error)).boxed())
    }

    fn window(&self) -> Option<usize> {
        self.inner.window()
    }

    fn tells_origin(&self) -> bool {
        self.inner.tells_origin()
    }

    fn takes_turns(&self) -> bool {
        self.inner.takes_turns()
    }

    fn has_transactions(&self) -> bool {
        self.inner.has_transactions()
    }

    async fn in_transactions(
        &self,
        name: &str,
        checked: &Checked,
    ) -> Result<(Arc<dyn Transactions>, Option<Marked>)> {
        let opened = self.inner.in_transactions(name, checked).await;
        let (inner, marked) = self.told(opened)?;
        let veil = self.veil.clone();
        Ok((Arc::new(Veiled { veil, inner }), marked))
    }

    async fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>> {
        self.told(self.inner.committed(group, topic, partitions).await)
    }

    async fn commit(
        &self,
        group: &str,
        topic: Option<&str>,
        offsets: &BTreeMap<i32, i64>,
    ) -> Result<()> {
        self.told(self.inner.commit(group, topic, offsets).await)
    }

    async fn warm(&self) {
        self.inner.warm().await;
    }

    fn halt(&self) {
        self.inner.halt();
    }
}

#[async_trait]
impl<D: Transactions + ?Sized> Transactions for Veiled<D> {
    async fn begin(&self) -> Result<()> {
        self.told(self.inner.begin().await)
    }

    async fn commit_with(&self, marked: &Marked) -> Result<()> {
        self.told(self.inner.commit_with(marked).await)
    }

    async fn abort(&self) {
        self.inner.abort().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: &str) -> BTreeMap<String, String> {
        [("a".to_owned(), value.to_owned())].into()
    }

    #[test]
    fn what_a_reference_stands_for_is_found_between_what_is_written() {
        for (written, resolved, found) in [
            ("${env:A}", "hush", &["hush"][..]),
            ("plain", "plain", &[]),
            (
                "https://h/in/${env:A}?b=1",
                "https://h/in/hush?b=1",
                &["hush"],
            ),
            ("${env:A}/x/${env:B}.", "one/x/two.", &["one", "two"]),
            ("a${env:A}${env:B}", "aonetwo", &["onetwo"]),
        ] {
            assert_eq!(values(written, resolved), found, "{written}");
        }
    }

    #[test]
    fn an_error_has_no_form_of_it() {
        let veil = Veil::between(&map("Bearer ${env:A}"), &map("Bearer abc/d f\n"));
        for told in ["abc/d f", "abc%2Fd%20f", "abc\\/d f"] {
            let error = Error::invalid(format!("it said `{told}`")).with_hint(told);
            let error = veil.error(error);
            assert_eq!(error.to_string(), "it said `***`");
            assert_eq!(error.hint(), Some("***"));
        }
        let other = veil.error(Error::invalid("Bearer x"));
        assert_eq!(other.to_string(), "Bearer x");
        let short = Veil::between(&map("${env:A}"), &map("a"));
        assert_eq!(short.over("a text"), "a text");
    }
}
