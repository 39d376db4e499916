//! `doc -> 'a' ->> 'b' = 'c'`: in Postgres a member is taken before values are compared, in the
//! parser's own order of operators after. So each chain of members gets parentheses.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Puts each chain of `->` and `->>`, with what it begins at, in parentheses.
pub(super) fn group(tokens: &mut Vec<TokenWithSpan>) {
    let is_member = |token: &TokenWithSpan| matches!(token.token, Token::Arrow | Token::LongArrow);
    if !tokens.iter().any(is_member) {
        return;
    }
    let mut grouped: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 16);
    let mut rest = std::mem::take(tokens).into_iter().peekable();
    while let Some(token) = rest.next() {
        if !is_member(&token) {
            grouped.push(token);
            continue;
        }
        let begin = primary(&grouped);
        let span = token.span;
        let mut member = Some(token);
        while let Some(operator) = member {
            grouped.push(operator);
            let mut depth = 0_usize;
            // The key: one token, a negative number, or something in parentheses.
            for next in rest.by_ref() {
                match next.token {
                    Token::LParen => depth += 1,
                    Token::RParen => depth = depth.saturating_sub(1),
                    _ => {}
                }
                let goes_on = depth > 0 || next.token == Token::Minus;
                grouped.push(next);
                if !goes_on {
                    break;
                }
            }
            member = rest.next_if(is_member);
        }
        // What has its parentheses keeps them: a statement that is stored reads back as it was.
        let opens = begin.checked_sub(1).and_then(|at| grouped.get(at));
        let has_both = opens.is_some_and(|token| token.token == Token::LParen)
            && rest
                .peek()
                .is_some_and(|token| token.token == Token::RParen);
        if !has_both {
            grouped.insert(begin, TokenWithSpan::new(Token::LParen, span));
            grouped.push(TokenWithSpan::new(Token::RParen, span));
        }
    }
    *tokens = grouped;
}

/// Where the value begins that the tokens end with: a name or a path, a literal, a call, something
/// in parentheses or brackets, any of them with a type behind `::`.
fn primary(tokens: &[TokenWithSpan]) -> usize {
    let mut begin = tokens.len();
    let before = |at: usize| at.checked_sub(1).and_then(|at| tokens.get(at));
    loop {
        let closes = |token: &Token| matches!(token, Token::RParen | Token::RBracket);
        let opens = |token: &Token| matches!(token, Token::LParen | Token::LBracket);
        let mut called = false;
        while before(begin).is_some_and(|last| closes(&last.token)) {
            let mut depth = 0_usize;
            while let Some(last) = before(begin) {
                begin -= 1;
                if closes(&last.token) {
                    depth += 1;
                } else if opens(&last.token) {
                    depth = depth.saturating_sub(1);
                }
                if depth == 0 {
                    break;
                }
            }
            called = true;
        }
        let is_named = before(begin).is_some_and(|last| match &last.token {
            // A keyword before parentheses is none of them: `AND (a) -> 'b'`.
            Token::Word(word) => !called || word.quote_style.is_some() || is_call(&word.value),
            _ => !called,
        });
        if is_named {
            begin = begin.saturating_sub(1);
        }
        match before(begin).map(|last| &last.token) {
            Some(Token::Period | Token::DoubleColon) => begin -= 1,
            _ => return begin,
        }
    }
}

/// Whether a word before parentheses is a function's name and no part of the statement.
fn is_call(word: &str) -> bool {
    const WORDS: [&str; 20] = [
        "all", "and", "any", "as", "between", "by", "case", "distinct", "else", "from", "having",
        "in", "like", "not", "on", "or", "select", "then", "when", "where",
    ];
    !WORDS.contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn grouped(sql: &str) -> String {
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
        let mut tokens = tokens.unwrap();
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        group(&mut tokens);
        let texts = tokens.iter().map(|token| token.token.to_string());
        texts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_chain_of_members_is_taken_before_anything_else_is_done() {
        for (sql, expected) in [
            ("a = 1", "a = 1"),
            ("a -> 'b' = 'c'", "( a -> 'b' ) = 'c'"),
            (
                "x = t.a -> 'b' ->> 0 IS NULL",
                "x = ( t . a -> 'b' ->> 0 ) IS NULL",
            ),
            ("1 + f(a, (b)) -> -1", "1 + ( f ( a , ( b ) ) -> - 1 )"),
            ("AND (a) -> 'b'", "AND ( ( a ) -> 'b' )"),
            ("a[1].b -> (1 + 2) < 3", "( a [ 1 ] . b -> ( 1 + 2 ) ) < 3"),
            (
                "'{}'::text ->> $1 LIKE 'x'",
                "( '{}' :: text ->> $1 ) LIKE 'x'",
            ),
            ("(a -> 'b') = 'c'", "( a -> 'b' ) = 'c'"),
            ("f(a -> 'b')", "f ( a -> 'b' )"),
            ("a -> 'b' || c -> 'd'", "( a -> 'b' ) || ( c -> 'd' )"),
        ] {
            assert_eq!(grouped(sql), expected, "{sql}");
        }
        // Nonsense is left to the parser.
        for sql in ["->", "-> ->", ") -> 'a'", "a ->", "a -> ("] {
            grouped(sql);
        }
    }
}
