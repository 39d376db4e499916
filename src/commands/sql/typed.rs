//! What is typed at the prompt: when a statement ends, and the prompt's own commands (pure).

/// What to do with what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// Nothing.
    Nothing,
    /// `\q`
    Quit,
    /// `\?`
    Help,
    /// `\timing`
    Timing,
    /// `\d`, or `\d TABLE`.
    Describe(Option<String>),
    /// A command that there isn't.
    Unknown(String),
    /// A statement, or several.
    Statements(Vec<String>),
}

/// Reads what was typed.
pub(super) fn read(text: &str) -> Typed {
    let text = text.trim();
    if let Some(command) = text.strip_prefix('\\') {
        let mut words = command.trim_end_matches(';').split_whitespace();
        return match (words.next(), words.next()) {
            (Some("q" | "quit"), None) => Typed::Quit,
            (Some("?" | "h" | "help"), _) => Typed::Help,
            (Some("timing"), None) => Typed::Timing,
            (Some("d" | "dt"), table) => Typed::Describe(table.map(str::to_owned)),
            _ => Typed::Unknown(text.to_owned()),
        };
    }
    match text {
        "" => Typed::Nothing,
        "quit" | "exit" | "quit;" | "exit;" => Typed::Quit,
        _ => {
            let all = statements(text).0;
            match all.is_empty() {
                true => Typed::Nothing,
                false => Typed::Statements(all),
            }
        }
    }
}

/// Whether nothing more is to be typed: a command is one line, a statement ends with a semicolon.
pub(super) fn is_complete(text: &str) -> bool {
    let trimmed = text.trim();
    trimmed.is_empty()
        || trimmed.starts_with('\\')
        || matches!(trimmed, "quit" | "exit")
        || statements(trimmed).1
}

/// The statements of a text, and whether the last one has ended.
fn statements(text: &str) -> (Vec<String>, bool) {
    let mut all = Vec::new();
    let mut statement = String::new();
    let mut within = Within::Plain;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        if within == Within::Plain && letter == ';' {
            all.push(std::mem::take(&mut statement));
            continue;
        }
        statement.push(letter);
        let (then, both) = within.after(letter, next);
        within = then;
        if both && let Some(letter) = letters.next() {
            statement.push(letter);
        }
    }
    let ended = within == Within::Plain && statement.trim().is_empty();
    all.push(statement);
    all.retain(|statement| !statement.trim().is_empty());
    (all, ended)
}

/// Where in a statement a semicolon would stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Plain,
    Quotes(char),
    Line,
    /// So many comments in comments.
    Comment(u32),
}

impl Within {
    /// Where the text is after a letter; true where the next letter belongs to it.
    fn after(self, letter: char, next: Option<char>) -> (Self, bool) {
        match (self, letter, next) {
            (Self::Plain, '\'' | '"', _) => (Self::Quotes(letter), false),
            (Self::Plain, '-', Some('-')) => (Self::Line, true),
            (Self::Plain, '/', Some('*')) => (Self::Comment(1), true),
            (Self::Quotes(quote), _, _) if letter == quote => (Self::Plain, false),
            (Self::Line, '\n', _) => (Self::Plain, false),
            (Self::Comment(depth), '/', Some('*')) => (Self::Comment(depth + 1), true),
            (Self::Comment(1), '*', Some('/')) => (Self::Plain, true),
            (Self::Comment(depth), '*', Some('/')) => (Self::Comment(depth - 1), true),
            _ => (self, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_at_a_semicolon_that_is_in_no_text_name_or_comment() {
        for text in [
            "",
            "\\d",
            "exit",
            "SELECT 1;",
            "SELECT ';' AS \"a;\";  ",
            "SELECT 1; -- not; yet\nSELECT 2;",
            "SELECT 1 /* ; /* ; */ */ ;",
            "SELECT 'it''s';",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT ';",
            "SELECT \"a;",
            "SELECT 1 -- ;",
            "SELECT /* /* */ ;",
            "SELECT 1; SELECT 2",
            "SELECT 'it''s;",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }

    #[test]
    fn commands_and_statements_are_told_apart() {
        let several =
            |all: &[&str]| Typed::Statements(all.iter().map(|one| (*one).to_owned()).collect());
        for (text, typed) in [
            ("\\q", Typed::Quit),
            (" \\d ", Typed::Describe(None)),
            (
                "\\d orders.v1;",
                Typed::Describe(Some("orders.v1".to_owned())),
            ),
            ("\\timing", Typed::Timing),
            ("\\?", Typed::Help),
            ("\\x", Typed::Unknown("\\x".to_owned())),
            (";", Typed::Nothing),
            (
                "SELECT 1; SELECT ';';",
                several(&["SELECT 1", " SELECT ';'"]),
            ),
        ] {
            assert_eq!(read(text), typed, "{text}");
        }
    }
}
