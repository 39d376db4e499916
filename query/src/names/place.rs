//! What a path of names and subscripts leads to: one stored column or field, or several, where the
//! values of its key came with several types.

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Function, Ident, Subscript};
use eddy_engine::schema::{is_members, logical};

use super::build::{call, resolved, text};
use crate::error::{Result, TextPosition, unknown_column};
use crate::logical::{Shape, TEXT};

/// One stored column or field.
#[derive(Debug, Clone)]
pub(super) struct One {
    /// How it is written.
    pub(super) expr: Expr,
    /// Its type, where it is known without planning; nested fields carry their identities.
    pub(super) data_type: Option<DataType>,
}

/// Several stored columns or fields that are one for who asks.
#[derive(Debug, Clone)]
pub(super) struct Several {
    /// The columns; none when only the text is left of them.
    pub(super) alternates: Vec<One>,
    /// Their text.
    pub(super) text: Expr,
    /// Of an element of a mixed list: the struct that has a member for each type, by its name.
    pub(super) members: Option<(Expr, Fields)>,
    /// What is done to whatever is read of them: the lowest or highest of many rows.
    pub(super) extreme: Option<Box<Function>>,
}

/// Where a path leads.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "one lives at a time, and is taken apart at once"
)]
pub(super) enum Place {
    One(One),
    Several(Several),
}

impl Place {
    /// The field that `name` means here: a key's name, or that of one of its alternates; exactly,
    /// else ignoring case.
    pub(super) fn field(self, name: &str, place: Option<TextPosition>) -> Result<Self> {
        match self {
            Self::One(one) => one.field(name, place),
            Self::Several(several) => {
                let mut found = Vec::new();
                let mut known: Vec<String> = Vec::new();
                for alternate in several.alternates {
                    if let Some(DataType::Struct(fields)) = &alternate.data_type {
                        known.extend(fields.iter().map(|field| field.name().clone()));
                        if let Ok(inside) = alternate.field(name, place) {
                            found.push(inside);
                        }
                    }
                }
                if let Some(joined) = joined(found) {
                    return Ok(joined);
                }
                if let Some((of, members)) = &several.members {
                    known.extend(members.iter().map(|field| field.name().clone()));
                    if let Some(member) = find(of, members, |known| known == name) {
                        return Ok(member);
                    }
                }
                let known = known.iter().map(String::as_str);
                Err(unknown_column(name, known).with_position(place))
            }
        }
    }

    /// The same in parentheses, so that its fields are steps and no names: of a query around this
    /// one planning knows columns, but not their fields by name.
    pub(super) fn apart(self) -> Self {
        let nested = |one: One| One {
            expr: Expr::Nested(Box::new(one.expr)),
            ..one
        };
        match self {
            Self::One(one) => Self::One(nested(one)),
            Self::Several(several) => Self::Several(Several {
                alternates: several.alternates.into_iter().map(nested).collect(),
                ..several
            }),
        }
    }

    /// A step that only planning understands.
    pub(super) fn unknown(self, step: AccessExpr) -> Self {
        let expr = match self {
            Self::One(one) => one.expr,
            Self::Several(several) => several.text,
        };
        Self::One(One {
            expr: access(expr, step),
            data_type: None,
        })
    }

    /// An element of a list. What isn't known to be a list is left to planning.
    pub(super) fn element(self, subscript: &Subscript) -> Self {
        let step = || AccessExpr::Subscript(subscript.clone());
        match self {
            Self::One(one) => one.element(step()),
            Self::Several(several) => {
                let lists = several
                    .alternates
                    .iter()
                    .filter(|one| matches!(one.data_type, Some(DataType::List(_))));
                let elements = lists.map(|list| list.clone().element(step())).collect();
                let text = Self::Several(Several::only_text(several.text));
                joined(elements).unwrap_or_else(|| text.unknown(step()))
            }
        }
    }
}

impl One {
    fn field(self, name: &str, place: Option<TextPosition>) -> Result<Place> {
        let Some(DataType::Struct(fields)) = &self.data_type else {
            return Ok(Place::One(One {
                expr: access_field(self.expr, name),
                data_type: None,
            }));
        };
        let exactly = |known: &str| known == name;
        let lower = name.to_lowercase();
        let alike = |known: &str| known.to_lowercase() == lower;
        let found = find(&self.expr, fields, exactly).or_else(|| find(&self.expr, fields, alike));
        found.ok_or_else(|| {
            let known = fields.iter().map(|field| field.name().as_str());
            unknown_column(name, known).with_position(place)
        })
    }

    fn element(self, step: AccessExpr) -> Place {
        let data_type = match self.data_type {
            Some(DataType::List(element)) => Some(element.data_type().clone()),
            _ => None,
        };
        let expr = access(self.expr, step);
        match data_type {
            Some(DataType::Struct(members)) if is_members(&members) => {
                let each = members.iter().map(|member| one_of(&expr, member));
                Place::Several(Several {
                    members: Some((expr.clone(), members.clone())),
                    ..Several::of(each.collect())
                })
            }
            data_type => Place::One(One { expr, data_type }),
        }
    }
}

impl Several {
    /// Several columns with the text that they make together.
    pub(super) fn of(alternates: Vec<One>) -> Self {
        let types = alternates.iter().filter_map(|one| one.data_type.as_ref());
        let shapes = text(Shape::write(types));
        let columns = alternates.iter().map(|one| one.expr.clone());
        let arguments = std::iter::once(shapes).chain(columns).collect();
        Self {
            text: call(TEXT, arguments),
            alternates,
            members: None,
            extreme: None,
        }
    }

    /// What is left of them where only their text can be had.
    pub(super) fn only_text(text: Expr) -> Self {
        Self {
            alternates: Vec::new(),
            text,
            members: None,
            extreme: None,
        }
    }
}

/// A struct's field whose name fits.
fn find(of: &Expr, fields: &Fields, fits: impl Fn(&str) -> bool) -> Option<Place> {
    let drifted = logical(fields);
    let one = |field| one_of(of, field);
    if let Some(column) = drifted.iter().find(|column| fits(&column.name)) {
        let alternates = column.alternates.iter().map(|found| one(&found.field));
        return Some(Place::Several(Several::of(alternates.collect())));
    }
    let mut beside = drifted.iter().flat_map(|column| &column.alternates);
    if let Some(found) = beside.find(|found| fits(&found.name)) {
        return Some(Place::One(one(&found.field)));
    }
    let field = fields.iter().find(|field| fits(field.name()))?;
    Some(Place::One(one(field)))
}

/// Where several paths lead that are one for who asks.
fn joined(places: Vec<Place>) -> Option<Place> {
    let mut all = Vec::new();
    for place in places {
        match place {
            Place::One(one) => all.push(one),
            Place::Several(several) => all.extend(several.alternates),
        }
    }
    match all.len() {
        0 => None,
        1 => all.pop().map(Place::One),
        _ => Some(Place::Several(Several::of(all))),
    }
}

/// `expr.name`.
fn access_field(expr: Expr, name: &str) -> Expr {
    match expr {
        Expr::Identifier(ident) => Expr::CompoundIdentifier(vec![settled(ident), resolved(name)]),
        Expr::CompoundIdentifier(path) => {
            let mut path: Vec<Ident> = path.into_iter().map(settled).collect();
            path.push(resolved(name));
            Expr::CompoundIdentifier(path)
        }
        other => access(
            other,
            AccessExpr::Subscript(Subscript::Index { index: text(name) }),
        ),
    }
}

fn access(expr: Expr, step: AccessExpr) -> Expr {
    match expr {
        Expr::CompoundFieldAccess {
            root,
            mut access_chain,
        } => {
            access_chain.push(step);
            Expr::CompoundFieldAccess { root, access_chain }
        }
        Expr::Identifier(ident) => access_of(Expr::Identifier(settled(ident)), step),
        Expr::CompoundIdentifier(path) => {
            let path = path.into_iter().map(settled).collect();
            access_of(Expr::CompoundIdentifier(path), step)
        }
        root => access_of(root, step),
    }
}

fn access_of(root: Expr, step: AccessExpr) -> Expr {
    Expr::CompoundFieldAccess {
        root: Box::new(root),
        access_chain: vec![step],
    }
}

/// The same name, which isn't looked up again.
fn settled(ident: Ident) -> Ident {
    Ident {
        span: resolved("").span,
        quote_style: ident.quote_style.or(Some('"')),
        ..ident
    }
}

/// A field of a struct.
fn one_of(of: &Expr, field: &Field) -> One {
    One {
        expr: access_field(of.clone(), field.name()),
        data_type: Some(field.data_type().clone()),
    }
}

/// The name that planning gives to a nested field without an alias.
pub(super) fn written(several: &Several) -> Option<String> {
    let first = several.alternates.first()?;
    let mut names = Vec::new();
    match &first.expr {
        Expr::CompoundIdentifier(path) => names.extend(path.iter().map(|one| one.value.as_str())),
        _ => return None,
    }
    let (name, fields) = names.split_first()?;
    Some(format!("{name}[{}]", fields.join("][")))
}
