//! The name a person probably meant: edit distance over the names there are.

/// The name nearest to `wanted`, ignoring case, when it is near enough to be worth saying.
pub(crate) fn nearest<'a>(
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let allowed = 1 + wanted.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (done, letter) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(done + 1);
        for ((other, pair), insert) in right.iter().zip(row.windows(2)).zip(1..) {
            let (above_left, above) = match pair {
                [above_left, above] => (*above_left, *above),
                _ => (insert, insert),
            };
            let left_of = next.last().copied().unwrap_or(insert);
            let replaced = above_left + usize::from(*other != letter);
            next.push(replaced.min(above + 1).min(left_of + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_mistake_finds_the_name_that_was_meant() {
        let known = ["status", "userId", "createdAt"];
        assert_eq!(nearest("statsu", known), Some("status"));
        assert_eq!(nearest("userid", known), Some("userId"));
        assert_eq!(nearest("created_at", known), Some("createdAt"));
        assert_eq!(nearest("nothing_like_it", known), None);
    }
}
