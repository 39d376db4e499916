//! Every refusal says why by its status and its text, and nothing of the request is sent.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::{TOKEN, collector};
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;

const SETTINGS: &str = "body_max = \"64KiB\"\nevents_max = 3\nbody_timeout_seconds = 1\n\
                        allow_remote_without_tls = false";

#[test]
fn every_refusal_says_why_and_sends_nothing() {
    let lake = TestLake::local();
    let topic = Topic::create("refused", 1);
    let (start, sender) = collector(&lake, &topic.name, SETTINGS);
    let eddy = start.ready();
    let kind = "Content-Type";
    let batch = sender.to("?batch=true");
    let large = vec![b'x'; (64 << 10) + 1];
    let ndjson = [(kind, "application/x-ndjson")];
    let refused = [
        (401, "unauthorized", sender.with_token("").send(&[], b"1")),
        (
            401,
            "unauthorized",
            sender.with_token("wrong").send(&[], b"1"),
        ),
        (
            401,
            "unauthorized",
            sender.with_token("eddy_0123456789abcdef_x").send(&[], b"1"),
        ),
        (413, "65536 bytes", sender.send(&[], &large)),
        (
            413,
            "65536 bytes",
            sender.send_in_parts(&large[..1 << 10], 65),
        ),
        (413, "3 events", sender.send(&ndjson, b"1\n2\n3\n4\n")),
        (413, "3 events", batch.send(&[], b"[1,2,3,4]")),
        (
            415,
            "gzip or zstd",
            sender.send(&[("Content-Encoding", "br")], b"1"),
        ),
        (415, "NDJSON", batch.send(&[(kind, "image/png")], b"1")),
        (400, "element 1 ", batch.send(&[], b"[{\"a\":1},{\"a\":}]")),
        (
            400,
            "gzip",
            sender.send(&[("Content-Encoding", "gzip")], b"1"),
        ),
        (
            400,
            "event 1 ",
            sender.to("?key=/a").send(&ndjson, b"{\"a\":1}\n{\"a\":"),
        ),
        (400, "pointer", sender.to("?key=a").send(&[], b"{}")),
        (
            400,
            "Idempotency-Key",
            sender.send(&[("Idempotency-Key", "")], b"1"),
        ),
        (404, "/v1/collection", sender.to("/more").send(&[], b"1")),
    ];
    for (number, (status, text, answer)) in refused.iter().enumerate() {
        assert_eq!(answer.status, *status, "{number}: {answer:?}");
        assert!(answer.message().contains(text), "{number}: {answer:?}");
    }
    assert_eq!(topic.watermarks()[&0], (0, 0), "nothing was sent");
    // Unauthorized ones are of no collection, and what isn't here of none either.
    let rejected = eddy
        .http()
        .number("SELECT rejected FROM system.collections");
    assert_eq!(rejected, 11);
}

#[test]
fn a_gzip_bomb_and_a_body_that_never_ends_are_cut_off() {
    let lake = TestLake::local();
    let topic = Topic::create("bombs", 1);
    let (start, sender) = collector(&lake, &topic.name, SETTINGS);
    let _eddy = start.ready();
    // A megabyte of the letter a, as zstd repeats it: a block of one byte, said 128 Ki times.
    let block = (128_u32 << 10) << 3 | 2;
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for last in [0, 0, 0, 0, 0, 0, 0, 1] {
        bomb.extend_from_slice(&(block | last).to_le_bytes()[..3]);
        bomb.push(b'a');
    }
    let refused = sender.send(&[("Content-Encoding", "zstd")], &bomb);
    assert_eq!(refused.status, 413, "{refused:?}");
    let mut slow = TcpStream::connect(&sender.address).expect("a connection");
    let head = format!(
        "POST /v1/collection HTTP/1.1\r\nHost: a\r\nBatch-Token: {TOKEN}\r\n\
         Content-Length: 100\r\n\r\nbegun"
    );
    slow.write_all(head.as_bytes()).expect("a head");
    let mut answer = String::new();
    // It waits for what never comes, then answers and hangs up.
    slow.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(topic.watermarks()[&0], (0, 0), "nothing was sent");
}

#[test]
fn a_token_beyond_its_rate_is_told_when_to_come_again() {
    let lake = TestLake::local();
    let topic = Topic::create("rated", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    let tokens = "/api/v1/collections/rated/tokens";
    let body = json!({"name": "rated", "topic": topic.name});
    let made = eddy
        .http()
        .post("/api/v1/collections", &body)
        .expect("it is made");
    assert_eq!(made["topic"], json!(topic.name));
    let token = eddy
        .http()
        .post(tokens, &json!({"rate": 1}))
        .expect("a token");
    let rated = sender.with_token(token["token"].as_str().expect("a token"));
    let batch: Vec<u8> = b"1\n".repeat(100);
    let taken = rated.send(&[("Content-Type", "application/x-ndjson")], &batch);
    assert_eq!(taken.status, 200, "{taken:?}");
    // A hundred seconds' worth were just taken.
    let refused = rated.send(&[], b"1");
    assert_eq!(refused.status, 429, "{refused:?}");
    let wait = refused.retry_after.expect("when to come again");
    assert!((50..=100).contains(&wait), "{wait}");
    let expired = json!({"expires": "2020-01-01T00:00:00Z"});
    assert_eq!(
        eddy.http()
            .post(tokens, &expired)
            .expect_err("it is over")
            .status,
        400
    );
    assert_eq!(topic.consume().len(), 100);
}
