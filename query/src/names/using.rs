//! The columns of `JOIN ... USING (...)`, which `*` shows once.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, ObjectNamePart, TableWithJoins,
};

use super::scope::{Meaning, Scope};

/// Writes the real names into `USING (...)`, and returns them.
pub(super) fn resolve_using(from: &mut [TableWithJoins], scope: &Scope) -> HashSet<String> {
    let mut names = HashSet::new();
    for join in from.iter_mut().flat_map(|table| table.joins.iter_mut()) {
        let Some(JoinConstraint::Using(columns)) = constraint(&mut join.join_operator) else {
            continue;
        };
        for ident in columns.iter_mut().flat_map(|name| name.0.iter_mut()) {
            let ObjectNamePart::Identifier(ident) = ident else {
                continue;
            };
            if let Some(Meaning::Column { real, .. }) = scope.meaning(std::slice::from_ref(ident))
                && let Some(name) = real.last()
            {
                ident.value.clone_from(name);
            }
            names.insert(ident.value.clone());
        }
    }
    names
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}
