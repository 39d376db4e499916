//! Reads the tables of keys.

use super::class::{Class, Kind};
use super::key::{Fate, Importance, Key, Rule, Type, Width};

/// The classes of a table, and the lines that aren't understood.
pub(super) fn read(text: &'static str) -> (Vec<Class>, Vec<String>) {
    let mut reader = Reader::default();
    for line in text.lines().map(str::trim) {
        if reader.line(line).is_none() {
            reader.wrong.push(line.to_owned());
        }
    }
    reader.end();
    (reader.classes, reader.wrong)
}

#[derive(Default)]
struct Reader {
    classes: Vec<Class>,
    wrong: Vec<String>,
    /// The names of the class being read: several where it has variants.
    names: Vec<String>,
    kinds: Vec<Kind>,
    about: &'static str,
    group: Option<&'static str>,
    order: i32,
    keys: Vec<Key>,
}

impl Reader {
    fn line(&mut self, line: &'static str) -> Option<()> {
        if line.is_empty() || line.starts_with('#') {
            return Some(());
        }
        if let Some(name) = line.strip_prefix("class ") {
            self.end();
            let (name, variants) = name.split_once(" $").unwrap_or((name, ""));
            self.names = match variants {
                "" => vec![name.to_owned()],
                _ => variants
                    .split(" $")
                    .map(|variant| format!("{name}${variant}"))
                    .collect(),
            };
            return Some(());
        }
        if let Some(kinds) = line.strip_prefix("kind ") {
            self.kinds = kinds.split(' ').map(Kind::of).collect::<Option<_>>()?;
            return Some(());
        }
        if let Some(about) = line.strip_prefix("about ") {
            self.about = about;
            return Some(());
        }
        if let Some(group) = line.strip_prefix('[') {
            self.group = Some(group.strip_suffix(']')?);
            self.order = 0;
            return Some(());
        }
        if let Some(dependents) = line.strip_prefix("> ") {
            self.keys.last_mut()?.dependents = dependents.split(", ").collect();
            return Some(());
        }
        if let Some(why) = line.strip_prefix("= ") {
            self.keys.last_mut()?.fate = Fate::Ignored(why);
            return Some(());
        }
        if let Some(refused) = line.strip_prefix("! ") {
            let (values, why) = refused.split_once(" | ")?;
            self.keys.last_mut()?.fate = Fate::Refused(values.split(", ").collect(), why);
            return Some(());
        }
        let key = self.key(line)?;
        self.keys.push(key);
        Some(())
    }

    fn key(&mut self, line: &'static str) -> Option<Key> {
        let mut fields = line.splitn(8, " | ").map(str::trim);
        let name = fields.next()?;
        let (name, order) = match name.split_once('@') {
            Some((name, order)) => (name, order.parse().ok()?),
            None if self.group.is_some() => (name, self.order + 1),
            None => (name, -1),
        };
        self.order = order;
        let kind = Type::of(fields.next()?)?;
        let default = fields.next()?;
        Some(Key {
            name,
            kind,
            default: match default {
                "!" | "-" => None,
                "\"\"" => Some(""),
                other => Some(other),
            },
            required: default == "!",
            importance: Importance::of(fields.next()?)?,
            width: Width::of(fields.next()?)?,
            rule: rule(fields.next()?)?,
            title: fields.next()?,
            documentation: fields.next()?,
            group: self.group,
            order,
            dependents: Vec::new(),
            fate: Fate::Used,
        })
    }

    fn end(&mut self) {
        let (kinds, keys) = (
            std::mem::take(&mut self.kinds),
            std::mem::take(&mut self.keys),
        );
        for name in self.names.drain(..) {
            self.classes.push(Class {
                name,
                kinds: kinds.clone(),
                about: self.about,
                keys: keys.clone(),
            });
        }
        self.about = "";
        self.group = None;
        self.order = 0;
    }
}

fn rule(text: &'static str) -> Option<Rule> {
    let words = |name: &str| {
        let inner = text
            .strip_prefix(name)?
            .strip_prefix('(')?
            .strip_suffix(')')?;
        Some(inner.split(", ").collect::<Vec<_>>())
    };
    Some(match text {
        "-" => Rule::Any,
        "regex" => Rule::Regex,
        "name" => Rule::Name,
        "aliases" => Rule::Aliases,
        "topics" => Rule::Topics,
        _ => {
            if let Some(least) = text.strip_prefix(">=") {
                Rule::AtLeast(least.parse().ok()?)
            } else if let Some(words) = words("in") {
                Rule::In(words)
            } else if let Some(words) = words("class") {
                Rule::Class(words)
            } else if let Some(words) = words("any_case") {
                Rule::InAnyCase(words)
            } else {
                let (least, most) = text.split_once("..")?;
                Rule::Between(least.parse().ok()?, most.parse().ok()?)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_line_is_a_key_and_what_is_none_is_told() {
        let (classes, wrong) = read(
            "class a.B $Key $Value\nkind transformation\nabout It is an example.\n[Numbers]\n\
             n | INT | 1 | HIGH | SHORT | 1..9 | N | Counts the things.\n> m\n\
             = nobody counts\n\
             m@7 | LIST | - | LOW | LONG | aliases | M | Names the things.\n! x, y | not yet\n\
             m | INT",
        );
        assert_eq!(wrong, ["m | INT"]);
        assert_eq!(classes.len(), 2);
        assert_eq!(classes[1].name, "a.B$Value");
        let [n, m] = classes[0].keys.as_slice() else {
            unreachable!("two keys");
        };
        assert_eq!((n.default, n.required, n.order), (Some("1"), false, 1));
        assert_eq!((&n.rule, n.group), (&Rule::Between(1, 9), Some("Numbers")));
        assert_eq!(n.dependents, ["m"]);
        assert_eq!(n.fate, Fate::Ignored("nobody counts"));
        assert_eq!((m.default, m.order), (None, 7));
        assert_eq!(m.fate, Fate::Refused(vec!["x", "y"], "not yet"));
    }
}
