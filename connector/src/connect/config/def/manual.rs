//! The reference manual's page of keys, made from the tables.

use std::fmt::Write as _;

use super::{Class, Key, Kind, Rule, Type, classes};

/// The page as Markdown. What is checked in must be this text.
pub fn page() -> String {
    let mut page = String::from(
        "# Keys of connectors\n\nMade from the tables in `connector/src/connect/config/def` by \
         `EDDY_UPDATE_MANUAL=1 cargo test -p eddy-connector manual`; don't edit.\n",
    );
    let without_kind = classes().iter().filter(|class| class.kinds.is_empty());
    let (clients, sinks): (Vec<_>, Vec<_>) =
        without_kind.partition(|class| class.name != "all sinks");
    for class in sinks {
        section(&mut page, class);
    }
    for kind in Kind::ALL {
        let of_kind = |class: &&Class| class.kinds.first() == Some(&kind);
        let mut before: Option<&Class> = None;
        for class in classes().iter().filter(of_kind) {
            // Variants of one class share their table.
            let base = |class: &Class| class.name.split('$').next().unwrap_or_default().to_owned();
            if before.is_none_or(|before| base(before) != base(class)) {
                section(&mut page, class);
            }
            before = Some(class);
        }
    }
    for class in clients {
        section(&mut page, class);
    }
    page
}

fn section(page: &mut String, class: &Class) {
    let name = class.name.split('$').next().unwrap_or_default();
    // Text into a string never fails.
    let _ = write!(page, "\n## {name}\n\n{}\n", class.about);
    if class.keys.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n| key | type | default | values | what it does |");
    let _ = writeln!(page, "|---|---|---|---|---|");
    for key in &class.keys {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            key.name,
            key.kind.as_str().to_lowercase(),
            default(key),
            values(&key.rule),
            key.documentation.replace('|', "\\|")
        );
    }
}

fn default(key: &Key) -> String {
    match key.default {
        _ if key.required => "required".to_owned(),
        None => String::new(),
        Some("") => "empty".to_owned(),
        Some(_) if key.kind == Type::Password => "set".to_owned(),
        Some(text) => format!("`{text}`"),
    }
}

fn values(rule: &Rule) -> String {
    match rule {
        Rule::Any | Rule::Name | Rule::Aliases | Rule::Topics => String::new(),
        Rule::AtLeast(least) => format!("from {least}"),
        Rule::Between(least, most) => format!("{least} to {most}"),
        Rule::In(words) | Rule::InAnyCase(words) | Rule::Class(words) => {
            format!("`{}`", words.join("`, `"))
        }
        Rule::Regex => "a Java pattern".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_manual_is_what_the_tables_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/KEYS.md");
        if std::env::var_os("EDDY_UPDATE_MANUAL").is_some() {
            std::fs::write(path, super::page()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == super::page(),
            "connector/KEYS.md is out of date; run the test with EDDY_UPDATE_MANUAL=1"
        );
    }
}
