//! Whether a scan asks its conditions before it reads the other columns, or reads all at once.
//!
//! The first way is worth its second walk through a file where few rows are left or where much more
//! is read of them; where most rows are left, it reads much for nothing. How many will be left
//! nobody knows, so what speaks is what was asked.

use datafusion::logical_expr::Expr;

use super::files::Chosen;
use super::filters::names;

/// So many columns more than those of the conditions are much.
const OTHERS_FEW: usize = 4;

/// The choice for `files`, of which the columns `wanted` are read besides those of `conditions`.
pub(super) fn reads_conditions_first(
    conditions: &[Expr],
    wanted: &[&str],
    files: &[Chosen<'_>],
) -> bool {
    if conditions.is_empty() {
        return false;
    }
    let asked = names(conditions, &[]);
    let others = wanted.iter().filter(|name| !asked.contains(name));
    // Who asks for something that filters know looks for a needle.
    let is_needle = || files.iter().any(|(_, part)| part.is_cut());
    others.count() > OTHERS_FEW || is_needle()
}
