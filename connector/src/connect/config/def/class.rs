//! A class that a configuration may name, with its keys.

use super::key::Key;

/// A class and its table.
#[derive(Debug, Clone)]
pub struct Class {
    /// Its full name.
    pub name: String,
    /// What it can be used as; none for tables that belong to no class.
    pub kinds: Vec<Kind>,
    /// One line for the manual.
    pub about: &'static str,
    /// Its keys, in the order of the manual.
    pub keys: Vec<Key>,
}

/// What a class can be used as, in the order in which Connect lists plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A sink connector.
    Sink,
    /// A transform.
    Transformation,
    /// A predicate of transforms.
    Predicate,
    /// A converter of keys and values.
    Converter,
    /// A converter of headers.
    HeaderConverter,
}

impl Kind {
    /// All kinds, in the order in which people read of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Sink,
        Self::Converter,
        Self::HeaderConverter,
        Self::Transformation,
        Self::Predicate,
    ];

    /// Connect's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Transformation => "transformation",
            Self::Predicate => "predicate",
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
        }
    }

    /// The kind that Connect calls `word`.
    pub fn of(word: &str) -> Option<Self> {
        let all = [
            Self::Sink,
            Self::Transformation,
            Self::Predicate,
            Self::Converter,
            Self::HeaderConverter,
        ];
        all.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The interface of Java that such a class implements.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Sink => "Connector",
            Self::Transformation => "Transformation",
            Self::Predicate => "Predicate",
            Self::Converter => "Converter",
            Self::HeaderConverter => "HeaderConverter",
        }
    }

    /// What an alias leaves out of the simple name.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Sink => &["Connector"],
            Self::Transformation => &["Transformation"],
            Self::Predicate => &["Predicate"],
            Self::Converter => &["Converter"],
            Self::HeaderConverter => &["HeaderConverter", "Converter"],
        }
    }
}

impl Class {
    /// Whether it can be used so.
    pub fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The name without its package.
    pub fn simple(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// The key called `name`.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Whether `name` is its simple name or its alias.
    pub(super) fn is_called(&self, kind: Kind, name: &str) -> bool {
        let simple = self.simple();
        let mut short = kind.suffixes().iter();
        simple == name || short.any(|suffix| simple.strip_suffix(suffix) == Some(name))
    }
}
