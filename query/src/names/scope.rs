//! What a name can mean at a place in a query: the relations of `FROM`, their columns, and the
//! names that the select list gives.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::sql::sqlparser::ast::{Expr, Ident};
use eddy_engine::schema::VALUE;

use super::build::is_resolved;
use crate::error::TextPosition;
use crate::logical::Drift;
use crate::table::{HIDDEN, Source, SqlColumns};

/// One column of a relation.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The real name.
    pub(crate) name: String,
    /// The type, where it is known without planning.
    pub(crate) data_type: Option<DataType>,
    /// `*` leaves it out.
    pub(crate) hidden: bool,
    /// It is one of the columns of another one, whose text stands for it in `*`.
    pub(crate) alternate: bool,
    /// The columns of the same relation that it is the text of.
    pub(crate) drift: Option<Arc<Drift>>,
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

    /// The columns of a system table.
    pub(crate) fn of_schema(schema: &Schema) -> Self {
        // Text that stands for bytes is shown where the bytes aren't.
        let shown = schema.field_with_name(VALUE).is_err();
        let columns = schema.fields().iter().map(|field| Column {
            name: field.name().clone(),
            data_type: Some(field.data_type().clone()),
            hidden: HIDDEN.contains(&field.name().as_str())
                && !(shown && field.data_type() == &DataType::Utf8),
            alternate: false,
            drift: None,
        });
        Self::new(columns.collect())
    }

    /// The columns of a topic's table.
    pub(crate) fn of_table(columns: &SqlColumns) -> Self {
        let columns = columns.list().iter().map(|column| Column {
            name: column.name.clone(),
            data_type: Some(column.data_type.clone()),
            hidden: column.hidden,
            alternate: column.alternate,
            drift: match &column.source {
                Source::Drifted(drifted) => Some(Arc::clone(&drifted.drift)),
                _ => None,
            },
        });
        Self::new(columns.collect())
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
    /// The names of the select list, and what they stand for.
    pub(super) aliases: Vec<(String, Expr)>,
    /// What `GROUP BY` lists, as it stands there.
    pub(super) grouped: Vec<Expr>,
}

/// What a path of names turned out to be.
pub(super) enum Meaning {
    /// A column, the first `names` of the path naming it; what follows are nested fields.
    Column {
        /// The real names of relation and column, as many as replace `consumed` names.
        real: Vec<String>,
        consumed: usize,
        column: Column,
        /// The relation that has it; `None` when several have one of this name.
        relation: Option<String>,
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
        if let Some(found) = self.unqualified(|columns| columns.exact(&first.value)) {
            return Some(found);
        }
        let named = |alias: &&(String, Expr)| alias.0 == first.value;
        if path.len() == 1 && self.aliases.iter().any(|alias| named(&alias)) {
            return Some(Meaning::Alias(first.value.clone()));
        }
        if let Some(found) = self.unqualified(|columns| columns.alike(&first.value)) {
            return Some(found);
        }
        let lower = first.value.to_lowercase();
        let mut alike = self
            .aliases
            .iter()
            .filter(|(alias, _)| alias.to_lowercase() == lower);
        match (path.len(), alike.next()) {
            (1, Some((alias, _))) => Some(Meaning::Alias(alias.clone())),
            _ => None,
        }
    }

    /// A column of any of the relations.
    fn unqualified<'a>(
        &'a self,
        find: impl Fn(&'a Columns) -> Option<&'a Column>,
    ) -> Option<Meaning> {
        let mut having = self.relations.iter().filter_map(|relation| {
            let columns = relation.columns.as_deref()?;
            Some((relation, find(columns)?))
        });
        let (relation, column) = having.next()?;
        let only = having.next().is_none();
        Some(Meaning::Column {
            real: vec![column.name.clone()],
            consumed: 1,
            column: column.clone(),
            relation: only.then(|| relation.name.clone()),
        })
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
                    column: column.clone(),
                    relation: Some(relation.name.clone()),
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

/// Where a name stands in the text.
pub(super) fn place_of(ident: &Ident) -> Option<TextPosition> {
    (ident.span.start.line > 0 && !is_resolved(ident)).then_some(TextPosition {
        line: ident.span.start.line,
        column: ident.span.start.column,
    })
}

fn join(path: &[Ident]) -> String {
    let parts: Vec<&str> = path.iter().map(|ident| ident.value.as_str()).collect();
    parts.join(".")
}

/// A name as one of the select list or of `AS`.
pub(super) fn named(name: String, data_type: Option<DataType>) -> Column {
    Column {
        name,
        data_type,
        hidden: false,
        alternate: false,
        drift: None,
    }
}
