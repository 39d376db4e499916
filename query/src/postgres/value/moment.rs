//! Moments, days and times of day: Postgres counts from the year 2000, and writes years before
//! Christ as such.

use eddy_engine::moment;

/// 2000-01-01, in microseconds and in days since the Unix epoch.
pub(super) const EPOCH_US: i64 = 946_684_800_000_000;
pub(super) const EPOCH_DAYS: i32 = 10_957;

/// `2026-11-23 08:15:30.5+00`; without a zone where the type has none.
pub(super) fn timestamp(us: i64, zoned: bool) -> String {
    let text = moment::timestamp(us);
    let zone = if zoned { "+00" } else { "" };
    let (date, time) = text.split_once('T').unwrap_or((&text, "Z"));
    let (date, era) = year(date);
    format!("{date} {}{zone}{era}", time.trim_end_matches('Z'))
}

/// `2026-11-23`.
pub(super) fn date(days: i32) -> String {
    let text = moment::date(days);
    let (date, era) = year(&text);
    format!("{date}{era}")
}

/// `08:15:30.5`, from microseconds since midnight.
pub(super) fn time(us: i64) -> String {
    let text = moment::timestamp(us.rem_euclid(86_400_000_000));
    let time = text.split_once('T').map_or("", |(_, time)| time);
    time.trim_end_matches('Z').to_owned()
}

/// ISO 8601 has a year 0, Postgres has 1 BC; and no year has a sign.
fn year(date: &str) -> (String, &'static str) {
    let (negative, rest) = match date.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, date.trim_start_matches('+')),
    };
    let (year, rest) = rest.split_once('-').unwrap_or((rest, ""));
    match year.parse::<i64>() {
        Ok(number) if negative || number == 0 => (format!("{:04}-{rest}", number + 1), " BC"),
        _ => (format!("{year}-{rest}"), ""),
    }
}
