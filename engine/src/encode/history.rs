//! What a row group's rows have of one struct, row after row: what all columns in it share where
//! they are missing, so that a column costs what it has, and nothing for what it lacks.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use super::levels::{Nodes, Run};

/// Rows of a batch, or of several that have the structs alike.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    /// Within the row group.
    pub(super) rows: Range<usize>,
    /// The structs that the batch has, from the root to the innermost.
    pub(super) nodes: Rc<Nodes>,
}

/// The rows of a row group, seen from within one struct.
#[derive(Debug, Default)]
pub(super) struct History {
    stretches: Vec<Stretch>,
    /// The levels of rows without a column of the struct, each with the row behind it.
    lacking: OnceCell<Vec<(usize, u32)>>,
}

impl History {
    /// Adds rows. Where `nodes` have nulls, they are a batch's own.
    pub(super) fn push(&mut self, rows: usize, nodes: &Rc<Nodes>) {
        let begin = self.rows();
        match self.stretches.last_mut() {
            Some(last) if last.nodes.is_alike(nodes) => last.rows.end += rows,
            _ => self.stretches.push(Stretch {
                rows: begin..begin + rows,
                nodes: Rc::clone(nodes),
            }),
        }
    }

    /// The rows so far.
    pub(super) fn rows(&self) -> usize {
        self.stretches.last().map_or(0, |last| last.rows.end)
    }

    /// The stretches of some rows, which begin and end with a batch.
    pub(super) fn between(&self, rows: Range<usize>) -> impl Iterator<Item = Stretch> {
        let first = self
            .stretches
            .partition_point(|stretch| stretch.rows.end <= rows.start);
        let found = self.stretches.iter().skip(first);
        found
            .take_while(move |stretch| stretch.rows.start < rows.end)
            .map(move |stretch| Stretch {
                rows: stretch.rows.start.max(rows.start)..stretch.rows.end.min(rows.end),
                nodes: Rc::clone(&stretch.nodes),
            })
    }

    /// The runs of rows that lack a column of the struct; they begin and end with a batch.
    pub(super) fn lacking(&self, rows: Range<usize>) -> impl Iterator<Item = Run> {
        let all: &[(usize, u32)] = match rows.is_empty() {
            true => &[],
            false => self.lacking.get_or_init(|| self.levels()),
        };
        let first = all.partition_point(|(end, _)| *end <= rows.start);
        let mut begin = rows.start;
        all.iter().skip(first).map_while(move |&(end, level)| {
            let end = end.min(rows.end);
            let run = Run {
                level,
                repetition: 0,
                rows: end.checked_sub(begin).filter(|rows| *rows > 0)?,
            };
            begin = end;
            Some(run)
        })
    }

    fn levels(&self) -> Vec<(usize, u32)> {
        let (mut levels, mut runs) = (Vec::<(usize, u32)>::new(), Vec::new());
        for Stretch { rows, nodes } in &self.stretches {
            nodes.runs(None, rows.len(), &mut runs);
            let mut end = rows.start;
            for run in &runs {
                end += run.rows;
                match levels.last_mut() {
                    Some((last, level)) if *level == run.level => *last = end,
                    _ => levels.push((end, run.level)),
                }
            }
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use arrow::buffer::NullBuffer;

    use super::*;

    #[test]
    fn rows_that_lack_a_column_have_the_levels_of_their_own_batch() {
        let mut history = History::default();
        let (mut expected, mut ends) = (Vec::new(), vec![0]);
        for batch in 0..40_usize {
            let rows = 1 + batch * 7 % 20;
            let valid: Vec<bool> = (0..rows).map(|row| (row / 2 + batch) % 3 > 0).collect();
            let nulls = NullBuffer::from(valid.clone());
            let root = Nodes::default();
            let (nodes, levels) = match batch / 3 % 3 {
                0 => (root, vec![0; rows]),
                1 => (root.with(true, None), vec![1; rows]),
                _ => (
                    root.with(true, Some(&nulls)),
                    valid.into_iter().map(u32::from).collect(),
                ),
            };
            history.push(rows, &Rc::new(nodes));
            expected.extend(levels);
            ends.push(history.rows());
        }
        for (at, &begin) in ends.iter().enumerate() {
            for &end in ends.iter().skip(at) {
                let runs = history.lacking(begin..end);
                let found: Vec<u32> = runs
                    .flat_map(|run| std::iter::repeat_n(run.level, run.rows))
                    .collect();
                assert_eq!(found, expected[begin..end], "{begin}..{end}");
                let stretches = history.between(begin..end);
                let reached = stretches.fold(begin, |reached, stretch| {
                    assert_eq!(stretch.rows.start, reached);
                    stretch.rows.end
                });
                assert_eq!(reached, end);
            }
        }
    }
}
