//! Numbers as Java parses and prints them.

/// `Long.parseLong` and its narrower kin: digits with at most one sign, nothing else; within
/// `least..=most`.
pub(in super::super) fn integer(text: &str, least: i64, most: i64) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
}

/// `Double.parseDouble`: blanks around it, `NaN`, `Infinity` and a type's letter at the end are
/// taken.
pub(in super::super) fn double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let (sign, plain) = match text.strip_prefix('-') {
        Some(plain) => (-1.0, plain),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match plain {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let plain = plain.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(plain);
    let starts = |c: char| c.is_ascii_digit() || c == '.';
    if !plain.starts_with(starts) {
        return None;
    }
    plain.parse::<f64>().ok().map(|number| sign * number)
}

/// `Double.toString`: plain from a thousandth to ten millions, else with an exponent; always with
/// a digit behind the point.
pub(in super::super) fn double_text(number: f64) -> String {
    text(number, format!("{number:e}"), format!("{number:?}"))
}

/// `Float.toString`.
pub(in super::super) fn float_text(number: f32) -> String {
    text(
        f64::from(number),
        format!("{number:e}"),
        format!("{number:?}"),
    )
}

fn text(number: f64, scientific: String, plain: String) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return plain;
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_parse_as_in_java() {
        for (text, parsed) in [
            ("0", Some(0)),
            ("+7", Some(7)),
            ("-128", Some(-128)),
            ("128", None),
            ("1.0", None),
            (" 1", None),
            ("", None),
            ("-", None),
            ("+-1", None),
        ] {
            assert_eq!(integer(text, -128, 127), parsed, "{text}");
        }
    }

    #[test]
    fn doubles_parse_as_in_java() {
        for (text, parsed) in [
            ("1.5", Some(1.5)),
            (" -2e3 ", Some(-2000.0)),
            ("1f", Some(1.0)),
            (".5D", Some(0.5)),
            ("Infinity", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("infinity", None),
            ("--1", None),
            ("", None),
            ("1 2", None),
        ] {
            assert_eq!(double(text), parsed, "{text}");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn doubles_print_as_in_java() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (9_999_999.0, "9999999.0"),
            (1e-3, "0.001"),
            (9.9e-4, "9.9E-4"),
            (1e300, "1.0E300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_text(number), text);
        }
        assert_eq!(float_text(0.1), "0.1");
        assert_eq!(float_text(1e10), "1.0E10");
    }
}
