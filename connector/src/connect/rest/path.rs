//! URL paths: what is refused, what segments mean, how names are written into them.
//!
//! Connect refuses paths that servers in front of it might read differently: empty and dotted
//! segments, encoded slashes and percents, control characters. Connectors with such names can be
//! made, and not be asked for.

/// The decoded segments of `path`; `None` where it is refused. One slash at the end means nothing,
/// and what follows a semicolon is a parameter that nobody asks for.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some(Vec::new());
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Option<String> {
    if raw.is_empty() || !raw.is_ascii() {
        return None;
    }
    let raw = raw.split(';').next().unwrap_or_default();
    let decoded = decode(raw)?;
    let encoded = raw.contains('%');
    let suspicious = |c: char| c == '/' || c == '\\' || c == '%' || c.is_control();
    let dots = decoded == "." || decoded == "..";
    (!(decoded.contains(suspicious) || encoded && dots)).then_some(decoded)
}

/// Undoes percent-encoding; `None` for a bad escape or what isn't UTF-8 then.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

/// A name as a path's segment.
pub(super) fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
        if plain {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The first `{variable}` of a name, which Connect takes for a template when it writes the name
/// into a URL.
pub(super) fn template_variable(name: &str) -> Option<&str> {
    let (_, after) = name.split_once('{')?;
    let (variable, _) = after.split_once('}')?;
    let variable = variable.split(':').next().unwrap_or_default().trim();
    (!variable.is_empty()).then_some(variable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn segments_are_decoded_and_a_slash_at_the_end_means_nothing() {
        assert_eq!(segments("/").unwrap(), Vec::<String>::new());
        assert_eq!(segments("/a/b%20c/").unwrap(), ["a", "b c"]);
        assert_eq!(segments("/a;x=y/%C3%BC+").unwrap(), ["a", "ü+"]);
        assert_eq!(segments("/a/../b").unwrap(), ["a", "..", "b"]);
    }

    #[test]
    fn what_others_might_read_differently_is_refused() {
        for path in [
            "//a",
            "/a//b",
            "/a/%2e%2e/b",
            "/a%2Fb",
            "/a%5Cb",
            "/a%25b",
            "/a%00",
            "/a%0A",
            "/a%zz",
            "/a%2",
            "/%ff",
            "/ü",
        ] {
            assert_eq!(segments(path), None, "{path}");
        }
    }

    #[test]
    fn a_name_comes_back_from_its_segment() {
        for name in [
            "a b",
            "ü☃",
            "a?b#c;d",
            "a:@&=,$b!*'()",
            "[a]{b}",
            "\"<a>|^`~",
        ] {
            assert_eq!(decode(&encode(name)).as_deref(), Some(name));
        }
        assert_eq!(encode("a b:é"), "a%20b:%C3%A9");
    }

    #[test]
    fn a_variable_is_a_word_in_braces() {
        assert_eq!(template_variable("[a]{b}{c}"), Some("b"));
        assert_eq!(template_variable("a{b: [0-9]+}"), Some("b"));
        for name in ["a", "a{}", "a{b", "a}b{"] {
            assert_eq!(template_variable(name), None, "{name}");
        }
    }
}
