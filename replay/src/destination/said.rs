//! The beginning of what the other side says, as an error may repeat it: errors are stored with
//! replays and go out with dead letters, so none is as long as whoever answers wants it to be.

/// What is repeated of an answer, in letters.
pub(super) const SAID_MAX: usize = 200;
/// What is stored of a refused record's error, in letters: it says more than the answer.
pub(crate) const ERROR_MAX: usize = 1_000;

/// The first `most` letters of a text, in one line.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let shown: String = shown.take(most).collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_letters_and_has_one_line() {
        assert_eq!(excerpt(" a\r\nb\u{7}\u{fc}\u{fc}", 7), "a  b \u{fc}");
        assert_eq!(excerpt("short\n", 200), "short");
    }
}
