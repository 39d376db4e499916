//! The tree of a replay's query: which table is its source, and the versions of all of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query as QueryTree, Select, SetExpr, TableAlias,
    TableFactor, VisitMut, VisitorMut,
};

use super::shape::refused;
use crate::error::Result;
use crate::names::DEAD;

fn top(query: &QueryTree) -> Option<&Select> {
    match query.body.as_ref() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The source's table, whose name is resolved.
pub(super) fn table_of(query: &QueryTree) -> Result<String> {
    let name = top(query)
        .and_then(|select| select.from.first())
        .and_then(|from| match &from.relation {
            TableFactor::Table { name, .. } => Some(name),
            _ => None,
        });
    match name.map(|name| name.0.as_slice()) {
        Some([ObjectNamePart::Identifier(ident)]) => {
            let name = &ident.value;
            match name.strip_suffix(DEAD).unwrap_or(name).contains('@') {
                false => Ok(name.clone()),
                true => Err(refused(
                    "a version in the source's name; a replay pins its own",
                )),
            }
        }
        _ => Err(refused("a system table as source")),
    }
}

/// Pins the source to a version, and every other use of the same table with it: its dead letters
/// where its records are the source, and the other way round.
pub(super) fn pin(query: &mut QueryTree, table: &str, version: u64) {
    let topic = table.strip_suffix(DEAD).unwrap_or(table);
    let names = [topic.to_owned(), format!("{topic}{DEAD}")];
    let versions = names.map(|name| (name, version)).into();
    let _ = VisitMut::visit(query, &mut Pin(versions));
}

pub(super) struct Pin(pub(super) BTreeMap<String, u64>);

impl VisitorMut for Pin {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let [ObjectNamePart::Identifier(ident)] = name.0.as_slice()
            && let Some(version) = self.0.get(&ident.value)
        {
            let pinned = format!("{}@{version}", ident.value);
            // Columns go on being called by the table's own name.
            alias.get_or_insert_with(|| TableAlias {
                explicit: true,
                name: Ident::with_quote('"', &ident.value),
                columns: Vec::new(),
                at: None,
            });
            *name = ObjectName::from(vec![Ident::with_quote('"', pinned)]);
        }
        ControlFlow::Continue(())
    }
}
