//! Real-shaped events from a fixed seed: a social network's firehose with nested records, drift
//! (`commit.record.subject` is a string or an object), lists, and unique ids. About 500 bytes each.

/// A small generator of random numbers (xorshift64*), so that a run can be repeated bit by bit.
pub(crate) struct Seeded(u64);

impl Seeded {
    /// A generator that always gives the same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// An ASCII digit.
    pub(crate) fn digit(&mut self) -> u8 {
        b'0' + u8::try_from(self.below(10)).unwrap()
    }

    /// Appends so many letters and digits.
    pub(crate) fn id(&mut self, out: &mut String, length: usize) {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        for _ in 0..length {
            out.push(char::from(
                LETTERS[usize::try_from(self.below(32)).unwrap()],
            ));
        }
    }
}

const WORDS: [&str; 24] = [
    "order",
    "the",
    "quick",
    "river",
    "of",
    "events",
    "never",
    "stops",
    "and",
    "we",
    "watch",
    "it",
    "flow",
    "past",
    "caf\\u00e9",
    "morning",
    "light",
    "on",
    "a",
    "long",
    "road",
    "home",
    "again",
    "\\ud83d\\ude80",
];

/// Appends event number `index` as JSON text.
pub(crate) fn event(random: &mut Seeded, index: u64, out: &mut String) {
    use std::fmt::Write as _;
    let time_us = 1_764_000_000_000_000 + index * 137;
    // A few thousand accounts are busy, the rest appear once.
    out.push_str("{\"did\":\"did:plc:");
    account(random, out);
    write!(
        out,
        "\",\"time_us\":{time_us},\"kind\":\"commit\",\"commit\":{{\"rev\":\"3l"
    )
    .unwrap();
    random.id(out, 11);
    out.push_str("\",\"operation\":\"create\",\"collection\":\"app.bsky.");
    match random.below(10) {
        0..=5 => like(random, time_us, out),
        6..=7 => follow(random, time_us, out),
        _ => post(random, time_us, out),
    }
    out.push_str(",\"cid\":\"bafyrei");
    random.id(out, 52);
    out.push_str("\"}}");
}

fn account(random: &mut Seeded, out: &mut String) {
    if random.below(4) == 0 {
        random.id(out, 24);
    } else {
        let mut known = Seeded::new(1 + random.below(5_000) * 7_919);
        known.id(out, 24);
    }
}

fn created(time_us: u64, out: &mut String) {
    use std::fmt::Write as _;
    let seconds = time_us / 1_000_000 % 86_400;
    write!(
        out,
        "\"createdAt\":\"2025-11-24T{:02}:{:02}:{:02}.{:03}Z\"",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        time_us / 1_000 % 1_000
    )
    .unwrap();
}

fn like(random: &mut Seeded, time_us: u64, out: &mut String) {
    out.push_str("feed.like\",\"rkey\":\"3l");
    random.id(out, 11);
    out.push_str("\",\"record\":{\"$type\":\"app.bsky.feed.like\",");
    created(time_us, out);
    out.push_str(",\"subject\":{\"cid\":\"bafyrei");
    random.id(out, 52);
    out.push_str("\",\"uri\":\"at://did:plc:");
    account(random, out);
    out.push_str("/app.bsky.feed.post/3l");
    random.id(out, 11);
    out.push_str("\"}}");
}

fn follow(random: &mut Seeded, time_us: u64, out: &mut String) {
    out.push_str("graph.follow\",\"rkey\":\"3l");
    random.id(out, 11);
    out.push_str("\",\"record\":{\"$type\":\"app.bsky.graph.follow\",");
    created(time_us, out);
    out.push_str(",\"subject\":\"did:plc:");
    account(random, out);
    out.push_str("\"}");
}

fn post(random: &mut Seeded, time_us: u64, out: &mut String) {
    out.push_str("feed.post\",\"rkey\":\"3l");
    random.id(out, 11);
    out.push_str("\",\"record\":{\"$type\":\"app.bsky.feed.post\",");
    created(time_us, out);
    out.push_str(",\"langs\":[\"en\"],\"text\":\"");
    for word in 0..(8 + random.below(40)) {
        if word > 0 {
            out.push(' ');
        }
        out.push_str(WORDS[usize::try_from(random.below(24)).unwrap()]);
    }
    out.push('"');
    if random.below(3) == 0 {
        out.push_str(",\"embed\":{\"$type\":\"app.bsky.embed.images\",\"images\":[{\"alt\":\"\",");
        out.push_str("\"aspectRatio\":{\"height\":1200,\"width\":900},\"image\":{\"size\":");
        out.push_str(&random.below(900_000).to_string());
        out.push_str(",\"mimeType\":\"image/jpeg\"}}]}");
    }
    out.push('}');
}
