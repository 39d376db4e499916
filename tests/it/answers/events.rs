//! Events with nested objects, lists, drift and nulls, and the users that they refer to.

use serde_json::{Map, Value, json};

use super::random::Random;

/// How many users there are; some events refer to none of them.
pub const USERS: usize = 60;

pub const KINDS: [&str; 6] = ["view", "click", "buy", "Buy", "refund", "log in"];
pub const NAMES: [&str; 8] = ["ada", "Bo", "célia", "d'Arc", "", "emil", "Zoë", "x%y_z"];
pub const NOTES: [&str; 5] = ["slow", "Slow and late", "ünder", "100%", "a_b"];
pub const COUNTRIES: [&str; 4] = ["DE", "FR", "NO", "VN"];

/// Event number `number` as JSON. Fractions are quarters, so sums are exact in any order.
pub fn event(random: &mut Random, number: usize) -> String {
    let mut event = Map::new();
    event.insert("seq".into(), json!(number));
    // Text in places where others are numbers, and the other way round.
    let id = match random.below(5) {
        0 => json!(format!("id-{}", random.below(40))),
        1 => json!(random.below(40).to_string()),
        _ => json!(random.below(40)),
    };
    event.insert("id".into(), id);
    event.insert("kind".into(), json!(random.pick(&KINDS)));
    event.insert("who".into(), json!(random.below(USERS + 10)));
    maybe(random, &mut event, "n", |random| {
        json!(random.below(200) as i64 - 50)
    });
    maybe(random, &mut event, "x", |random| {
        json!(random.below(400) as f64 / 4.0 - 20.0)
    });
    maybe(random, &mut event, "ok", |random| json!(random.once_in(2)));
    maybe(random, &mut event, "note", |random| {
        json!(random.pick(&NOTES))
    });
    maybe(random, &mut event, "tags", |random| {
        let tags = (0..random.below(4)).map(|_| random.pick(&["red", "green", "blue"]));
        json!(tags.collect::<Vec<_>>())
    });
    maybe(random, &mut event, "u", user);
    Value::from(event).to_string()
}

fn user(random: &mut Random) -> Value {
    let mut user = Map::new();
    maybe(random, &mut user, "name", |random| {
        json!(random.pick(&NAMES))
    });
    maybe(random, &mut user, "level", |random| json!(random.below(9)));
    maybe(random, &mut user, "geo", |random| {
        let lat = random.below(720) as f64 / 4.0 - 90.0;
        json!({"lat": lat, "lon": random.below(9) as f64})
    });
    maybe(random, &mut user, "code", |random| match random.below(3) {
        0 => json!({"area": random.below(3)}),
        1 => json!(format!("c{}", random.below(5))),
        _ => json!(random.below(5)),
    });
    Value::from(user)
}

/// Sets it, to null at times, or leaves it out.
fn maybe(
    random: &mut Random,
    object: &mut Map<String, Value>,
    key: &str,
    value: impl Fn(&mut Random) -> Value,
) {
    match random.below(8) {
        0 => {}
        1 => {
            object.insert(key.into(), Value::Null);
        }
        _ => {
            let value = value(random);
            object.insert(key.into(), value);
        }
    }
}

/// User number `number` as JSON.
pub fn user_of(random: &mut Random, number: usize) -> String {
    let country = random.pick(&COUNTRIES);
    let name = random.pick(&NAMES);
    let score = random.below(100) as f64 / 4.0;
    json!({"uid": number, "country": country, "name": name, "score": score}).to_string()
}
