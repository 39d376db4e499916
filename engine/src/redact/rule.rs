//! A rule: which place in a record, and what becomes of it; and how people write one.
//!
//! The grammar is narrow on purpose. Whatever looks like another language of paths (`$.a`, `/a/b`,
//! `a[0]`, `pass*`) is refused, because a rule that silently names nothing lets everything land.

use std::fmt;

/// What becomes of a value that a rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It vanishes, with its key.
    Drop,
    /// A keyed hash takes its place.
    Hash,
    /// `***` takes its place, with so many of a text's last characters.
    Mask(usize),
}

impl Action {
    /// The stronger of both.
    pub(super) fn or(self, other: Option<Self>) -> Option<Self> {
        let strongest = match (self, other) {
            (Self::Drop, _) | (_, Some(Self::Drop)) => Self::Drop,
            (Self::Hash, _) | (_, Some(Self::Hash)) => Self::Hash,
            (Self::Mask(one), Some(Self::Mask(other))) => Self::Mask(one.min(other)),
            (Self::Mask(one), None) => Self::Mask(one),
        };
        Some(strongest)
    }
}

/// One place of a record and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) target: Target,
    pub(super) action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A path of the value; never empty.
    Value(Vec<Step>),
    /// A path of the key, or without steps all of it.
    Key(Vec<Step>),
    /// The header of this name, or any.
    Header(Option<String>),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The members with this key.
    Key(String),
    /// `*`: any member, any element.
    Any,
    /// `**`: any number of steps, none too.
    Deep,
}

/// The most characters that a mask keeps.
const TAIL_MOST: usize = 64;

/// The longest path.
const STEPS_MOST: usize = 64;

/// Why a rule can't be read: which one, what is wrong with it, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRule {
    rule: String,
    why: &'static str,
}

impl fmt::Display for WrongRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.rule, self.why)
    }
}

const TAIL: &str = "what follows `:` is the number of last characters that a mask keeps, 1 to 64; \
     a key with `:` is written in quotes";
const NAME: &str = "a path is keys with `.` between them; a key of other characters than letters, \
     digits, `_` and `-` is written in quotes, as \"card.number\"; `*` stands for any key or \
     element, `**` for any number of keys";

impl Rule {
    /// Reads rules with commas between them, all of the same `action`; a mask's may end in `:` and
    /// how many of the last characters it keeps.
    ///
    /// # Errors
    /// Says which rule is wrong and what is allowed.
    pub fn parse_list(text: &str, action: Action) -> Result<Vec<Self>, WrongRule> {
        let rules = split(text, ',').into_iter().map(str::trim);
        rules
            .map(|rule| {
                parse(rule, action).map_err(|why| WrongRule {
                    rule: rule.to_owned(),
                    why,
                })
            })
            .collect()
    }
}

fn parse(text: &str, action: Action) -> Result<Rule, &'static str> {
    let (text, action) = tail(text, action)?;
    let target = if let Some(name) = text.strip_prefix("header:") {
        Target::Header(header(name)?)
    } else if let Some(path) = text.strip_prefix("key:") {
        match path {
            "" => Target::Key(Vec::new()),
            path => Target::Key(steps(path)?),
        }
    } else {
        Target::Value(steps(text)?)
    };
    Ok(Rule { target, action })
}

/// Takes `:4` off a mask. The colons of `key:` and `header:` are no such.
fn tail(text: &str, action: Action) -> Result<(&str, Action), &'static str> {
    let parts = split(text, ':');
    let prefixed = matches!(parts.first(), Some(&("key" | "header"))) && parts.len() > 1;
    match (&parts[..], action) {
        ([_], _) => Ok((text, action)),
        ([_, _], _) if prefixed => Ok((text, action)),
        ([.., digits], Action::Mask(_)) if parts.len() == 2 + usize::from(prefixed) => {
            let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            let tail = digits.parse().ok().filter(|_| plain);
            let tail = tail
                .filter(|tail| (1..=TAIL_MOST).contains(tail))
                .ok_or(TAIL)?;
            let rest = text
                .get(..text.len() - digits.len() - 1)
                .unwrap_or_default();
            Ok((rest, Action::Mask(tail)))
        }
        _ => Err(TAIL),
    }
}

fn header(name: &str) -> Result<Option<String>, &'static str> {
    const HEADER: &str = "a header's name is letters, digits, `_`, `-` and `.`, or in quotes, or \
         `*` for all headers";
    if name == "*" {
        return Ok(None);
    }
    if name.starts_with('"') {
        return quoted(name).map(Some).ok_or(HEADER);
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(HEADER);
    }
    Ok(Some(name.to_owned()))
}

fn steps(path: &str) -> Result<Vec<Step>, &'static str> {
    let steps: Vec<Step> = split(path, '.')
        .into_iter()
        .map(|step| step_of(step).ok_or(NAME))
        .collect::<Result<_, _>>()?;
    if steps.len() > STEPS_MOST {
        return Err("a path has at most 64 keys");
    }
    if steps.last() == Some(&Step::Deep) {
        return Err("`**` needs a key behind it; everything below a key is `key.*`");
    }
    Ok(steps)
}

fn step_of(text: &str) -> Option<Step> {
    match text {
        "*" => return Some(Step::Any),
        "**" => return Some(Step::Deep),
        _ => {}
    }
    if text.starts_with('"') {
        return quoted(text).map(Step::Key);
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    (!text.is_empty() && text.chars().all(plain)).then(|| Step::Key(text.to_owned()))
}

/// A key in quotes, with JSON's escapes.
fn quoted(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// The parts between separators that stand in no quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == separator && !quoted => {
                parts.extend(text.get(begin..at));
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.extend(text.get(begin..));
    parts
}
