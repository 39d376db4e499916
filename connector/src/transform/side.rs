//! Which part of a record a transform works on: its key or its value.

use crate::data::{ConnectRecord, Datum};

/// The part that `$Key` or `$Value` at the end of a class's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Key,
    Value,
}

impl Side {
    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }

    pub(super) fn of(self, record: &ConnectRecord) -> &Datum {
        match self {
            Self::Key => &record.key,
            Self::Value => &record.value,
        }
    }

    pub(super) fn of_mut(self, record: &mut ConnectRecord) -> &mut Datum {
        match self {
            Self::Key => &mut record.key,
            Self::Value => &mut record.value,
        }
    }

    /// Takes the part out; the record has null in its place.
    pub(super) fn take(self, record: &mut ConnectRecord) -> Datum {
        std::mem::replace(self.of_mut(record), Datum::null())
    }

    /// Changes the part with `change`, and nothing else of the record.
    pub(super) fn change<E>(
        self,
        mut record: ConnectRecord,
        change: impl FnOnce(Datum) -> Result<Datum, E>,
    ) -> Result<Option<ConnectRecord>, E> {
        let datum = self.take(&mut record);
        *self.of_mut(&mut record) = change(datum)?;
        Ok(Some(record))
    }
}
