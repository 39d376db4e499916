//! What a row group's batches have of each column of the file, found by the columns' identities
//! (P11, P12). The work follows what the batches hold, not what the table holds.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use hashbrown::HashMap;

use super::levels::{Nodes, Run};
use crate::error::{Error, Result};
use crate::schema::{Step, step, unreserved};

/// Rows of one batch, or of several that all lack the column alike.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) rows: usize,
    /// The structs around the column that the batch has.
    pub(super) above: Rc<Nodes>,
    /// The values, where the batch has the column.
    pub(super) array: Option<ArrayRef>,
}

/// A field of the file whose values are written by one writer: a leaf, or a list with all that is
/// in it.
#[derive(Debug)]
pub(super) struct Unit {
    /// From the root.
    pub(super) path: Vec<FieldRef>,
    /// In the order of the rows; together they are at most the row group's.
    pub(super) pieces: Vec<Piece>,
    rows: usize,
}

impl Unit {
    fn push(&mut self, rows: usize, above: &Rc<Nodes>, array: Option<ArrayRef>) {
        self.rows += rows;
        if let Some(last) = self.pieces.last_mut()
            && (last.array.is_none() && array.is_none())
            && last.above.is_alike(above)
        {
            last.rows += rows;
            return;
        }
        self.pieces.push(Piece {
            rows,
            above: Rc::clone(above),
            array,
        });
    }

    /// Rows up to `rows` lack the column.
    fn skip_to(&mut self, rows: usize, root: &Rc<Nodes>) {
        if self.rows < rows {
            self.push(rows - self.rows, root, None);
        }
    }

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
        for piece in &self.pieces {
            let leaf = piece.array.as_ref().map(|array| (nullable, array.nulls()));
            piece.above.runs(leaf, piece.rows, &mut runs);
            let mut begin = 0;
            for &run in &runs {
                let rows = begin..begin + run.rows;
                begin = rows.end;
                let values = piece.array.as_ref().filter(|_| run.level == top);
                take(run, values.map(|array| (array, rows)))?;
            }
        }
        Ok(())
    }
}

/// The units of a file, in the order of its Parquet columns.
pub(super) struct Units<'a> {
    pub(super) units: Vec<Unit>,
    root: Struct<'a>,
    outside: Rc<Nodes>,
}

/// A struct of the file, or its root.
struct Struct<'a> {
    members: Vec<Member<'a>>,
    by_step: HashMap<Step<'a>, usize>,
    /// Batches share most of their fields, so each is looked up by its identity once. The batches
    /// live as long as this, so an address never comes to mean another field.
    by_address: HashMap<*const Field, usize>,
    units: Range<usize>,
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
        let mut units = Vec::new();
        let root = members(schema.fields(), &mut Vec::new(), &mut units);
        Self {
            units,
            root,
            outside: Rc::default(),
        }
    }

    /// Replaces the pieces by those of `batches`; every unit covers all of their rows.
    ///
    /// # Errors
    /// `Internal` when a batch has a column that the file lacks, or has with another type.
    pub(super) fn gather(&mut self, batches: &'a [RecordBatch]) -> Result<()> {
        for unit in &mut self.units {
            unit.pieces.clear();
            unit.rows = 0;
        }
        let mut gather = Gather {
            units: &mut self.units,
            outside: Rc::clone(&self.outside),
            rows: 0..0,
        };
        for batch in batches {
            gather.rows = gather.rows.end..gather.rows.end + batch.num_rows();
            let fields = batch.schema_ref().fields();
            gather.take(
                &mut self.root,
                fields,
                batch.columns(),
                &Rc::clone(&self.outside),
            )?;
        }
        let end = gather.rows.end;
        for unit in &mut self.units {
            unit.skip_to(end, &self.outside);
        }
        Ok(())
    }
}

fn members<'a>(fields: &'a Fields, path: &mut Vec<FieldRef>, units: &mut Vec<Unit>) -> Struct<'a> {
    let begin = units.len();
    let mut found = Vec::with_capacity(fields.len());
    for field in fields {
        path.push(FieldRef::clone(field));
        let kind = match field.data_type() {
            DataType::Struct(fields) => MemberKind::Struct(members(fields, path, units)),
            _ => {
                units.push(Unit {
                    path: path.clone(),
                    pieces: Vec::new(),
                    rows: 0,
                });
                MemberKind::Unit(units.len() - 1)
            }
        };
        path.pop();
        found.push(Member {
            nullable: field.is_nullable(),
            kind,
        });
    }
    let steps = fields.iter().enumerate();
    Struct {
        members: found,
        by_step: steps.map(|(at, field)| (step(field), at)).collect(),
        by_address: HashMap::new(),
        units: begin..units.len(),
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
    outside: Rc<Nodes>,
    /// Its rows within the row group.
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
        let rows = self.rows.len();
        for (field, array) in fields.iter().zip(columns) {
            let member = file.member(field)?;
            match (&mut member.kind, array.data_type()) {
                (MemberKind::Unit(unit), _) => {
                    let unit = self.units.get_mut(*unit).ok_or_else(lost)?;
                    unit.skip_to(self.rows.start, &self.outside);
                    unit.push(rows, above, Some(ArrayRef::clone(array)));
                }
                (MemberKind::Struct(file), DataType::Struct(fields)) => {
                    let array = array.as_struct();
                    let nodes = Rc::new(above.with(member.nullable, array.nulls()));
                    self.take(file, fields, array.columns(), &nodes)?;
                    // What the struct has in the file, but not in this batch.
                    for unit in self.units.get_mut(file.units.clone()).ok_or_else(lost)? {
                        if unit.rows < self.rows.end {
                            unit.skip_to(self.rows.start, &self.outside);
                            unit.push(rows, &nodes, None);
                        }
                    }
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
