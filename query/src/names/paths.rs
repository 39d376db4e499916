//! Where the paths of a statement lead, in the scopes around them.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Subscript, Value};

use super::build::{bare, is_resolved, resolved};
use super::place::{One, Place, Several};
use super::scope::{Column, Meaning, Scope, place_of};
use crate::error::Result;

/// What a path turned out to be.
#[expect(
    clippy::large_enum_variant,
    reason = "one lives at a time, and is taken apart at once"
)]
pub(super) enum Path {
    /// Columns or fields.
    Place(Place),
    /// A name of the select list, to be written so.
    Alias(Ident),
}

/// Whether an expression is a path at all.
pub(super) fn is_path(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(ident) => !is_resolved(ident),
        Expr::CompoundIdentifier(path) => !path.first().is_some_and(is_resolved),
        Expr::CompoundFieldAccess { root, .. } => is_path(root),
        _ => false,
    }
}

/// Where `expr` leads; `None` when it isn't a path, or nothing fits.
pub(super) fn follow<'a>(
    expr: &Expr,
    scopes: impl DoubleEndedIterator<Item = &'a Scope>,
) -> Result<Option<Path>> {
    if !is_path(expr) {
        return Ok(None);
    }
    let names = match expr {
        Expr::Identifier(ident) => std::slice::from_ref(ident),
        Expr::CompoundIdentifier(path) => path.as_slice(),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let (root, chain) = rooted(bare(root), access_chain);
            let root = match follow(&root, scopes)? {
                Some(Path::Place(place)) => place,
                _ => Place::One(One {
                    expr: root,
                    data_type: None,
                }),
            };
            return along(root, chain).map(|place| Some(Path::Place(place)));
        }
        _ => return Ok(None),
    };
    let mut outwards = scopes.rev().enumerate();
    let found = outwards.find_map(|(depth, scope)| of_names(scope, names, depth > 0).transpose());
    found.transpose()
}

/// The names that a chain begins with, as one path, and what follows: `t.x` of `t.x['a']`.
fn rooted<'a>(root: &Expr, chain: &'a [AccessExpr]) -> (Expr, &'a [AccessExpr]) {
    let mut names = match root {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(path) => path.clone(),
        _ => return (root.clone(), chain),
    };
    let dotted = chain.iter().map_while(|step| match step {
        AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident.clone()),
        _ => None,
    });
    let dotted: Vec<Ident> = dotted.collect();
    let rest = chain.get(dotted.len()..).unwrap_or_default();
    names.extend(dotted);
    match names.len() {
        1 => (root.clone(), rest),
        _ => (Expr::CompoundIdentifier(names), rest),
    }
}

/// Where names lead in one scope; `outer` when it is that of a query around this one.
fn of_names(scope: &Scope, path: &[Ident], outer: bool) -> Result<Option<Path>> {
    match scope.meaning(path) {
        Some(Meaning::Column {
            real,
            consumed,
            column,
            relation,
        }) => {
            let (named, fields) = path.split_at_checked(consumed).unwrap_or((path, &[]));
            let mut place = root(named, &real, &column, relation.as_deref());
            if outer && !fields.is_empty() {
                place = place.apart();
            }
            for field in fields {
                place = place.field(&field.value, place_of(field))?;
            }
            Ok(Some(Path::Place(place)))
        }
        Some(Meaning::Alias(name)) => Ok(path.first().map(|first| {
            Path::Alias(Ident {
                value: name,
                ..first.clone()
            })
        })),
        None => Ok(None),
    }
}

/// A column of a relation.
fn root(named: &[Ident], real: &[String], column: &Column, relation: Option<&str>) -> Place {
    // The last name is the column, so its place is where an error points.
    let last = named.last();
    let mut path = Vec::with_capacity(real.len());
    for (index, name) in real.iter().enumerate() {
        let from = if index + 1 == real.len() {
            last
        } else {
            named.first()
        };
        let Some(from) = from else { continue };
        let quoted = real.len() < named.len() || from.quote_style.is_some();
        path.push(Ident {
            value: name.clone(),
            quote_style: quoted.then_some('"'),
            span: from.span,
        });
    }
    let expr = match path.len() {
        1 => path.pop().map(Expr::Identifier),
        _ => Some(Expr::CompoundIdentifier(path)),
    };
    let expr = expr.unwrap_or_else(|| Expr::Identifier(resolved(&column.name)));
    let Some(drift) = &column.drift else {
        return Place::One(One {
            expr,
            data_type: column.data_type.clone(),
        });
    };
    let Some(relation) = relation else {
        // `USING` makes one of several relations' columns: only their text is that one.
        return Place::Several(Several::only_text(expr));
    };
    let alternates = drift.alternates.iter().map(|alternate| {
        let name = resolved(&alternate.name);
        One {
            expr: match relation {
                "" => Expr::Identifier(name),
                relation => Expr::CompoundIdentifier(vec![resolved(relation), name]),
            },
            data_type: Some(alternate.data_type.clone()),
        }
    });
    Place::Several(Several {
        text: expr,
        ..Several::of(alternates.collect())
    })
}

/// `.field`, `['field']` and `[1]`, one after the other.
fn along(root: Place, chain: &[AccessExpr]) -> Result<Place> {
    let mut place = root;
    for step in chain {
        place = match step {
            AccessExpr::Dot(Expr::Identifier(ident)) => {
                place.field(&ident.value, place_of(ident))?
            }
            AccessExpr::Subscript(Subscript::Index {
                index: Expr::Value(value),
            }) => match &value.value {
                Value::SingleQuotedString(key) => place.field(key, None)?,
                _ => element(place, step),
            },
            step => element(place, step),
        };
    }
    Ok(place)
}

fn element(place: Place, step: &AccessExpr) -> Place {
    match step {
        AccessExpr::Subscript(subscript @ Subscript::Index { .. }) => place.element(subscript),
        _ => place.unknown(step.clone()),
    }
}
