//! Fields that must never land: what a table's rules drop, hash or mask is gone before anything of
//! a record is stored, shown or looked at.
//!
//! ```text
//! record --> Redactor --> writer: live rows, columns, `_value`, `_rescued`, shapes, filters,
//!              |                  statistics, rows with `_error`
//!        rules + key
//! ```
//!
//! The writer asks its [`Redactor`] first and never sees the record as it came, so nothing that
//! lands has to be looked after by itself. Compaction, erasure, queries and replays only know what
//! landed. Kafka's own copy is not touched.
//!
//! # What a rule names
//!
//! A path of keys (`customer.email`), where `*` is any key or any element of a list and `**` any
//! number of keys. Lists are looked through: `items.card` is the `card` of each element of `items`.
//! Keys are compared as their escapes mean them, all that have the same name alike. What a path
//! names goes as a whole, whatever it holds. `key:` before a path (or alone) is the record's key,
//! `header:` before a name a header.
//!
//! # What becomes of it
//!
//! - `drop`: the member is gone; a key becomes null, a header is left out.
//! - `hash`: the HMAC-SHA-256, in hexadecimal, of a string's text with its escapes undone, of
//!   another value's JSON text without blanks between its parts, of the bytes of a key or header.
//!   So equal values join, in any table with the same key.
//! - `mask`: `***`, with the last characters of a string or number where the rule says how many,
//!   but never of a text that isn't at least twice as long.
//!
//! Hash and mask leave null as it is: there is nothing in it. Where several rules name a value,
//! drop counts before hash before mask; inside of what is replaced nothing is looked for.
//! Everything else of a text stays byte for byte (E7).
//!
//! # What can't be searched
//!
//! A text that is no JSON object or list can't be searched. Where there are rules for it, its bytes
//! don't land: the row has null in their place and says so in `_error`. What doesn't even begin
//! like one may be kept by configuration. The same holds for a text that redaction would make
//! absurdly large, and for anything that goes wrong here: no bytes before leaked ones.
//!
//! `rule` reads paths, `paths` makes one machine of all of them, `walk` applies it to a text that
//! the shredder's own parser has accepted, so both see the same keys.

mod hash_key;
mod paths;
mod record;
mod rule;
#[cfg(test)]
mod tests;
mod walk;

pub use hash_key::HashKey;
pub use record::{Redacted, Redactor};
pub use rule::{Action, Rule};

use std::sync::Arc;

use crate::error::{Error, Result};
use paths::Paths;
use rule::{Step, Target};

/// What a table's records lose before they land; checked once, shared by the table's writers.
#[derive(Debug)]
pub struct Redaction {
    value: Option<Paths>,
    key: KeyRules,
    /// A header's name as the rule has it, `None` for all; and what becomes of it.
    headers: Vec<(Option<String>, Action)>,
    options: Options,
}

/// How rules are applied.
#[derive(Debug, Default)]
pub struct Options {
    /// Needed by [`Action::Hash`].
    pub hash_key: Option<HashKey>,
    /// Keys and headers match in any case.
    pub ignore_case: bool,
    /// Texts that don't begin like a JSON object or list land as they came.
    pub keep_unparsed: bool,
}

#[derive(Debug)]
enum KeyRules {
    None,
    Whole(Action),
    Paths(Paths),
}

impl Redaction {
    /// Puts rules together.
    ///
    /// # Errors
    /// `Invalid` when something is to be hashed without a key, or the paths are too many.
    pub fn new(rules: Vec<Rule>, options: Options) -> Result<Arc<Self>> {
        if options.hash_key.is_none() && rules.iter().any(|rule| rule.action == Action::Hash) {
            return Err(Error::invalid("hashing needs a key"));
        }
        let (mut value, mut key) = (Vec::new(), Vec::new());
        let (mut whole, mut headers) = (None, Vec::new());
        for rule in rules {
            match rule.target {
                Target::Value(path) => value.push((path, rule.action)),
                Target::Key(path) if path.is_empty() => whole = rule.action.or(whole),
                Target::Key(path) => key.push((path, rule.action)),
                Target::Header(name) => headers.push((name, rule.action)),
            }
        }
        let key = match whole {
            Some(action) => KeyRules::Whole(action),
            None => compiled(&key, &options)?.map_or(KeyRules::None, KeyRules::Paths),
        };
        Ok(Arc::new(Self {
            value: compiled(&value, &options)?,
            key,
            headers,
            options,
        }))
    }

    fn hash_key(&self) -> Option<&HashKey> {
        self.options.hash_key.as_ref()
    }

    /// What becomes of the header, if anything does.
    fn of_header(&self, name: &str) -> Option<Action> {
        let named = self.headers.iter().filter(|(wanted, _)| {
            wanted.as_ref().is_none_or(|wanted| {
                wanted == name
                    || self.options.ignore_case && paths::fold(wanted) == paths::fold(name)
            })
        });
        named.fold(None, |found, (_, action)| action.or(found))
    }
}

fn compiled(rules: &[(Vec<Step>, Action)], options: &Options) -> Result<Option<Paths>> {
    if rules.is_empty() {
        return Ok(None);
    }
    Paths::compile(rules, options.ignore_case).map(Some)
}
