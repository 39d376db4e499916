//! What should land, by the letter of the rules: paths matched step by step and with no machine,
//! over the tree that the text was made from and by no parser.

use proptest::prelude::*;
use proptest::sample::select;
use ring::hmac;

use super::super::values::{Meaning, Member, Record, Value};
use super::secrets::Secrets;
use crate::redact::Action;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Key(String),
    Any,
    Deep,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    steps: Vec<Step>,
    action: Action,
}

impl Rule {
    /// As people write it.
    pub(super) fn read(&self) -> Vec<crate::redact::Rule> {
        let steps = self.steps.iter().map(|step| match step {
            Step::Key(key) => serde_json::to_string(key).unwrap(),
            Step::Any => "*".to_owned(),
            Step::Deep => "**".to_owned(),
        });
        let mut text = steps.collect::<Vec<_>>().join(".");
        if let Action::Mask(keep @ 1..) = self.action {
            text.push_str(&format!(":{keep}"));
        }
        crate::redact::Rule::parse_list(&text, self.action).unwrap()
    }
}

/// A rule of some of the keys.
pub(super) fn rule(mut keys: Vec<String>) -> impl Strategy<Value = Rule> {
    keys.push("elsewhere".to_owned());
    let name = prop_oneof![
        4 => select(keys).prop_map(Step::Key),
        1 => Just(Step::Any),
    ];
    let step = prop_oneof![4 => name.clone(), 1 => Just(Step::Deep)];
    let actions = vec![
        Action::Drop,
        Action::Hash,
        Action::Mask(0),
        Action::Mask(1),
        Action::Mask(2),
    ];
    (prop::collection::vec(step, 0..3), name, select(actions)).prop_map(|(steps, last, action)| {
        let steps = steps.into_iter().chain([last]).collect();
        Rule { steps, action }
    })
}

/// The keys of the records.
pub(super) fn keys(records: &[Record]) -> Vec<String> {
    let mut found = Vec::new();
    for record in records {
        if let Record::Object(object) = record {
            gather(object, &mut found);
        }
    }
    found
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match &value.meaning {
        Meaning::List(elements) => elements.iter().for_each(|value| gather(value, found)),
        Meaning::Object(members) => {
            for member in members {
                found.extend(member.key.clone());
                gather(&member.value, found);
            }
        }
        _ => {}
    }
}

/// One step down a tree.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Member(Option<String>),
    Element,
}

fn matches(steps: &[Step], path: &[Place]) -> bool {
    match (steps.split_first(), path.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Step::Deep, rest)), _) if matches(rest, path) => true,
        (Some(_), None) => false,
        (Some((Step::Deep, _)), Some((_, below))) => matches(steps, below),
        (Some((Step::Any, rest)), Some((place, below))) => {
            matches(rest, below) || *place == Place::Element && matches(steps, below)
        }
        (Some((Step::Key(_), _)), Some((Place::Element, below))) => matches(steps, below),
        (Some((Step::Key(name), rest)), Some((Place::Member(key), below))) => {
            // Half a surrogate pair reads as U+FFFD everywhere: who names that withholds both.
            key.as_deref().unwrap_or("\u{fffd}") == name && matches(rest, below)
        }
    }
}

fn action_at(rules: &[Rule], path: &[Place]) -> Option<Action> {
    let strength = |action: &Action| match action {
        Action::Drop => 0,
        Action::Hash => 1,
        Action::Mask(keep) => 2 + keep,
    };
    let all = rules.iter().filter(|rule| matches(&rule.steps, path));
    all.map(|rule| rule.action).min_by_key(strength)
}

/// The value with something else, or nothing, in each named place.
fn changed(
    value: &Value,
    path: &mut Vec<Place>,
    change: &mut impl FnMut(&Value, &[Place]) -> Option<Option<Value>>,
) -> Value {
    let mut below = |value: &Value, place: Place| {
        path.push(place);
        let found = change(value, path).unwrap_or_else(|| Some(changed(value, path, change)));
        path.pop();
        found
    };
    let meaning = match &value.meaning {
        Meaning::List(elements) => {
            let elements = elements.iter();
            Meaning::List(
                elements
                    .filter_map(|value| below(value, Place::Element))
                    .collect(),
            )
        }
        Meaning::Object(members) => {
            let members = members.iter().filter_map(|member| {
                let value = below(&member.value, Place::Member(member.key.clone()))?;
                Some(Member {
                    value,
                    ..member.clone()
                })
            });
            Meaning::Object(members.collect())
        }
        other => other.clone(),
    };
    Value {
        meaning,
        text: value.text.clone(),
    }
}

/// What should land, without blanks.
pub(super) fn redacted(value: &Value, rules: &[Rule], key: &[u8]) -> Value {
    let landed = changed(value, &mut Vec::new(), &mut |value, path| match (
        action_at(rules, path)?,
        &value.meaning,
    ) {
        (Action::Drop, _) => Some(None),
        (_, Meaning::Null) => Some(Some(value.clone())),
        (action, _) => Some(Some(stand_in(value, action, key))),
    });
    compact(&landed)
}

fn stand_in(value: &Value, action: Action, key: &[u8]) -> Value {
    let text = match action {
        Action::Hash => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            let tag = hmac::sign(&key, says(value).as_bytes());
            tag.as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        }
        Action::Mask(keep) => format!("***{}", end(value, keep)),
        Action::Drop => panic!("nothing stands for what is dropped"),
    };
    text_value(text)
}

pub(super) fn text_value(text: String) -> Value {
    Value {
        text: serde_json::to_string(&text).unwrap(),
        meaning: Meaning::Text(text),
    }
}

fn says(value: &Value) -> String {
    match &value.meaning {
        Meaning::Text(text) => text.clone(),
        Meaning::Extreme => value.text.trim_matches('"').to_owned(),
        _ => compact(value).text,
    }
}

fn end(value: &Value, keep: usize) -> String {
    let text: Vec<char> = match &value.meaning {
        Meaning::Text(text) => text.chars().collect(),
        Meaning::Integer(_) | Meaning::Double(_) => value.text.chars().collect(),
        Meaning::Extreme if !value.text.starts_with('"') => value.text.chars().collect(),
        _ => return String::new(),
    };
    if text.len() < 2 * keep {
        return String::new();
    }
    text[text.len() - keep..].iter().collect()
}

/// The value with a secret in place of each leaf that a rule names, or that is in what one names.
pub(super) fn plant(value: &Value, rules: &[Rule], secrets: &mut Secrets) -> Value {
    changed(value, &mut Vec::new(), &mut |value, path| {
        action_at(rules, path)?;
        Some(Some(full_of_secrets(value, secrets)))
    })
}

fn full_of_secrets(value: &Value, secrets: &mut Secrets) -> Value {
    match value.meaning {
        Meaning::Null => value.clone(),
        Meaning::List(_) | Meaning::Object(_) => {
            changed(value, &mut Vec::new(), &mut |value, _| {
                Some(Some(full_of_secrets(value, secrets)))
            })
        }
        Meaning::Integer(_) | Meaning::Double(_) => secrets.next_number(),
        _ => secrets.next_value(),
    }
}

/// The value without blanks.
pub(super) fn compact(value: &Value) -> Value {
    let (meaning, text) = match &value.meaning {
        Meaning::List(elements) => {
            let elements: Vec<Value> = elements.iter().map(compact).collect();
            let texts: Vec<&str> = elements.iter().map(|value| value.text.as_str()).collect();
            let text = format!("[{}]", texts.join(","));
            (Meaning::List(elements), text)
        }
        Meaning::Object(members) => {
            let members = members.iter().map(|member| Member {
                value: compact(&member.value),
                ..member.clone()
            });
            let members: Vec<Member> = members.collect();
            let texts = members.iter();
            let texts = texts.map(|member| format!("{}:{}", member.text, member.value.text));
            let text = format!("{{{}}}", texts.collect::<Vec<_>>().join(","));
            (Meaning::Object(members), text)
        }
        other => (other.clone(), value.text.clone()),
    };
    Value { meaning, text }
}

/// The JSON text without blanks between its parts.
pub(super) fn solid(text: &[u8]) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let text = std::str::from_utf8(text).unwrap();
    let kept = text.chars().filter(|&c| {
        let is_blank = !quoted && c.is_ascii_whitespace();
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        !is_blank
    });
    kept.collect()
}

/// `[1]` or `[{"a":1}]` as a tree: the lists among the records that are no objects.
pub(super) fn list(text: &[u8]) -> Value {
    let one = Value {
        meaning: Meaning::Integer(1),
        text: "1".to_owned(),
    };
    let element = match text {
        b"[1]" => one,
        b"[{\"a\":1}]" => compact(&Value {
            meaning: Meaning::Object(vec![Member {
                text: "\"a\"".to_owned(),
                key: Some("a".to_owned()),
                value: one,
            }]),
            text: String::new(),
        }),
        other => panic!("an unknown list {other:?}"),
    };
    compact(&Value {
        meaning: Meaning::List(vec![element]),
        text: String::new(),
    })
}
