//! One key of a table: what it is called, what it takes, what it does. Plain data.

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name, without the prefix under which a connector gives it.
    pub name: &'static str,
    /// What its value is.
    pub kind: Type,
    /// Its value when it isn't given; `None` is Java's null.
    pub default: Option<&'static str>,
    /// It has no default and must be given.
    pub required: bool,
    /// What values it takes.
    pub rule: Rule,
    /// How much it matters.
    pub importance: Importance,
    /// What it does.
    pub documentation: &'static str,
    /// The group in which tools show it.
    pub group: Option<&'static str>,
    /// Its place in the group; -1 without one.
    pub order: i32,
    /// How wide a tool's field for it is.
    pub width: Width,
    /// Its name for people.
    pub title: &'static str,
    /// The keys that only matter depending on this one.
    pub dependents: Vec<&'static str>,
    /// What becomes of it here.
    pub fate: Fate,
}

/// What becomes of a key that another sink's class has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It does what its documentation says.
    Used,
    /// It is accepted and does nothing: there is nothing that it could do, for this reason.
    Ignored(&'static str),
    /// These values are refused: what they ask for isn't there, and nothing else will do. A single
    /// `*` are all values but the default.
    Refused(Vec<&'static str>, &'static str),
}

impl Key {
    /// Why `value` is refused, if what it asks for can't be had.
    pub fn refuses(&self, value: &str) -> Option<&'static str> {
        let Fate::Refused(values, why) = &self.fate else {
            return None;
        };
        let value = value.trim();
        let is_default = value.is_empty() || self.default == Some(value);
        let is_refused = values.iter().any(|refused| {
            *refused == "*" && !is_default || refused.eq_ignore_ascii_case(simple_name(value))
        });
        is_refused.then_some(*why)
    }
}

/// The last part of the name of a class.
pub(crate) fn simple_name(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`, in either case.
    Boolean,
    /// Text, without blanks around.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts with commas between.
    List,
    /// The name of a class.
    Class,
    /// Text that is never shown.
    Password,
}

/// How much a key matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Nobody gets around it.
    High,
    /// Often set.
    Medium,
    /// Rarely set.
    Low,
}

/// How wide a tool's field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Unknown.
    None,
    /// A number.
    Short,
    /// A word.
    Medium,
    /// A sentence.
    Long,
}

/// What values a key takes, beyond its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Any of the type.
    Any,
    /// A number that isn't smaller.
    AtLeast(i64),
    /// A number from the first to the second.
    Between(i64, i64),
    /// One of these words.
    In(Vec<&'static str>),
    /// One of these words, in either case.
    InAnyCase(Vec<&'static str>),
    /// One of these classes, by its full or its simple name.
    Class(Vec<&'static str>),
    /// A Java pattern.
    Regex,
    /// A connector's name: not empty, no control characters.
    Name,
    /// A list that has nothing twice.
    Aliases,
    /// A list that has nothing twice and nothing empty.
    Topics,
}

impl Type {
    /// Connect's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The type that Connect calls `word`.
    pub fn of(word: &str) -> Option<Self> {
        let all = [
            Self::Boolean,
            Self::String,
            Self::Int,
            Self::Short,
            Self::Long,
            Self::Double,
            Self::List,
            Self::Class,
            Self::Password,
        ];
        all.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Importance {
    /// Connect's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }

    /// The importance that Connect calls `word`.
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::High, Self::Medium, Self::Low];
        all.into_iter().find(|all| all.as_str() == word)
    }
}

impl Width {
    /// Connect's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }

    /// The width that Connect calls `word`.
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::None, Self::Short, Self::Medium, Self::Long];
        all.into_iter().find(|width| width.as_str() == word)
    }
}
