//! Strings on the quick way: into the column of strings, or into the one that takes those which are
//! of its kind.

use super::Direct;
use crate::schema::{Kind, detected};
use crate::shred::tape::Token;
use crate::shred::text::plain_end;

impl Direct<'_> {
    /// The string at hand.
    #[inline]
    pub(super) fn string(&mut self, place: u32) -> Option<()> {
        let found = self.tree.places.get(place as usize)?;
        let (usual, detects) = (found.usual, found.detects);
        if let Some((kind, column)) = detects
            && self.detected(kind, column)
        {
            return Some(());
        }
        let column = match usual {
            Some((Token::Text, column)) => column,
            _ => self.column(place, Kind::String)?,
        };
        self.text_into(column)
    }

    /// Takes the string if it is of the kind.
    fn detected(&mut self, kind: Kind, column: u32) -> bool {
        let start = self.at + 1;
        let end = plain_end(self.text, start);
        if self.text.get(end) != Some(&b'"') {
            return false;
        }
        let text = self.text.get(start..end).unwrap_or_default();
        let Some(value) = detected(kind, text) else {
            return false;
        };
        let row = self.row;
        let Some(found) = self.touch(column) else {
            return false;
        };
        let bytes = found.push_detected(row, value);
        self.tree.bytes += bytes;
        self.at = end + 1;
        true
    }
}
