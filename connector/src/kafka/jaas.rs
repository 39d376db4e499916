//! Reads the user and password out of Java's `sasl.jaas.config` line.
//!
//! Java clients carry their credentials in a login module's options; librdkafka wants them as keys
//! of their own. Modules other than PLAIN's and SCRAM's have no counterpart there.

use std::collections::BTreeMap;

/// The user name and password of a PLAIN or SCRAM login module.
pub(crate) fn credentials(line: &str) -> Option<(String, String)> {
    let mut options = options(line);
    Some((options.remove("username")?, options.remove("password")?))
}

/// The `key="value"` pairs of a JAAS line; values may hold escaped quotes.
pub(crate) fn options(line: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('=') {
        let key = before
            .rsplit(char::is_whitespace)
            .find(|part| !part.is_empty());
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => until_quote(quoted),
            None => {
                let end = after
                    .find(|c: char| c.is_whitespace() || c == ';')
                    .unwrap_or(after.len());
                let (value, left) = after.split_at(end);
                (value.to_owned(), left)
            }
        };
        if let Some(key) = key {
            found.insert(key.to_owned(), value);
        }
        rest = left;
    }
    found
}

fn until_quote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_scram_lines_give_user_and_password() {
        let line = "org.apache.kafka.common.security.scram.ScramLoginModule required \
                    username=\"al=ice\" password=\"p\\\"w;d\";";
        assert_eq!(
            credentials(line),
            Some(("al=ice".to_owned(), "p\"w;d".to_owned()))
        );
        let bare = "x.PlainLoginModule required username=bob password=secret;";
        assert_eq!(
            credentials(bare),
            Some(("bob".to_owned(), "secret".to_owned()))
        );
        assert_eq!(
            credentials("x.Krb5LoginModule required useKeyTab=true;"),
            None
        );
    }
}
