//! The real audit logs again and again, with other values in the same shapes: 91 kinds of event and
//! some 5,000 leaves, so that no two rounds of them are alike.

use super::events::Seeded;

const SAMPLES: &str = include_str!("../../tests/fixtures/saas-audit-logs.ndjson");

/// An endless sequence of audit events.
pub(crate) struct Audit {
    samples: Vec<&'static str>,
    random: Seeded,
    at: usize,
}

impl Audit {
    /// The sequence of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            samples: SAMPLES.lines().collect(),
            random: Seeded::new(seed),
            at: 0,
        }
    }

    /// The next event: digits become other digits, so that numbers, times and ids vary while keys,
    /// words and types stay.
    pub(crate) fn next(&mut self) -> String {
        let sample = self.samples[self.at % self.samples.len()];
        self.at += 1;
        if self.at <= self.samples.len() {
            return sample.to_owned();
        }
        vary(sample, &mut self.random)
    }
}

/// Keeps keys, escapes and the first digit of a number as they are: the text stays JSON, and a
/// number keeps its type.
pub(crate) fn vary(sample: &str, random: &mut Seeded) -> String {
    let bytes = sample.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'"' {
            let digit = bytes[at].is_ascii_digit() && out.last().is_some_and(u8::is_ascii_digit);
            out.push(if digit { random.digit() } else { bytes[at] });
            at += 1;
            continue;
        }
        let end = end_of_string(bytes, at);
        let is_key = bytes.get(end) == Some(&b':');
        for place in at..end {
            let free = !is_key && bytes[place].is_ascii_digit() && !escaped(bytes, at, place);
            out.push(if free { random.digit() } else { bytes[place] });
        }
        at = end;
    }
    String::from_utf8(out).unwrap()
}

/// Behind the closing quote of the string that opens at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

/// The byte may belong to an escape like `\u00e9`.
fn escaped(bytes: &[u8], from: usize, place: usize) -> bool {
    bytes[place.saturating_sub(6).max(from)..place].contains(&b'\\')
}
