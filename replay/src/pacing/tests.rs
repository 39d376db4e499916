//! Rates and gaps on a clock that is turned by hand.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Sends as fast as the pacing allows until `until`; the times of sending.
fn send_until(pacing: &mut Pacing, from: Duration, until: Duration, bytes: u64) -> Vec<u128> {
    let mut now = from;
    let mut times = Vec::new();
    loop {
        now += pacing.wait(now, None);
        if now >= until {
            return times;
        }
        pacing.sent(now, None, bytes);
        times.push(now.as_nanos());
    }
}

#[test]
fn the_rate_is_exact_on_a_turned_clock() {
    for (text, seconds, wanted) in [("500/s", 10, 5_000), ("7/s", 1_000, 7_000)] {
        let mut pacing = Pacing::new(Some(Rate::parse(text).unwrap()), None, Duration::ZERO);
        let until = Duration::from_secs(seconds);
        let times = send_until(&mut pacing, Duration::ZERO, until, 100);
        assert_eq!(times.len(), wanted, "{text}");
    }
    let mut pacing = Pacing::new(Some(Rate::parse("2MB/s").unwrap()), None, Duration::ZERO);
    let times = send_until(&mut pacing, Duration::ZERO, Duration::from_secs(5), 1_000);
    assert_eq!(times.len(), 10_000);
}

#[test]
fn the_tighter_of_two_limits_holds() {
    let rate = Rate::parse("500/s, 100kB/s").unwrap();
    let mut pacing = Pacing::new(Some(rate), None, Duration::ZERO);
    let times = send_until(&mut pacing, Duration::ZERO, Duration::from_secs(10), 1_000);
    assert_eq!(times.len(), 1_000);
}

#[test]
fn a_stall_is_not_followed_by_a_burst() {
    let mut pacing = Pacing::new(Some(Rate::parse("1000/s").unwrap()), None, Duration::ZERO);
    let hour = Duration::from_secs(3600);
    let at_once = send_until(&mut pacing, hour, hour + Duration::from_nanos(1), 1);
    assert_eq!(at_once.len(), 101);
}

#[test]
fn rates_and_gaps_begin_when_the_first_record_has_arrived() {
    let speed = Speed::parse("1").unwrap();
    let mut pacing = Pacing::new(Some(Rate::parse("10/s").unwrap()), speed, Duration::ZERO);
    assert!(pacing.is_bound());
    pacing.sent(Duration::ZERO, Some(5_000), 1);
    let arrived = Duration::from_secs(3);
    pacing.begin(arrived);
    let next = pacing.wait(arrived, Some(5_000));
    assert_eq!(next, Duration::from_millis(100));
    let later = pacing.wait(arrived, Some(5_250));
    assert_eq!(later, Duration::from_millis(250));
    assert!(!Pacing::new(None, None, Duration::ZERO).is_bound());
}

#[test]
fn slips_of_the_finger_are_not_rates() {
    for text in [
        "", "500", "0/s", "500/x", "-1/s", "5MX/s", "1e9/s", "0.4B/s", "/s",
    ] {
        assert!(Rate::parse(text).is_err(), "{text}");
    }
    let rate = Rate::parse("1.5 KiB/min").unwrap().bytes.unwrap();
    assert_eq!((rate.amount, rate.period.as_secs()), (1536, 60));
}

/// When records of these times go out, each as soon as it may.
fn sent_at(speed: &str, times_ms: &[i64]) -> Vec<u64> {
    let mut pacing = Pacing::new(None, Speed::parse(speed).unwrap(), Duration::ZERO);
    let mut now = Duration::from_secs(5);
    let sent = times_ms.iter().map(|time_ms| {
        now += pacing.wait(now, Some(*time_ms));
        pacing.sent(now, Some(*time_ms), 1);
        u64::try_from(now.as_micros()).unwrap() - 5_000_000
    });
    sent.collect()
}

#[test]
fn gaps_are_exact_at_any_speed() {
    let times = [1_000, 1_001, 1_001, 4_000, 3_000, 3_600_000 + 1_000];
    let as_recorded = [0, 1_000, 1_000, 3_000_000, 3_000_000, 3_600_000_000];
    assert_eq!(sent_at("1", &times), as_recorded);
    let slower = as_recorded.map(|micros| micros * 4);
    assert_eq!(sent_at("0.25x", &times), slower);
    let faster = as_recorded.map(|micros| micros / 100);
    assert_eq!(sent_at("100", &times), faster);
    assert_eq!(sent_at("max", &times), [0; 6]);
}

#[test]
fn a_stall_moves_what_follows_and_keeps_its_gaps() {
    let mut pacing = Pacing::new(None, Speed::parse("1").unwrap(), Duration::ZERO);
    pacing.sent(Duration::ZERO, Some(0), 1);
    let late = Duration::from_secs(10);
    assert_eq!(pacing.wait(late, Some(500)), Duration::ZERO);
    pacing.sent(late, Some(500), 1);
    // What was missed isn't made up for, but for the little that timers need.
    let next = pacing.wait(late, Some(1_500));
    assert_eq!(next, Duration::from_secs(1) - BEHIND_MAX);
    assert_eq!(pacing.wait(late, None), Duration::ZERO);
}

#[test]
fn what_is_no_speed_is_refused() {
    for text in [
        "", "0", "0.0", "-1", "fast", "1.0001", "1e3", "10000000", "x", ".",
    ] {
        assert!(Speed::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_window_holds_more_than_its_share(
        amount in 1u64..100_000,
        stalls in prop::collection::vec((0u64..300, 1usize..50), 1..20),
    ) {
        let limit = Limit { amount, period: Duration::from_secs(1) };
        let rate = Rate { records: Some(limit), bytes: None };
        let mut pacing = Pacing::new(Some(rate), None, Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut times = Vec::new();
        for (stall_ms, count) in stalls {
            now += Duration::from_millis(stall_ms);
            for _ in 0..count {
                now += pacing.wait(now, None);
                pacing.sent(now, None, 1);
                times.push(now);
            }
        }
        for (first, from) in times.iter().enumerate() {
            for (last, to) in times.iter().enumerate().skip(first) {
                let sent = (last - first + 1) as f64;
                let window = (*to - *from + BEHIND_MAX).as_secs_f64();
                prop_assert!(sent <= window * amount as f64 + 1.001);
            }
        }
    }
}
