//! Drifted columns as arguments of functions: text where the function takes text, else whatever it
//! takes.

use arrow::datatypes::DataType;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use super::build::{call, text};
use super::columns::Resolver;
use super::contexts::of_function;
use super::place::Several;
use super::types::{field, type_of};
use crate::logical::{JSON, SORT_KEY, SORT_TEXT, Shape};

/// Functions of arguments of one type, whichever it is.
const ALIKE: [&str; 6] = ["coalesce", "greatest", "ifnull", "least", "nullif", "nvl"];

/// Whether an expression is a call that sees rows where everything around it sees groups.
pub(super) fn is_aggregate(resolver: &Resolver<'_>, expr: &Expr) -> bool {
    let Expr::Function(function) = expr else {
        return false;
    };
    let name = function.name.to_string().to_lowercase();
    function.over.is_none() && resolver.state.aggregate_functions().contains_key(&name)
}

/// The arguments of a function; `None` for `*`.
pub(super) fn arguments(function: &Function) -> Vec<Option<&Expr>> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    let argument = |argument| match argument {
        &FunctionArg::Named { ref arg, .. }
        | &FunctionArg::ExprNamed { ref arg, .. }
        | &FunctionArg::Unnamed(ref arg) => match arg {
            FunctionArgExpr::Expr(expr) => Some(expr),
            _ => None,
        },
    };
    list.args.iter().map(argument).collect()
}

/// Gives a function what it takes of the drifted columns among its arguments; the call is
/// something else then where the answer is `Some`.
pub(super) fn rewrite(resolver: &mut Resolver<'_>, function: &mut Function) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    if name == JSON {
        return as_json(resolver, function);
    }
    let drifted: Vec<Option<Several>> = arguments(function)
        .into_iter()
        .map(|argument| resolver.several(argument?))
        .collect();
    if drifted.iter().all(Option::is_none) {
        return None;
    }
    if let ("min" | "max", [Some(several)]) = (name.as_str(), drifted.as_slice()) {
        return extreme(resolver, function, several);
    }
    let of = match taken(resolver, &name, function, &drifted) {
        Taken::Text => return None,
        Taken::Number => Several::number,
        Taken::Condition => Several::condition,
        Taken::List => |several: &Several| several.list().unwrap_or_else(|| several.text.clone()),
    };
    if let FunctionArguments::List(list) = &mut function.args {
        for (argument, several) in list.args.iter_mut().zip(&drifted) {
            if let (
                Some(several),
                FunctionArg::Named { arg, .. }
                | FunctionArg::ExprNamed { arg, .. }
                | FunctionArg::Unnamed(arg),
            ) = (several, argument)
            {
                *arg = FunctionArgExpr::Expr(of(several));
            }
        }
    }
    None
}

/// `eddy_json` of one value, with the columns that the value may stand in and their shapes.
fn as_json(resolver: &Resolver<'_>, function: &Function) -> Option<Expr> {
    let [Some(argument)] = *arguments(function).as_slice() else {
        return None;
    };
    let several = resolver.several(argument);
    let known = several.filter(|several| !several.alternates.is_empty());
    let (shapes, columns) = match known {
        Some(several) => {
            let types = several.alternates.iter();
            let types = types.filter_map(|one| one.data_type.as_ref());
            let shapes = Shape::write(types);
            let columns = several.alternates.into_iter().map(|one| one.expr);
            (shapes, columns.collect())
        }
        None => {
            let data_type = type_of(resolver, argument).unwrap_or(DataType::Null);
            (
                Shape::write([&data_type].into_iter()),
                vec![argument.clone()],
            )
        }
    };
    let arguments = std::iter::once(text(shapes)).chain(columns);
    Some(call(JSON, arguments.collect()))
}

/// What a function takes in the place of a drifted column.
enum Taken {
    Text,
    Number,
    Condition,
    List,
}

fn taken(
    resolver: &Resolver<'_>,
    name: &str,
    function: &Function,
    drifted: &[Option<Several>],
) -> Taken {
    let types: Vec<Option<DataType>> = arguments(function)
        .into_iter()
        .map(|argument| argument.and_then(|argument| type_of(resolver, argument)))
        .collect();
    if ALIKE.contains(&name) {
        let others = types.iter().zip(drifted).filter(|(_, one)| one.is_none());
        let others: Vec<&DataType> = others
            .filter_map(|(data_type, _)| data_type.as_ref())
            .filter(|data_type| **data_type != DataType::Null)
            .collect();
        return if others.is_empty() {
            Taken::Text
        } else if others.iter().all(|one| one.is_numeric()) {
            Taken::Number
        } else if others.iter().all(|one| **one == DataType::Boolean) {
            Taken::Condition
        } else {
            Taken::Text
        };
    }
    let takes = |data_type: &DataType| {
        let types = types
            .iter()
            .zip(drifted)
            .map(|(known, drifted)| match drifted {
                Some(_) => data_type.clone(),
                None => known.clone().unwrap_or(DataType::Null),
            });
        accepts(resolver, name, types.collect())
    };
    let list = drifted.iter().flatten().find_map(|several| {
        let is_list = |data_type: &&DataType| matches!(data_type, DataType::List(_));
        let mut types = several
            .alternates
            .iter()
            .filter_map(|one| one.data_type.as_ref());
        types.find(is_list)
    });
    if takes(&DataType::Utf8) {
        Taken::Text
    } else if takes(&DataType::Float64) || takes(&DataType::Int64) {
        Taken::Number
    } else if takes(&DataType::Boolean) {
        Taken::Condition
    } else if name == "unnest" || list.is_some_and(takes) {
        Taken::List
    } else {
        Taken::Text
    }
}

fn accepts(resolver: &Resolver<'_>, name: &str, types: Vec<DataType>) -> bool {
    let fields: Vec<_> = types.into_iter().map(field).collect();
    let state = resolver.state;
    if let Some(function) = state.scalar_functions().get(name) {
        return fields_with_udf(&fields, function.as_ref()).is_ok();
    }
    if let Some(function) = state.aggregate_functions().get(name) {
        return fields_with_udf(&fields, function.as_ref()).is_ok();
    }
    match state.window_functions().get(name) {
        Some(function) => fields_with_udf(&fields, function.as_ref()).is_ok(),
        None => false,
    }
}

/// The lowest or highest value: by the order of numbers and text, and each exactly as it is.
fn extreme(
    resolver: &mut Resolver<'_>,
    function: &mut Function,
    several: &Several,
) -> Option<Expr> {
    if several.is_exact_number() {
        *function = match of_function(function, several.number()) {
            Expr::Function(function) => function,
            _ => return None,
        };
        return None;
    }
    let key = call(SORT_KEY, vec![several.text.clone()]);
    let text = call(SORT_TEXT, vec![of_function(function, key)]);
    let several = Several {
        text: text.clone(),
        extreme: Some(Box::new(function.clone())),
        ..several.clone()
    };
    resolver.note(&text, several);
    Some(text)
}
