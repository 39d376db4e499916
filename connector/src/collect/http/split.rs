//! Cuts the events of a body out of it, byte for byte: pure.

use std::fmt;

use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Refusal;
use super::shape::Shape;

/// The events of a body, as parts of it.
///
/// # Errors
/// 400 for an array that isn't JSON, naming the element; 413 for more events than are taken.
pub(super) fn events(body: &Bytes, shape: Shape, most: usize) -> Result<Vec<Bytes>, Refusal> {
    match shape {
        Shape::One => Ok(vec![body.clone()]),
        Shape::Lines => lines(body, most),
        Shape::CloudEvents => elements(body, most),
        Shape::Detected => {
            let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
            match first {
                Some(b'[') => elements(body, most),
                _ => lines(body, most),
            }
        }
    }
}

/// Each line without its end; those without anything else than blanks are none.
fn lines(body: &Bytes, most: usize) -> Result<Vec<Bytes>, Refusal> {
    let mut events = Vec::new();
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if events.len() == most {
            return Err(too_many(most));
        }
        events.push(body.slice_ref(line));
    }
    Ok(events)
}

fn elements(body: &Bytes, most: usize) -> Result<Vec<Bytes>, Refusal> {
    let mut found = Elements {
        body,
        most,
        events: Vec::new(),
        is_full: false,
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = json.deserialize_seq(&mut found).and_then(|()| json.end());
    let (number, is_full) = (found.events.len(), found.is_full);
    match read {
        Ok(()) => Ok(found.events),
        Err(_) if is_full => Err(too_many(most)),
        Err(error) => Err(Refusal::invalid(format!(
            "element {number} of the array (counted from 0) can't be read: {error}; nothing of the \
             request was sent"
        ))),
    }
}

fn too_many(most: usize) -> Refusal {
    Refusal::too_large(format!("a request may have {most} events"))
}

/// The elements that were found so far.
struct Elements<'a> {
    body: &'a Bytes,
    most: usize,
    events: Vec<Bytes>,
    is_full: bool,
}

impl<'de> Visitor<'de> for &mut Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            if self.events.len() == self.most {
                self.is_full = true;
                return Err(serde::de::Error::custom("too many"));
            }
            self.events
                .push(self.body.slice_ref(element.get().as_bytes()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cut(body: &str, shape: Shape) -> Result<Vec<String>, (u16, String)> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let events = events(&body, shape, 3).map_err(|refusal| {
            let (status, text) = refusal.told();
            (status, text.to_owned())
        })?;
        let text = |event: &Bytes| String::from_utf8(event.to_vec()).unwrap();
        Ok(events.iter().map(text).collect())
    }

    #[test]
    fn lines_and_elements_are_as_they_came() {
        let lines = "{\"a\": 1.0}\r\n\n \t\n not json \n{\"b\":1}";
        let expected = ["{\"a\": 1.0}", " not json ", "{\"b\":1}"];
        assert_eq!(cut(lines, Shape::Lines).unwrap(), expected);
        assert_eq!(cut(lines, Shape::Detected).unwrap(), expected);
        assert_eq!(cut(lines, Shape::One).unwrap(), [lines]);
        let array = " [ {\"a\" : 1e2 ,\"a\":\"\\u0041\"} , [ 1,2 ] ,null ] ";
        let expected = ["{\"a\" : 1e2 ,\"a\":\"\\u0041\"}", "[ 1,2 ]", "null"];
        for shape in [Shape::CloudEvents, Shape::Detected] {
            assert_eq!(cut(array, shape).unwrap(), expected);
        }
        assert!(cut("[]", Shape::CloudEvents).unwrap().is_empty());
        assert!(cut("", Shape::Lines).unwrap().is_empty());
        assert_eq!(cut("", Shape::One).unwrap(), [""]);
    }

    #[test]
    fn a_broken_element_is_named_and_too_many_are_refused() {
        for (broken, number) in [("[1,2,{\"a\":}]", 2), ("{}", 0), ("[1] 2", 1), ("[1,", 1)] {
            let (status, text) = cut(broken, Shape::CloudEvents).unwrap_err();
            assert_eq!(status, 400, "{broken}");
            assert!(
                text.contains(&format!("element {number} ")),
                "{broken}: {text}"
            );
        }
        assert_eq!(cut("[1,2,3,4]", Shape::CloudEvents).unwrap_err().0, 413);
        assert_eq!(cut("1\n2\n3\n4", Shape::Lines).unwrap_err().0, 413);
        assert!(cut("1\n2\n3\n", Shape::Lines).is_ok());
    }

    #[test]
    fn nesting_without_end_is_no_reason_to_end_the_process() {
        let deep = format!("[{}", "[".repeat(1 << 20));
        assert_eq!(cut(&deep, Shape::CloudEvents).unwrap_err().0, 400);
    }
}
