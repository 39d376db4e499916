//! The firehose of a social network as JSONBench has it: commits, identities and accounts; records
//! that are created, updated and deleted; a `subject` that is a string or an object; languages,
//! embeds, replies. One day of it, whatever the number of events.

use std::fmt::Write as _;

use super::events::Seeded;

/// 2024-11-21T16:25:49Z, in microseconds.
const BEGIN_US: u64 = 1_732_206_349_000_000;
const DAY_US: u64 = 86_400_000_000;

/// Collections, and how many of a hundred records are of each.
const COLLECTIONS: [(&str, u64); 7] = [
    ("app.bsky.feed.like", 45),
    ("app.bsky.graph.follow", 20),
    ("app.bsky.feed.post", 16),
    ("app.bsky.feed.repost", 10),
    ("app.bsky.graph.block", 4),
    ("app.bsky.graph.listitem", 3),
    ("app.bsky.actor.profile", 2),
];

const LANGUAGES: [&str; 5] = [
    r#"["en"]"#,
    r#"["ja"]"#,
    r#"["pt"]"#,
    r#"["en","de"]"#,
    r#"["es"]"#,
];

const WORDS: &str = "order the quick river of events never stops and we watch it flow past \
                     morning light on a long road home again";

/// The events, one after another; the seed is fixed.
pub(crate) struct Bluesky {
    random: Seeded,
    words: Vec<&'static str>,
    accounts: u64,
    events: u64,
}

impl Bluesky {
    /// So many events; the accounts are a twentieth of that.
    pub(crate) fn new(events: u64) -> Self {
        Self {
            random: Seeded::new(20_241_121),
            words: WORDS.split(' ').collect(),
            accounts: (events / 20).max(1_000),
            events,
        }
    }

    /// When event number `index` happened, in microseconds.
    fn time_us(&mut self, index: u64) -> u64 {
        BEGIN_US + DAY_US / self.events * index + self.random.below(100)
    }

    /// Writes event number `index` as JSON text and answers its time in milliseconds.
    pub(crate) fn event(&mut self, index: u64, out: &mut String) -> i64 {
        out.clear();
        let time_us = self.time_us(index);
        let mut account = String::new();
        self.account(&mut account);
        write!(out, r#"{{"did":"{account}","time_us":{time_us},"#).unwrap();
        let time = format!("2024-11-21T16:25:49.{:03}Z", index % 1_000);
        match self.random.below(1_000) {
            0..=4 => {
                out.push_str(r#""kind":"identity","identity":{"handle":""#);
                self.random.id(out, 8);
                write!(out, r#".bsky.social","did":"{account}","seq":{index},"#).unwrap();
                write!(out, r#""time":"{time}"}}}}"#).unwrap();
            }
            5..=9 => {
                out.push_str(r#""kind":"account","account":{"active":true,"#);
                write!(
                    out,
                    r#""did":"{account}","seq":{index},"time":"{time}"}}}}"#
                )
                .unwrap();
            }
            kind => {
                out.push_str(r#""kind":"commit","commit":{"rev":"3l"#);
                self.random.id(out, 11);
                self.commit(kind < 70, &time, out);
                out.push_str("}}");
            }
        }
        i64::try_from(time_us / 1_000).unwrap()
    }

    fn commit(&mut self, is_deleted: bool, time: &str, out: &mut String) {
        let collection = self.collection();
        let operation = match (is_deleted, collection) {
            (true, _) => "delete",
            (false, "app.bsky.actor.profile") => "update",
            (false, _) => "create",
        };
        write!(
            out,
            r#"","operation":"{operation}","collection":"{collection}","rkey":"3l"#
        )
        .unwrap();
        self.random.id(out, 11);
        out.push('"');
        if is_deleted {
            return;
        }
        write!(
            out,
            r#","record":{{"$type":"{collection}","createdAt":"{time}""#
        )
        .unwrap();
        match collection {
            "app.bsky.feed.like" | "app.bsky.feed.repost" => {
                out.push_str(r#","subject":"#);
                self.post_named(out);
            }
            "app.bsky.feed.post" => self.post(out),
            _ => {
                out.push_str(r#","subject":""#);
                self.account(out);
                out.push('"');
            }
        }
        out.push_str(r#"},"cid":"bafyrei"#);
        self.random.id(out, 52);
        out.push('"');
    }

    fn collection(&mut self) -> &'static str {
        let mut at = self.random.below(100);
        for (name, share) in COLLECTIONS {
            match at.checked_sub(share) {
                Some(rest) => at = rest,
                None => return name,
            }
        }
        COLLECTIONS[0].0
    }

    /// Few accounts do much, most do little.
    fn account(&mut self, out: &mut String) {
        out.push_str("did:plc:");
        if self.random.below(4) == 0 {
            self.random.id(out, 24);
        } else {
            let most = 1 + self.random.below(self.accounts);
            let mut known = Seeded::new(1 + self.random.below(most) * 7_919);
            known.id(out, 24);
        }
    }

    /// A post of somebody, by its id and address.
    fn post_named(&mut self, out: &mut String) {
        out.push_str(r#"{"cid":"bafyrei"#);
        self.random.id(out, 52);
        out.push_str(r#"","uri":"at://"#);
        self.account(out);
        out.push_str("/app.bsky.feed.post/3l");
        self.random.id(out, 11);
        out.push_str("\"}");
    }

    fn post(&mut self, out: &mut String) {
        let language = usize::try_from(self.random.below(5)).unwrap();
        write!(out, r#","langs":{},"text":""#, LANGUAGES[language]).unwrap();
        for word in 0..(8 + self.random.below(40)) {
            if word > 0 {
                out.push(' ');
            }
            let at = self.random.below(self.words.len() as u64);
            out.push_str(self.words[usize::try_from(at).unwrap()]);
        }
        out.push('"');
        if self.random.below(3) == 0 {
            let image = r#""embed":{"$type":"app.bsky.embed.images","images":[{"alt":"","#;
            let ratio = r#""aspectRatio":{"height":1200,"width":900},"image":{"#;
            let link = r#""$type":"blob","ref":{"$link":"bafkrei"#;
            write!(out, ",{image}{ratio}{link}").unwrap();
            self.random.id(out, 52);
            let size = self.random.below(900_000);
            write!(out, r#""}},"mimeType":"image/jpeg","size":{size}}}}}]}}"#).unwrap();
        }
        if self.random.below(5) < 2 {
            out.push_str(r#","reply":{"parent":"#);
            self.post_named(out);
            out.push_str(r#","root":"#);
            self.post_named(out);
            out.push('}');
        }
    }
}
