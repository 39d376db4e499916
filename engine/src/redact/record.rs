//! A record without what its table's rules name: value, key, headers.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::paths::Paths;
use super::rule::Action;
use super::walk::{MASK, OUT_MOST, Refused, Walk, tail};
use super::{KeyRules, Redaction};
use crate::record::{Header, Record};
use crate::shred::{Tape, Token};

/// A buffer larger than this isn't kept for the next record.
const KEPT_BYTES: usize = 1 << 20;

/// Applies the rules of one table to its records, one after the other.
#[derive(Debug)]
pub struct Redactor {
    rules: Arc<Redaction>,
    value: Rewriter,
    key: Rewriter,
    /// Bytes that stand in headers in place of theirs.
    headers: Vec<u8>,
}

/// What may land of a record.
#[derive(Debug)]
pub struct Redacted<'a> {
    record: Record<'a>,
    headers: Cow<'a, [Header<'a>]>,
    withheld: Option<String>,
}

impl Redacted<'_> {
    /// The record that may land.
    pub fn record(&self) -> Record<'_> {
        Record {
            headers: &self.headers,
            ..self.record
        }
    }

    /// Why bytes of the record were withheld, if any were: the row's `_error`.
    pub fn withheld(&self) -> Option<&str> {
        self.withheld.as_deref()
    }
}

impl Redactor {
    /// For the records of one table.
    pub fn new(rules: Arc<Redaction>) -> Self {
        Self {
            rules,
            value: Rewriter::default(),
            key: Rewriter::default(),
            headers: Vec::new(),
        }
    }

    /// Takes away what the rules name. It never fails: what can't be redacted is withheld.
    pub fn redact<'a>(&'a mut self, record: &Record<'a>) -> Redacted<'a> {
        self.redact_as(record, false)
    }

    /// The same of a record whose columns come from what a converter or a transform made of its
    /// value. That can't be searched: where there are rules for the value, all of it is withheld,
    /// its columns too.
    pub fn redact_decoded<'a>(&'a mut self, record: &Record<'a>) -> Redacted<'a> {
        self.redact_as(record, true)
    }

    fn redact_as<'a>(&'a mut self, record: &Record<'a>, decoded: bool) -> Redacted<'a> {
        let rules = &self.rules;
        let mut withheld = None;
        let value = match (&rules.value, record.value) {
            (Some(_), _) if decoded => {
                withheld = Some(message("value", Why::Decoded));
                None
            }
            (Some(paths), Some(value)) => {
                let value = self.value.rewrite(rules, paths, value);
                value.unwrap_or_else(|why| {
                    withheld = Some(message("value", why));
                    None
                })
            }
            (_, value) => value,
        };
        let key = match (&rules.key, record.key) {
            (KeyRules::Whole(action), Some(key)) => {
                self.key.out.clear();
                replace(rules, key, *action, &mut self.key.out).then_some(&self.key.out[..])
            }
            (KeyRules::Paths(paths), Some(key)) => {
                let key = self.key.rewrite(rules, paths, key);
                key.unwrap_or_else(|why| {
                    let value = withheld
                        .take()
                        .map(|value| value + "; ")
                        .unwrap_or_default();
                    withheld = Some(value + &message("key", why));
                    None
                })
            }
            (_, key) => key,
        };
        let mut decoded = record.decoded;
        if !matches!(rules.key, KeyRules::None) {
            // A decoded key can't be searched: its bytes are what the rules are for.
            decoded.key = None;
            decoded.key_avro = None;
        }
        if rules.value.is_some() {
            // Its Avro is the value as it came.
            decoded.value_avro = None;
        }
        Redacted {
            record: Record {
                decoded,
                value,
                key,
                headers: &[],
                ..*record
            },
            headers: redacted_headers(rules, record.headers, &mut self.headers),
            withheld,
        }
    }
}

/// Rewrites one text after the other.
#[derive(Debug, Default)]
struct Rewriter {
    tape: Tape,
    out: Vec<u8>,
    plain: Vec<u8>,
}

/// Why a text is withheld.
enum Why {
    /// It begins like JSON and isn't.
    Broken {
        reason: &'static str,
        at: usize,
    },
    /// It is none to begin with.
    NotJson,
    /// Its columns come from something else.
    Decoded,
    Refused(Refused),
}

impl Rewriter {
    /// The text, redacted if a rule touches it.
    fn rewrite<'a>(
        &'a mut self,
        rules: &Redaction,
        paths: &Paths,
        text: &'a [u8],
    ) -> Result<Option<&'a [u8]>, Why> {
        if text.is_empty() {
            return Ok(Some(text));
        }
        let parsed = self.tape.parse(text);
        let root = self.tape.entries.first().map(|root| root.token);
        match parsed {
            Ok(()) if matches!(root, Some(Token::Object | Token::List)) => {}
            _ if !begins_like_json(text) => {
                let kept = rules.options.keep_unparsed.then_some(Some(text));
                return kept.ok_or(Why::NotJson);
            }
            Ok(()) => return Err(Why::NotJson),
            Err(fault) => {
                let (reason, at) = (fault.reason, fault.at);
                return Err(Why::Broken { reason, at });
            }
        }
        if self.out.capacity() > KEPT_BYTES {
            self.out = Vec::new();
        }
        self.out.clear();
        let walk = Walk {
            paths,
            hash_key: rules.hash_key(),
            tape: &self.tape.entries,
            text,
            out: &mut self.out,
            plain: &mut self.plain,
            copied: 0,
            most: OUT_MOST,
        };
        match walk.run() {
            Ok(true) => Ok(Some(&self.out)),
            Ok(false) => Ok(Some(text)),
            Err(refused) => Err(Why::Refused(refused)),
        }
    }
}

/// A reader might find an object or a list in the text: behind blanks and control characters, a
/// byte order mark, the header of a schema registry.
fn begins_like_json(text: &[u8]) -> bool {
    const REGISTRY_HEADER: usize = 5;
    let begins = |text: &[u8]| {
        let mark = |byte: &&u8| matches!(byte, 0..=b' ' | 0xef | 0xbb | 0xbf | 0xfe | 0xff);
        let first = text.iter().find(|byte| !mark(byte));
        matches!(first, Some(b'{' | b'['))
    };
    begins(text) || text.first() == Some(&0) && text.get(REGISTRY_HEADER..).is_some_and(begins)
}

fn message(what: &str, why: Why) -> String {
    let reason = match why {
        Why::Broken { reason, at } => format!("json: {reason} at byte {at} of the {what}"),
        Why::NotJson => format!("redact: the {what} is no JSON object or list"),
        Why::Decoded => format!("redact: what was decoded from the {what} can't be searched"),
        Why::Refused(Refused(reason)) => format!("redact: the {what}: {reason}"),
    };
    format!(
        "{reason}; its bytes are withheld because the table has rules for what must not land; read \
         the record from Kafka by its offset as long as it is there"
    )
}

/// Appends what stands for all of `bytes`; `false` if nothing does.
fn replace(rules: &Redaction, bytes: &[u8], action: Action, out: &mut Vec<u8>) -> bool {
    match (action, rules.hash_key()) {
        (Action::Hash, Some(key)) => out.extend_from_slice(&key.hash([bytes])),
        (Action::Mask(keep), _) => {
            out.extend_from_slice(MASK.as_bytes());
            out.extend_from_slice(tail(bytes, keep).as_bytes());
        }
        (Action::Drop, _) | (Action::Hash, None) => return false,
    }
    true
}

/// The headers that may land, in their order; those that no rule names as they are.
fn redacted_headers<'a>(
    rules: &Redaction,
    headers: &'a [Header<'a>],
    bytes: &'a mut Vec<u8>,
) -> Cow<'a, [Header<'a>]> {
    let named = |header: &Header<'_>| rules.of_header(header.name);
    if rules.headers.is_empty() || headers.iter().all(|header| named(header).is_none()) {
        return Cow::Borrowed(headers);
    }
    bytes.clear();
    let mut kept: Vec<(&'a str, Stands<'a>)> = Vec::with_capacity(headers.len());
    for header in headers {
        let stands = match (named(header), header.value) {
            (Some(Action::Drop), _) => continue,
            (None, value) | (Some(_), value @ None) => Stands::Itself(value),
            (Some(action), Some(value)) => {
                let from = bytes.len();
                match replace(rules, value, action, bytes) {
                    true => Stands::For(from..bytes.len()),
                    false => continue,
                }
            }
        };
        kept.push((header.name, stands));
    }
    let bytes: &'a [u8] = bytes;
    let kept = kept.into_iter().map(|(name, stands)| Header {
        name,
        value: match stands {
            Stands::Itself(value) => value,
            Stands::For(range) => Some(bytes.get(range).unwrap_or_default()),
        },
    });
    Cow::Owned(kept.collect())
}

/// A header's value: its own, or bytes in its place.
enum Stands<'a> {
    Itself(Option<&'a [u8]>),
    For(Range<usize>),
}
