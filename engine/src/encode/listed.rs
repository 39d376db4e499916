//! What is inside of lists, leaf by leaf: repetition and definition levels as the Parquet
//! specification has them (after Dremel, Melnik 2010), and where the values are.
//!
//! A row's first entry repeats nothing; each further element repeats the list that it continues. A
//! list that is null or empty is an entry without a value, as is a null on any level.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};

use super::history::History;
use super::levels::{Nodes, Run};
use super::pieces::Unit;
use super::{fixed, is_text};
use crate::error::{Error, Result};
use crate::schema::bind_array;

/// Whether each leaf of the type is one that `text` or `fixed` writes.
pub(super) fn is_ours(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().all(|field| is_ours(field.data_type())),
        DataType::List(element) => is_ours(element.data_type()),
        leaf => is_text(leaf) || fixed::is_fixed(leaf),
    }
}

/// The pieces of a unit as arrays of the file's type.
///
/// # Errors
/// `Internal` when a piece doesn't fit it.
pub(super) fn bound(unit: &Unit) -> Result<Vec<ArrayRef>> {
    let field = unit
        .field()
        .ok_or_else(|| Error::internal("a column without a path"))?;
    let pieces = unit.pieces.iter();
    pieces
        .map(|piece| bind_array(&piece.array, field))
        .collect()
}

/// The leaves of a unit, in the order of its Parquet columns. `bound` is the unit's own.
pub(super) fn leaves<'a>(unit: &'a Unit, bound: &'a [ArrayRef]) -> Vec<Listed<'a>> {
    let Some(field) = unit.field() else {
        return Vec::new();
    };
    let mut leaves: Vec<Listed<'a>> = Vec::new();
    data_types(field.data_type(), &mut |data_type| {
        leaves.push(Listed {
            data_type,
            pieces: Vec::new(),
            around: &unit.around,
        });
    });
    for (piece, array) in unit.pieces.iter().zip(bound) {
        let mut paths = Vec::new();
        descend(field, array, &mut Vec::new(), &mut paths);
        for (leaf, path) in leaves.iter_mut().zip(paths) {
            leaf.pieces.push(Piece {
                rows: &piece.rows,
                above: &piece.above,
                path,
            });
        }
    }
    leaves
}

fn data_types<'a>(data_type: &'a DataType, each: &mut impl FnMut(&'a DataType)) {
    match data_type {
        DataType::Struct(fields) => {
            fields
                .iter()
                .for_each(|field| data_types(field.data_type(), each));
        }
        DataType::List(element) => data_types(element.data_type(), each),
        leaf => each(leaf),
    }
}

/// One leaf inside of lists.
pub(super) struct Listed<'a> {
    pub(super) data_type: &'a DataType,
    pieces: Vec<Piece<'a>>,
    /// What the rows between the pieces have.
    around: &'a History,
}

struct Piece<'a> {
    rows: &'a Range<usize>,
    above: &'a Nodes,
    path: Path<'a>,
}

/// From the unit's own array down to the leaf.
struct Path<'a> {
    steps: Vec<Step<'a>>,
    nullable: bool,
    leaf: &'a ArrayRef,
}

/// An array on the way that has a level of its own.
#[derive(Clone)]
enum Step<'a> {
    /// A struct that may be null.
    Struct(Option<&'a NullBuffer>),
    List {
        nullable: bool,
        nulls: Option<&'a NullBuffer>,
        offsets: &'a [i32],
    },
}

fn descend<'a>(
    field: &Field,
    array: &'a ArrayRef,
    steps: &mut Vec<Step<'a>>,
    paths: &mut Vec<Path<'a>>,
) {
    let depth = steps.len();
    if let Some(list) = array.as_list_opt::<i32>() {
        steps.push(Step::List {
            nullable: field.is_nullable(),
            nulls: list.nulls(),
            offsets: list.value_offsets(),
        });
        if let DataType::List(element) = field.data_type() {
            descend(element, list.values(), steps, paths);
        }
    } else if let Some(object) = array.as_struct_opt() {
        if field.is_nullable() {
            steps.push(Step::Struct(object.nulls()));
        }
        if let DataType::Struct(fields) = field.data_type() {
            for (field, array) in fields.iter().zip(object.columns()) {
                descend(field, array, steps, paths);
            }
        }
    } else {
        paths.push(Path {
            steps: steps.clone(),
            nullable: field.is_nullable(),
            leaf: array,
        });
    }
    steps.truncate(depth);
}

/// Entries with the same levels, and the first one's place in the leaf's array.
struct Entries {
    run: Run,
    first: usize,
}

impl<'a> Listed<'a> {
    /// As [`super::leaf::Leaf::each_run`].
    pub(super) fn each_run<E>(
        &self,
        top: u32,
        mut take: impl FnMut(Run, Option<(&'a ArrayRef, Range<usize>)>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut above, mut entries) = (Vec::new(), Vec::new());
        let mut end = 0;
        for Piece {
            rows,
            above: nodes,
            path,
        } in &self.pieces
        {
            for run in self.around.lacking(end..rows.start) {
                take(run, None)?;
            }
            end = rows.end;
            nodes.runs(None, rows.len(), &mut above);
            let mut row = 0;
            for &run in &above {
                let rows = row..row + run.rows;
                row = rows.end;
                if run.level != nodes.optional() {
                    take(run, None)?;
                    continue;
                }
                entries.clear();
                for row in rows {
                    path.entry(0, row, Run { rows: 1, ..run }, 0, &mut entries);
                }
                for Entries { run, first } in &entries {
                    let values = (run.level == top).then(|| (path.leaf, *first..first + run.rows));
                    take(*run, values)?;
                }
            }
        }
        for run in self.around.lacking(end..self.around.rows()) {
            take(run, None)?;
        }
        Ok(())
    }
}

impl Path<'_> {
    /// Adds the entries of what `steps[at]` has at `index`. `run` has the levels so far, `lists`
    /// says how many lists are around it.
    fn entry(&self, at: usize, index: usize, run: Run, lists: u32, out: &mut Vec<Entries>) {
        let one_more = |run: Run| Run {
            level: run.level + 1,
            ..run
        };
        match self.steps.get(at) {
            None => {
                let there = self.nullable && self.leaf.is_valid(index);
                push(out, if there { one_more(run) } else { run }, index);
            }
            Some(Step::Struct(nulls)) => {
                if nulls.is_some_and(|nulls| nulls.is_null(index)) {
                    push(out, run, index);
                } else {
                    self.entry(at + 1, index, one_more(run), lists, out);
                }
            }
            Some(Step::List {
                nullable,
                nulls,
                offsets,
            }) => {
                if nulls.is_some_and(|nulls| nulls.is_null(index)) {
                    return push(out, run, index);
                }
                let run = if *nullable { one_more(run) } else { run };
                let ends = offsets.get(index..index + 2).unwrap_or_default();
                let &[begin, end] = ends else {
                    return push(out, run, index);
                };
                if begin == end {
                    return push(out, run, index);
                }
                let mut element = one_more(run);
                for index in begin as usize..end as usize {
                    self.entry(at + 1, index, element, lists + 1, out);
                    element.repetition = lists + 1;
                }
            }
        }
    }
}

/// Adds an entry, to the last ones if it continues them.
fn push(entries: &mut Vec<Entries>, run: Run, index: usize) {
    match entries.last_mut() {
        Some(last)
            if last.run.level == run.level
                && last.run.repetition == run.repetition
                && last.first + last.run.rows == index =>
        {
            last.run.rows += 1;
        }
        _ => entries.push(Entries { run, first: index }),
    }
}
