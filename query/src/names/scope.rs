//! What a name can mean at a place in a query: the relations of `FROM`, their columns, and the
//! names that the select list gives.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::sql::sqlparser::ast::Ident;

use crate::error::{Result, TextPosition, unknown_column};

/// One column of a relation.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The real name.
    pub(crate) name: String,
    /// The type, where it is known without planning.
    pub(crate) data_type: Option<DataType>,
    /// `*` leaves it out.
    pub(crate) hidden: bool,
}

/// The columns of a relation, found exactly or ignoring case.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    list: Vec<Column>,
    exact: HashMap<String, usize>,
    lower: HashMap<String, Option<usize>>,
}

impl Columns {
    /// The columns in their order.
    pub(crate) fn new(list: Vec<Column>) -> Self {
        let mut exact = HashMap::with_capacity(list.len());
        let mut lower: HashMap<String, Option<usize>> = HashMap::with_capacity(list.len());
        for (index, column) in list.iter().enumerate() {
            exact.entry(column.name.clone()).or_insert(index);
            lower
                .entry(column.name.to_lowercase())
                .and_modify(|found| *found = None)
                .or_insert(Some(index));
        }
        Self { list, exact, lower }
    }

    /// The columns of a schema, with those that `*` leaves out.
    pub(crate) fn of_schema(schema: &Schema, hidden: &[&str]) -> Self {
        Self::new(
            schema
                .fields()
                .iter()
                .map(|field| Column {
                    name: field.name().clone(),
                    data_type: Some(field.data_type().clone()),
                    hidden: hidden.contains(&field.name().as_str()),
                })
                .collect(),
        )
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[Column] {
        &self.list
    }

    /// The column of exactly this name.
    pub(super) fn exact(&self, name: &str) -> Option<&Column> {
        self.exact.get(name).and_then(|index| self.list.get(*index))
    }

    /// The only column of this name, ignoring case.
    pub(super) fn alike(&self, name: &str) -> Option<&Column> {
        let index = (*self.lower.get(&name.to_lowercase())?)?;
        self.list.get(index)
    }

    /// The column of this name, exactly or ignoring case.
    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.exact(name).or_else(|| self.alike(name))
    }
}

/// A relation of `FROM` and what it is called there.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) name: String,
    /// `None` when only planning can tell.
    pub(super) columns: Option<Arc<Columns>>,
}

/// What names mean within one `SELECT`.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Relation>,
    pub(super) aliases: Vec<String>,
}

/// What a path of names turned out to be.
pub(super) enum Meaning {
    /// A column, the first `names` of the path naming it; what follows are nested fields.
    Column {
        /// The real names of relation and column, as many as replace `consumed` names.
        real: Vec<String>,
        consumed: usize,
        data_type: Option<DataType>,
    },
    /// A name of the select list.
    Alias(String),
}

impl Scope {
    /// What `path` means here; `None` when nothing fits.
    pub(super) fn meaning(&self, path: &[Ident]) -> Option<Meaning> {
        let first = path.first()?;
        if let Some(found) = self.qualified(path) {
            return Some(found);
        }
        let relations = || self.relations.iter().filter_map(|one| one.columns.as_ref());
        let plain = |column: &Column| Meaning::Column {
            real: vec![column.name.clone()],
            consumed: 1,
            data_type: column.data_type.clone(),
        };
        if let Some(column) = relations().find_map(|columns| columns.exact(&first.value)) {
            return Some(plain(column));
        }
        if path.len() == 1 && self.aliases.contains(&first.value) {
            return Some(Meaning::Alias(first.value.clone()));
        }
        if let Some(column) = relations().find_map(|columns| columns.alike(&first.value)) {
            return Some(plain(column));
        }
        let lower = first.value.to_lowercase();
        let mut alike = self
            .aliases
            .iter()
            .filter(|alias| alias.to_lowercase() == lower);
        match (path.len(), alike.next()) {
            (1, Some(alias)) => Some(Meaning::Alias(alias.clone())),
            _ => None,
        }
    }

    /// `relation.column...`, where the relation's own name may hold dots (`orders.v1.id`).
    fn qualified(&self, path: &[Ident]) -> Option<Meaning> {
        for consumed in (1..path.len()).rev() {
            let (qualifier, rest) = path.split_at_checked(consumed)?;
            let name = join(qualifier);
            let Some(relation) = self.relation(&name) else {
                continue;
            };
            let wanted = rest.first()?;
            let column = relation
                .columns
                .as_ref()
                .and_then(|columns| columns.find(&wanted.value));
            if let Some(column) = column {
                return Some(Meaning::Column {
                    real: vec![relation.name.clone(), column.name.clone()],
                    consumed: consumed + 1,
                    data_type: column.data_type.clone(),
                });
            }
        }
        None
    }

    /// The relation of this name, exactly or ignoring case.
    pub(super) fn relation(&self, name: &str) -> Option<&Relation> {
        let lower = name.to_lowercase();
        self.relations
            .iter()
            .find(|relation| relation.name == name)
            .or_else(|| {
                self.relations
                    .iter()
                    .find(|relation| relation.name.to_lowercase() == lower)
            })
    }
}

/// Writes the real names of nested fields into `path`, as far as the type is a struct.
pub(super) fn resolve_fields(
    path: &mut [Ident],
    mut data_type: Option<DataType>,
) -> Result<Option<DataType>> {
    for ident in path {
        let Some(DataType::Struct(_)) = &data_type else {
            return Ok(None);
        };
        let (name, inner) = field_of(data_type.as_ref(), &ident.value, place_of(ident))?;
        ident.value = name;
        data_type = inner;
    }
    Ok(data_type)
}

/// The real name and type of a struct's field.
pub(super) fn field_of(
    data_type: Option<&DataType>,
    wanted: &str,
    place: Option<TextPosition>,
) -> Result<(String, Option<DataType>)> {
    let Some(DataType::Struct(fields)) = data_type else {
        return Ok((wanted.to_owned(), None));
    };
    let lower = wanted.to_lowercase();
    let found = fields
        .iter()
        .find(|field| field.name() == wanted)
        .or_else(|| {
            fields
                .iter()
                .find(|field| field.name().to_lowercase() == lower)
        });
    match found {
        Some(field) => Ok((field.name().clone(), Some(field.data_type().clone()))),
        None => {
            let known = fields.iter().map(|field| field.name().as_str());
            Err(unknown_column(wanted, known).with_position(place))
        }
    }
}

/// Where a name stands in the text.
pub(super) fn place_of(ident: &Ident) -> Option<TextPosition> {
    (ident.span.start.line > 0).then_some(TextPosition {
        line: ident.span.start.line,
        column: ident.span.start.column,
    })
}

fn join(path: &[Ident]) -> String {
    let parts: Vec<&str> = path.iter().map(|ident| ident.value.as_str()).collect();
    parts.join(".")
}
