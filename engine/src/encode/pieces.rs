//! What a row group's batches have of each column of the file, found by the columns' identities
//! (P11, P12). The work follows what the batches hold, not what the table holds.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use hashbrown::HashMap;

use super::history::{History, Stretch};
use super::levels::{Nodes, Run};
use crate::error::{Error, Result};
use crate::schema::{Step, step, unreserved};

/// What one batch has of a column.
#[derive(Debug)]
pub(super) struct Piece {
    /// The batch's rows within the row group.
    pub(super) rows: Range<usize>,
    /// The structs around the column.
    pub(super) above: Rc<Nodes>,
    pub(super) array: ArrayRef,
}

/// A field of the file whose values are written by one writer: a leaf, or a list with all that is
/// in it.
#[derive(Debug)]
pub(super) struct Unit {
    /// From the root.
    pub(super) path: Vec<FieldRef>,
    /// In the order of the rows.
    pub(super) pieces: Vec<Piece>,
    /// The struct that it is in, by its number.
    within: usize,
    /// What the rows between the pieces have of that struct.
    pub(super) around: Rc<History>,
}

impl Unit {
    /// The field that has the values; `None` only for an empty path.
    pub(super) fn field(&self) -> Option<&FieldRef> {
        self.path.last()
    }

    /// What its values are.
    pub(super) fn data_type(&self) -> &DataType {
        self.field()
            .map_or(&DataType::Null, |field| field.data_type())
    }

    /// The definition level of a row with a value.
    pub(super) fn top(&self) -> u32 {
        let optional = self.path.iter().filter(|field| field.is_nullable());
        u32::try_from(optional.count()).unwrap_or(u32::MAX)
    }

    /// Hands over the rows in order: runs of one level, and where they have values, these.
    pub(super) fn each_run<'a, E>(
        &'a self,
        mut take: impl FnMut(Run, Option<(&'a ArrayRef, Range<usize>)>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (top, mut runs) = (self.top(), Vec::new());
        let nullable = self.field().is_some_and(|field| field.is_nullable());
        let mut end = 0;
        for piece in &self.pieces {
            for run in self.around.lacking(end..piece.rows.start) {
                take(run, None)?;
            }
            end = piece.rows.end;
            let leaf = (nullable, piece.array.nulls());
            piece.above.runs(Some(leaf), piece.rows.len(), &mut runs);
            let mut begin = 0;
            for &run in &runs {
                let rows = begin..begin + run.rows;
                begin = rows.end;
                take(run, (run.level == top).then_some((&piece.array, rows)))?;
            }
        }
        for run in self.around.lacking(end..self.around.rows()) {
            take(run, None)?;
        }
        Ok(())
    }

    /// The rows in order, batch by batch: the structs around the column, and its array, where the
    /// batch has it. Neighbours that lack it alike are one.
    pub(super) fn stretches(&self) -> Vec<(Stretch, Option<&ArrayRef>)> {
        let (mut found, mut end) = (Vec::new(), 0);
        for piece in &self.pieces {
            let between = self.around.between(end..piece.rows.start);
            found.extend(between.map(|stretch| (stretch, None)));
            let stretch = Stretch {
                rows: piece.rows.clone(),
                nodes: Rc::clone(&piece.above),
            };
            found.push((stretch, Some(&piece.array)));
            end = piece.rows.end;
        }
        let between = self.around.between(end..self.around.rows());
        found.extend(between.map(|stretch| (stretch, None)));
        found
    }
}

/// The units of a file, in the order of its Parquet columns.
pub(super) struct Units<'a> {
    pub(super) units: Vec<Unit>,
    root: Struct<'a>,
    /// Of each struct by its number, the struct around it; the root is 0 and has none.
    around: Vec<usize>,
}

/// A struct of the file, or its root.
struct Struct<'a> {
    number: usize,
    members: Vec<Member<'a>>,
    by_step: HashMap<Step<'a>, usize>,
    /// Batches share most of their fields, so each is looked up by its identity once. The batches
    /// live as long as this, so an address never comes to mean another field.
    by_address: HashMap<*const Field, usize>,
}

struct Member<'a> {
    nullable: bool,
    kind: MemberKind<'a>,
}

enum MemberKind<'a> {
    Unit(usize),
    Struct(Struct<'a>),
}

impl<'a> Units<'a> {
    /// The units of a file with this schema, without rows.
    pub(super) fn of(schema: &'a Schema) -> Self {
        let mut found = Self {
            units: Vec::new(),
            root: Struct::default(),
            around: vec![0],
        };
        found.root = found.members(schema.fields(), 0, &mut Vec::new());
        found
    }

    fn members(
        &mut self,
        fields: &'a Fields,
        number: usize,
        path: &mut Vec<FieldRef>,
    ) -> Struct<'a> {
        let mut members = Vec::with_capacity(fields.len());
        for field in fields {
            path.push(FieldRef::clone(field));
            let kind = if let DataType::Struct(fields) = field.data_type() {
                self.around.push(number);
                let number = self.around.len() - 1;
                MemberKind::Struct(self.members(fields, number, path))
            } else {
                self.units.push(Unit {
                    path: path.clone(),
                    pieces: Vec::new(),
                    within: number,
                    around: Rc::default(),
                });
                MemberKind::Unit(self.units.len() - 1)
            };
            path.pop();
            members.push(Member {
                nullable: field.is_nullable(),
                kind,
            });
        }
        let steps = fields.iter().enumerate();
        Struct {
            number,
            members,
            by_step: steps.map(|(at, field)| (step(field), at)).collect(),
            by_address: HashMap::new(),
        }
    }

    /// Replaces the pieces by those of `batches`; every unit covers all of their rows.
    ///
    /// # Errors
    /// `Internal` when a batch has a column that the file lacks, or has with another type.
    pub(super) fn gather(&mut self, batches: &'a [RecordBatch]) -> Result<()> {
        for unit in &mut self.units {
            unit.pieces.clear();
        }
        let mut gather = Gather {
            units: &mut self.units,
            histories: self.around.iter().map(|_| History::default()).collect(),
            rows: 0..0,
        };
        let outside = Rc::default();
        for batch in batches {
            gather.rows = gather.rows.end..gather.rows.end + batch.num_rows();
            let root = gather.histories.first_mut().ok_or_else(lost)?;
            root.push(gather.rows.len(), &outside);
            let fields = batch.schema_ref().fields();
            gather.take(&mut self.root, fields, batch.columns(), &outside)?;
        }
        let (end, mut histories) = (gather.rows.end, gather.histories);
        for (number, &around) in self.around.iter().enumerate().skip(1) {
            skip_to(&mut histories, number, around, end)?;
        }
        let histories: Vec<Rc<History>> = histories.into_iter().map(Rc::new).collect();
        for unit in &mut self.units {
            let around = histories.get(unit.within).ok_or_else(lost)?;
            unit.around = Rc::clone(around);
        }
        Ok(())
    }
}

/// Rows up to `end` lack the struct with the number: of what is around it they have what they
/// have.
fn skip_to(histories: &mut [History], number: usize, around: usize, end: usize) -> Result<()> {
    // Structs are numbered from the outside.
    let (outer, inner) = histories.split_at_mut_checked(number).ok_or_else(lost)?;
    let (outer, inner) = (outer.get(around), inner.first_mut());
    let (outer, inner) = outer.zip(inner).ok_or_else(lost)?;
    for stretch in outer.between(inner.rows()..end) {
        inner.push(stretch.rows.len(), &stretch.nodes);
    }
    Ok(())
}

impl Default for Struct<'_> {
    fn default() -> Self {
        Self {
            number: 0,
            members: Vec::new(),
            by_step: HashMap::new(),
            by_address: HashMap::new(),
        }
    }
}

impl<'a> Struct<'a> {
    fn member(&mut self, field: &'a FieldRef) -> Result<&mut Member<'a>> {
        let address = Arc::as_ptr(field);
        let at = match self.by_address.get(&address) {
            Some(&at) => at,
            None => {
                let at = *self
                    .by_step
                    .get(&step(field))
                    .ok_or_else(|| unreserved(field))?;
                self.by_address.insert(address, at);
                at
            }
        };
        self.members.get_mut(at).ok_or_else(lost)
    }
}

/// The batch that is being gathered.
struct Gather<'u> {
    units: &'u mut Vec<Unit>,
    /// Of each struct, what the rows so far have of it.
    histories: Vec<History>,
    /// The batch's rows within the row group.
    rows: Range<usize>,
}

impl Gather<'_> {
    fn take<'a>(
        &mut self,
        file: &mut Struct<'a>,
        fields: &'a Fields,
        columns: &'a [ArrayRef],
        above: &Rc<Nodes>,
    ) -> Result<()> {
        let around = file.number;
        for (field, array) in fields.iter().zip(columns) {
            let member = file.member(field)?;
            match (&mut member.kind, array.data_type()) {
                (MemberKind::Unit(unit), _) => {
                    let unit = self.units.get_mut(*unit).ok_or_else(lost)?;
                    unit.pieces.push(Piece {
                        rows: self.rows.clone(),
                        above: Rc::clone(above),
                        array: ArrayRef::clone(array),
                    });
                }
                (MemberKind::Struct(file), DataType::Struct(fields)) => {
                    let array = array.as_struct();
                    let nodes = Rc::new(above.with(member.nullable, array.nulls()));
                    skip_to(&mut self.histories, file.number, around, self.rows.start)?;
                    let history = self.histories.get_mut(file.number).ok_or_else(lost)?;
                    history.push(self.rows.len(), &nodes);
                    self.take(file, fields, array.columns(), &nodes)?;
                }
                (MemberKind::Struct(_), found) => {
                    return Err(Error::internal(format!(
                        "column `{}` is a struct in the file and `{found}` in the batch",
                        field.name()
                    )));
                }
            }
        }
        Ok(())
    }
}

fn lost() -> Error {
    Error::internal("a column of the file has no place")
}
