//! What the values at one place are, seen one after the other.

use std::collections::HashMap;

use crate::value::Value;

/// Members that an object may have at one place: beyond it they are data, and a record of them
/// would have a field for each in every row.
pub(super) const MEMBERS_MOST: usize = 1_000;

/// Digits that the narrowest readers take.
pub(super) const DIGITS_MOST: u32 = 38;

/// Integers up to here are doubles without loss.
const EXACT: u128 = 1 << 53;

/// What the values at one place are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Kinds {
    pub(super) null: bool,
    pub(super) boolean: bool,
    /// Integers of 64 bits.
    pub(super) long: bool,
    /// Some of them are no doubles.
    pub(super) wide: bool,
    pub(super) double: bool,
    /// Text, and what no other type holds.
    pub(super) text: bool,
    pub(super) bytes: bool,
    pub(super) date: bool,
    pub(super) moment: bool,
    /// Some of them lie between two milliseconds.
    pub(super) fine: bool,
    /// The most digits before the point and behind it.
    pub(super) decimal: Option<(u32, u32)>,
    /// What the elements of lists are.
    pub(super) list: Option<Box<Kinds>>,
    pub(super) object: Option<Box<Members>>,
}

/// What the members of objects are, by the order in which they were first seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Members {
    pub(super) named: Vec<(String, Kinds)>,
    places: HashMap<String, usize>,
    /// There are too many names: what all of them are.
    pub(super) any: Option<Kinds>,
}

impl Kinds {
    /// Looks at one more value.
    pub(super) fn see(&mut self, value: &Value) {
        match value {
            Value::Null => self.null = true,
            Value::Boolean(_) => self.boolean = true,
            Value::Integer(number) => match i64::try_from(*number) {
                Ok(_) => {
                    self.long = true;
                    self.wide |= number.unsigned_abs() > EXACT;
                }
                Err(_) => self.text = true,
            },
            Value::Double(_) => self.double = true,
            Value::Decimal { unscaled, scale } => {
                let scale = u32::from(*scale);
                let digits = unscaled
                    .unsigned_abs()
                    .checked_ilog10()
                    .map_or(1, |log| log + 1);
                self.decimal(digits.saturating_sub(scale), scale);
            }
            Value::Text(_) | Value::Raw(_) => self.text = true,
            Value::Binary(_) => self.bytes = true,
            Value::Timestamp(us) => {
                self.moment = true;
                self.fine |= us % 1_000 != 0;
            }
            Value::Date(_) => self.date = true,
            Value::List(elements) => {
                let kinds = self.list.get_or_insert_default();
                elements.iter().for_each(|element| kinds.see(element));
            }
            Value::Object(members) => {
                let kinds = self.object.get_or_insert_default();
                members
                    .iter()
                    .for_each(|(name, value)| kinds.at(name).see(value));
            }
        }
    }

    fn decimal(&mut self, whole: u32, scale: u32) {
        let (most, finest) = self.decimal.unwrap_or_default();
        self.decimal = Some((most.max(whole), finest.max(scale)));
    }

    /// Takes over what another place has.
    fn join(&mut self, other: &Self) {
        self.null |= other.null;
        self.boolean |= other.boolean;
        self.long |= other.long;
        self.wide |= other.wide;
        self.double |= other.double;
        self.text |= other.text;
        self.bytes |= other.bytes;
        self.date |= other.date;
        self.moment |= other.moment;
        self.fine |= other.fine;
        if let Some((whole, scale)) = other.decimal {
            self.decimal(whole, scale);
        }
        if let Some(list) = &other.list {
            self.list.get_or_insert_default().join(list);
        }
        if let Some(object) = &other.object {
            let own = self.object.get_or_insert_default();
            for (name, kinds) in &object.named {
                own.at(name).join(kinds);
            }
            if let Some(any) = &object.any {
                own.any().join(any);
            }
        }
    }
}

impl Members {
    fn at(&mut self, name: &str) -> &mut Kinds {
        if self.any.is_some()
            || (self.named.len() >= MEMBERS_MOST && !self.places.contains_key(name))
        {
            return self.any();
        }
        let next = self.named.len();
        let at = match self.places.get(name) {
            Some(at) => *at,
            None => {
                self.places.insert(name.to_owned(), next);
                self.named.push((name.to_owned(), Kinds::default()));
                next
            }
        };
        match self.named.get_mut(at) {
            Some((_, kinds)) => kinds,
            // It was just put there.
            None => self.any.get_or_insert_default(),
        }
    }

    /// What all members are, from now on.
    fn any(&mut self) -> &mut Kinds {
        if self.any.is_none() {
            let mut any = Kinds::default();
            self.named.iter().for_each(|(_, kinds)| any.join(kinds));
            self.any = Some(any);
            self.named = Vec::new();
            self.places = HashMap::new();
        }
        self.any.get_or_insert_default()
    }
}
