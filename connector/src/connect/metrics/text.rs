//! Prometheus' text format: families of samples, each with its type and what it means.

use std::fmt::Write as _;

/// What a family's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows, until the process starts anew.
    Counter,
    Gauge,
}

/// Text that is being made.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    /// A family with its samples, each of labels and a value; nothing without samples.
    pub(crate) fn family<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<(&'a str, String)>, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let word = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Text into a string never fails.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {word}");
        for (labels, value) in samples {
            self.0.push_str(name);
            for (at, (label, value)) in labels.iter().enumerate() {
                let before = if at == 0 { '{' } else { ',' };
                let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(value));
            }
            let after = if labels.is_empty() { "" } else { "}" };
            let _ = writeln!(self.0, "{after} {value}");
        }
    }

    /// All of it.
    pub(crate) fn done(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_its_meaning_its_type_and_a_line_per_sample() {
        let mut text = Text::default();
        let labels = vec![("a", "x".to_owned()), ("b", "q\"\\\n".to_owned())];
        text.family("f", Kind::Gauge, "What it is.", [(labels, 0.5)]);
        text.family("g", Kind::Counter, "Of all.", [(Vec::new(), 3.0)]);
        text.family("h", Kind::Gauge, "Nothing.", []);
        let wanted = "# HELP f What it is.\n# TYPE f gauge\nf{a=\"x\",b=\"q\\\"\\\\\\n\"} 0.5\n\
                      # HELP g Of all.\n# TYPE g counter\ng 3\n";
        assert_eq!(text.done(), wanted);
    }
}
