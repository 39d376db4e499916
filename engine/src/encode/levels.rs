//! Definition levels of one column as runs: how many of its path's optional fields a row has.
//!
//! A column that most rows lack is a few runs, whatever the number of rows.

use arrow::buffer::NullBuffer;

/// Entries that follow each other with the same levels; outside of lists each is a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The definition level.
    pub(super) level: u32,
    /// The repetition level: 0 begins a row.
    pub(super) repetition: u32,
    pub(super) rows: usize,
}

/// The structs around a column in one batch, from the root: of each whether it may be null, and its
/// nulls.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    nodes: Vec<(bool, Option<NullBuffer>)>,
    /// Those that may be null.
    optional: u32,
    /// One at least is null somewhere.
    has_nulls: bool,
}

impl Nodes {
    /// The path continued by a struct.
    pub(super) fn with(&self, nullable: bool, nulls: Option<&NullBuffer>) -> Self {
        let mut nodes = Vec::with_capacity(self.nodes.len() + 1);
        nodes.extend_from_slice(&self.nodes);
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        nodes.push((nullable, nulls.cloned()));
        Self {
            nodes,
            optional: self.optional + u32::from(nullable),
            has_nulls: self.has_nulls || nulls.is_some(),
        }
    }

    /// The definition level of a row that has all structs.
    pub(super) fn optional(&self) -> u32 {
        self.optional
    }

    /// Nulls of the structs, outermost first.
    pub(super) fn nulls(&self) -> impl Iterator<Item = Option<&NullBuffer>> {
        self.nodes.iter().map(|(_, nulls)| nulls.as_ref())
    }

    /// All rows of both have the same level.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        !self.has_nulls
            && !other.has_nulls
            && self.optional == other.optional
            && self.nodes.len() == other.nodes.len()
    }

    /// The runs of `rows` rows, in order, neighbours different. `leaf` is the column within the
    /// structs: whether it may be null, and its nulls; `None` where the batch lacks it.
    pub(super) fn runs(
        &self,
        leaf: Option<(bool, Option<&NullBuffer>)>,
        rows: usize,
        runs: &mut Vec<Run>,
    ) {
        runs.clear();
        let leaf_nulls = leaf
            .and_then(|(_, nulls)| nulls)
            .filter(|nulls| nulls.null_count() > 0);
        let top = self.optional + leaf.map_or(0, |(nullable, _)| u32::from(nullable));
        if !self.has_nulls {
            match leaf_nulls {
                None => push(runs, top, rows),
                Some(nulls) => two_levels(self.optional, top, nulls, runs),
            }
            return;
        }
        let mut level = 0;
        let mut chunks = Vec::with_capacity(self.nodes.len() + 1);
        for (nullable, nulls) in &self.nodes {
            chunks.extend(
                nulls
                    .as_ref()
                    .map(|nulls| (level, nulls.inner().bit_chunks())),
            );
            level += u32::from(*nullable);
        }
        chunks.extend(leaf_nulls.map(|nulls| (level, nulls.inner().bit_chunks())));
        let words = chunks
            .iter()
            .map(|(level, chunks)| (*level, chunks.iter_padded()));
        let mut words: Vec<_> = words.collect();
        let mut left = rows;
        while left > 0 {
            let count = left.min(64);
            left -= count;
            word(&mut words, top, count, runs);
        }
    }
}

/// The runs where only the column itself has nulls.
fn two_levels(null: u32, top: u32, nulls: &NullBuffer, runs: &mut Vec<Run>) {
    let mut end = 0;
    for (from, to) in nulls.valid_slices() {
        push(runs, null, from - end);
        push(runs, top, to - from);
        end = to;
    }
    push(runs, null, nulls.len() - end);
}

/// The runs of up to 64 rows.
fn word(
    words: &mut [(u32, impl Iterator<Item = u64>)],
    top: u32,
    count: usize,
    runs: &mut Vec<Run>,
) {
    let every = u64::MAX >> (64 - count);
    // Rows that have all fields so far, and the levels of those that drop out.
    let mut whole = every;
    let mut dropped = [(0, 0_u64); 8];
    let mut drops = 0;
    let mut deep = None;
    for (level, words) in words {
        let valid = words.next().unwrap_or(0);
        let lacking = whole & !valid;
        whole &= valid;
        if lacking == 0 {
            continue;
        }
        match dropped.get_mut(drops) {
            Some(slot) => *slot = (*level, lacking),
            None => deep.get_or_insert_with(Vec::new).push((*level, lacking)),
        }
        drops += 1;
    }
    if whole == every {
        push(runs, top, count);
        return;
    }
    let shallow = dropped.get(..drops.min(8)).unwrap_or_default();
    let dropped = || shallow.iter().chain(deep.iter().flatten());
    let mut at = 0;
    while at < count {
        let bit = 1_u64 << at;
        let (level, mask) = if whole & bit != 0 {
            (top, whole)
        } else {
            let found = dropped().find(|(_, lacking)| lacking & bit != 0);
            found.copied().unwrap_or((top, every))
        };
        let same = (!(mask >> at)).trailing_zeros() as usize;
        let rows = same.clamp(1, count - at);
        push(runs, level, rows);
        at += rows;
    }
}

/// Adds rows, to the last run if it is of the same level.
pub(super) fn push(runs: &mut Vec<Run>, level: u32, rows: usize) {
    match runs.last_mut() {
        Some(last) if last.level == level => last.rows += rows,
        _ if rows > 0 => runs.push(Run {
            level,
            repetition: 0,
            rows,
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By definition: the optional fields before the first one that the row lacks.
    fn level(path: &[(bool, Option<NullBuffer>)], row: usize) -> u32 {
        let has =
            |nulls: &Option<NullBuffer>| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let path = path.iter().take_while(|(_, nulls)| has(nulls));
        path.map(|(nullable, _)| u32::from(*nullable)).sum()
    }

    #[test]
    fn runs_say_of_each_row_how_much_of_the_path_it_has() {
        for seed in 0..200_usize {
            let rows = 1 + seed * 7 % 300;
            let (mut nodes, mut path) = (Nodes::default(), Vec::new());
            for depth in 0..seed % 12 {
                let nulls =
                    (0..rows).map(|row| (row / (1 + seed % 70) * 31 + depth * seed) % 5 > 0);
                let nulls: NullBuffer = nulls.collect::<Vec<_>>().into();
                let nullable = (seed + depth) % 4 > 0;
                let nulls = Some(nulls).filter(|_| nullable && seed % 3 > 0);
                nodes = nodes.with(nullable, nulls.as_ref());
                path.push((nullable, nulls));
            }
            let nulls: NullBuffer = (0..rows)
                .map(|row| row * seed % 7 > 2)
                .collect::<Vec<_>>()
                .into();
            let leaf = (seed % 4 > 0).then_some((true, Some(nulls).filter(|_| seed % 4 > 1)));
            path.extend(leaf.clone());
            let mut runs = Vec::new();
            let leaf = leaf
                .as_ref()
                .map(|(nullable, nulls)| (*nullable, nulls.as_ref()));
            nodes.runs(leaf, rows, &mut runs);
            let levels: Vec<u32> = runs
                .iter()
                .flat_map(|run| std::iter::repeat_n(run.level, run.rows))
                .collect();
            let expected: Vec<u32> = (0..rows).map(|row| level(&path, row)).collect();
            assert_eq!(levels, expected);
            assert!(runs.array_windows().all(|[a, b]| a.level != b.level));
        }
    }
}
