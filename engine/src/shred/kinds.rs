//! Kinds of rows: sketches that have most of their paths in common.
//!
//! The first sketch of a kind leads it, and whatever is more like it than like any other leader is
//! of its kind. Kinds are in an order in which neighbours are alike too, so that small ones may
//! share a batch. What is found stays for the next rows: nearly all of them have a sketch that came
//! before.

use hashbrown::HashMap;

use super::sketch::Sketch;

/// The share of their common bits from which on two sketches are of one kind.
const LIKE: f32 = 0.6;

/// Kinds at most: beyond, rows join the kind that is most like them.
const KINDS_MOST: usize = 512;

/// Sketches that are remembered from one batch to the next.
const KNOWN_MOST: usize = 16_384;

/// The kinds of the rows so far.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// Each with the number of its bits.
    leaders: Vec<(Sketch, u32)>,
    /// The kinds' numbers, like beside like.
    order: Vec<u32>,
    known: HashMap<Sketch, u32>,
}

impl Kinds {
    /// The number of the sketch's kind.
    pub(super) fn of(&mut self, sketch: Sketch) -> u32 {
        if let Some(&kind) = self.known.get(&sketch) {
            return kind;
        }
        let (ones, nearest) = (sketch.ones(), self.nearest(&sketch));
        let kind = match nearest {
            Some((kind, likeness)) if likeness >= LIKE || self.leaders.len() >= KINDS_MOST => kind,
            _ => self.lead((sketch, ones), nearest.map(|(kind, _)| kind)),
        };
        self.known.insert(sketch, kind);
        kind
    }

    /// Of each kind its place in the order.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut ranks = vec![0; self.order.len()];
        for (rank, &kind) in (0..).zip(&self.order) {
            if let Some(place) = ranks.get_mut(kind as usize) {
                *place = rank;
            }
        }
        ranks
    }

    /// Begins anew where what was found before is in the way of what comes.
    pub(super) fn forget(&mut self) {
        if self.leaders.len() >= KINDS_MOST || self.known.len() > KNOWN_MOST {
            *self = Self::default();
        }
    }

    /// The kind that is most like the sketch, and how much.
    fn nearest(&self, sketch: &Sketch) -> Option<(u32, f32)> {
        let ones = sketch.ones();
        let mut nearest = None;
        for (kind, (leader, other)) in (0..).zip(&self.leaders) {
            let best = nearest.map_or(-1.0, |(_, likeness)| likeness);
            // They can't have more in common than the smaller one has.
            let (few, many) = (ones.min(*other), ones.max(*other));
            if few as f32 <= best * many as f32 {
                continue;
            }
            let common = sketch.common(leader);
            let all = ones + other - common;
            let likeness = common as f32 / all.max(1) as f32;
            if likeness > best {
                nearest = Some((kind, likeness));
            }
        }
        nearest
    }

    /// A new kind, behind the one that is most like it.
    fn lead(&mut self, leader: (Sketch, u32), nearest: Option<u32>) -> u32 {
        let kind = self.leaders.len() as u32;
        self.leaders.push(leader);
        let place = self.order.iter().position(|&other| Some(other) == nearest);
        self.order
            .insert(place.map_or(self.order.len(), |place| place + 1), kind);
        kind
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use crate::shred::sketch::Sketcher;

    /// The sketch of an object with these keys.
    fn sketch(keys: impl Iterator<Item = String>) -> Sketch {
        let members: Vec<String> = keys.map(|key| format!("\"{key}\":1")).collect();
        Sketcher::default().of_text(format!("{{{}}}", members.join(",")).as_bytes())
    }

    fn family(name: &str, keys: std::ops::Range<usize>) -> impl Iterator<Item = String> {
        keys.map(move |key| format!("{name} {key}"))
    }

    #[test]
    fn rows_with_most_keys_in_common_are_of_one_kind_and_like_kinds_are_neighbours() {
        let mut kinds = Kinds::default();
        let first = kinds.of(sketch(family("a", 0..30)));
        let other = kinds.of(sketch(family("b", 0..30)));
        let third = kinds.of(sketch(family("c", 0..30)));
        assert_eq!(kinds.of(sketch(family("a", 1..32))), first);
        assert_eq!(kinds.of(sketch(family("b", 0..28))), other);
        // Half of its keys are the first one's.
        let near = kinds.of(sketch(family("a", 10..30).chain(family("d", 0..20))));
        assert!(![first, other, third].contains(&near));
        let ranks = kinds.ranks();
        assert_eq!(ranks[near as usize], ranks[first as usize] + 1);
        let nothing = kinds.of(Sketch::default());
        assert!(![first, other, third, near].contains(&nothing));
    }

    #[test]
    fn however_many_shapes_there_are_the_kinds_stay_few() {
        let mut kinds = Kinds::default();
        for shape in 0..2 * KINDS_MOST {
            kinds.of(sketch(family(&format!("shape {shape}"), 0..20)));
        }
        assert_eq!(kinds.leaders.len(), KINDS_MOST);
        let mut ranks = kinds.ranks();
        ranks.sort_unstable();
        assert!(ranks.into_iter().eq(0..KINDS_MOST as u32));
        kinds.forget();
        assert!(kinds.leaders.is_empty() && kinds.known.is_empty());
    }
}
