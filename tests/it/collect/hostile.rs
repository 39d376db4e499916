//! Whoever means harm: memory stays bounded, and honest clients are served all the while.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Code;

use super::grpc::client::{Client, kafka};
use super::{TOKEN, collector, start};
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Eddy;
use crate::harness::services::scale;

const MIB: u64 = 1 << 20;
/// What HTTP/2 begins with, and settings without a setting.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// How many connections may be open at once: as many as asked for, unless this process may not
/// have so many files.
fn many(usual: usize, soak: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the limits");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    let wanted = scale(usual, soak);
    let most = files.map_or(wanted, |files| files.saturating_sub(600));
    if most < wanted {
        eprintln!("{most} connections instead of {wanted}: this process may have no more files");
    }
    wanted.min(most)
}

/// Opens connections one by one, each of which says these first words; `between` runs from time to
/// time.
fn opened(
    address: &str,
    number: usize,
    words: &[&[u8]],
    between: impl Fn(usize),
) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for index in 0..number {
        let mut stream = TcpStream::connect(address).expect("a connection");
        // Whoever is sent away at once may not hear this.
        let _ = stream.write_all(words[index % words.len()]);
        open.push(stream);
        if index % 50 == 49 {
            between(index);
        }
    }
    open
}

/// What the process has taken at most since `before`.
#[track_caller]
fn grew_by_less_than(eddy: &Eddy, before: u64, bytes: u64) {
    let grown = eddy.peak_memory_bytes().saturating_sub(before);
    assert!(grown < bytes, "{} MiB more", grown / MIB);
}

#[test]
fn idle_connections_and_slow_heads_keep_nobody_out_over_http() {
    let lake = TestLake::local();
    let topic = Topic::create("idle", 1);
    let (start, sender) = collector(&lake, &topic.name, "connections_max = 200");
    let eddy = start.ready();
    assert_eq!(sender.send(&[], b"1").status, 200);
    let before = eddy.peak_memory_bytes();
    let words: [&[u8]; 3] = [
        b"",
        b"POST /v1/coll",
        b"POST /v1/collection HTTP/1.1\r\nHost: a\r\nX-",
    ];
    let open = opened(&sender.address, many(600, 10_000), &words, |index| {
        // One that was there before, and one that has to find a place.
        assert_eq!(sender.send(&[], b"1").status, 200, "{index}");
        assert_eq!(sender.anew().send(&[], b"1").status, 200, "{index}");
    });
    grew_by_less_than(&eddy, before, 64 * MIB);
    drop(open);
    assert_eq!(sender.send(&[], b"1").status, 200);
}

#[test]
fn idle_connections_keep_nobody_out_over_grpc() {
    let lake = TestLake::local();
    let topic = Topic::create("idle_calls", 1);
    let (settings, client) = Client::configured("connections_max = 200");
    let eddy = start(&lake, &topic.name, &settings).ready();
    let client = client.with_token(TOKEN);
    let kept = client.apart();
    let next = AtomicUsize::new(1);
    let add = |client: &Client| {
        let offset = next.fetch_add(1, Ordering::SeqCst);
        let record = kafka(
            "orders",
            i64::try_from(offset).expect("an offset"),
            "",
            b"v",
        );
        client.add("AddKafkaRecord", vec![record])
    };
    assert_eq!(add(&kept).expect("it is taken"), 1);
    let before = eddy.peak_memory_bytes();
    let words: [&[u8]; 3] = [b"", b"PRI * HTTP/2.0\r\n", GREETING];
    let open = opened(&client.address, many(600, 10_000), &words, |_| {
        assert_eq!(add(&kept).expect("it is taken"), 1);
        assert_eq!(add(&client.apart()).expect("it is taken"), 1);
    });
    grew_by_less_than(&eddy, before, 64 * MIB);
    drop(open);
    let taken = next.load(Ordering::SeqCst) - 1;
    assert_eq!(topic.consume().len(), taken, "each of them once");
}

#[test]
fn slow_bodies_hold_up_nobody_and_are_given_up() {
    let lake = TestLake::local();
    let topic = Topic::create("slow", 1);
    let (start, sender) = collector(&lake, &topic.name, "body_timeout_seconds = 2");
    let _eddy = start.ready();
    // Of those without a token nothing is kept.
    let head = |token: &str, length: usize| {
        format!(
            "POST /v1/collection HTTP/1.1\r\nHost: a\r\nBatch-Token: {token}\r\n\
             Content-Length: {length}\r\n\r\nbegun"
        )
    };
    let (known, unknown) = (head(TOKEN, 1_000), head("wrong", 10 << 20));
    let words = [known.as_bytes(), unknown.as_bytes()];
    let mut open = opened(&sender.address, 200, &words, |index| {
        assert_eq!(sender.send(&[], b"1").status, 200, "{index}");
    });
    for (index, stream) in open.iter_mut().enumerate() {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        let expected = [b"HTTP/1.1 408", b"HTTP/1.1 401"][index % 2];
        assert_eq!(&answer, expected, "{index}");
    }
    assert_eq!(topic.consume().len(), 4, "nothing of them was sent");
}

#[test]
fn slow_messages_hold_up_nobody_and_are_given_up() {
    let lake = TestLake::local();
    let topic = Topic::create("slow_calls", 1);
    let (settings, client) = Client::configured("body_timeout_seconds = 2");
    let _eddy = start(&lake, &topic.name, &settings).ready();
    let client = client.with_token(TOKEN);
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let client = client.apart();
            std::thread::spawn(move || client.begin("AddKafkaRecord"))
        })
        .collect();
    for offset in 1..20 {
        let record = kafka("orders", offset, "", b"v");
        let added = client.add("AddKafkaRecord", vec![record]);
        assert_eq!(added.expect("it is taken"), 1);
    }
    for slow in slow {
        let refused = slow.join().expect("an answer").unwrap_err();
        assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused:?}");
    }
}

#[test]
fn of_a_body_of_ten_gigabytes_no_more_is_read_than_is_taken() {
    let lake = TestLake::local();
    let topic = Topic::create("ten_gigabytes", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    assert_eq!(sender.send(&[], b"1").status, 200);
    let before = eddy.peak_memory_bytes();
    // Announced, it is refused before any of it is read.
    let mut announced = TcpStream::connect(&sender.address).expect("a connection");
    let head = format!(
        "POST /v1/collection HTTP/1.1\r\nHost: a\r\nBatch-Token: {TOKEN}\r\n\
         Content-Length: 10737418240\r\n\r\n"
    );
    announced.write_all(head.as_bytes()).expect("a head");
    let mut answer = [0; 12];
    announced.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Unannounced, it is cut off where it is too much.
    let mut endless = TcpStream::connect(&sender.address).expect("a connection");
    let head = format!(
        "POST /v1/collection HTTP/1.1\r\nHost: a\r\nBatch-Token: {TOKEN}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    endless.write_all(head.as_bytes()).expect("a head");
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let sent = (0..10_240).take_while(|_| endless.write_all(&chunk).is_ok());
    let sent = sent.count();
    assert!(
        (16..64).contains(&sent),
        "{sent} MiB were taken off the wire"
    );
    assert_eq!(sender.send(&[], b"1").status, 200);
    grew_by_less_than(&eddy, before, 128 * MIB);
    assert_eq!(topic.consume().len(), 2);
}

/// 10 GiB of nothing as gzip and as zstd have it.
fn bombs() -> [(&'static str, Vec<u8>); 2] {
    // A member of 1 MiB: some bytes, a thousand zeros, some bytes.
    const BEGIN: [u8; 25] = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xed, 0xc1, 0x31, 1, 0, 0, 0, 0xc2, 0xa0, 0xf5, 0x4f,
        0x6d, 8, 0x5f, 0xa0,
    ];
    const END: [u8; 10] = [0x3e, 3, 0x1c, 0xea, 0x38, 0xa7, 0, 0, 0x10, 0];
    let member = [BEGIN.as_slice(), &[0; 1_016], &END].concat();
    let gzip = member.repeat(10_240);
    // A byte, said 128 Ki times, in each of many blocks.
    let block = (128_u32 << 10) << 3 | 2;
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for number in 1..=81_920 {
        let last = u32::from(number == 81_920);
        zstd.extend_from_slice(&(block | last).to_le_bytes()[..3]);
        zstd.push(0);
    }
    [("gzip", gzip), ("zstd", zstd)]
}

#[test]
fn bombs_are_refused_where_they_are_too_large() {
    let lake = TestLake::local();
    let topic = Topic::create("bombed", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    assert_eq!(sender.send(&[], b"1").status, 200);
    let before = eddy.peak_memory_bytes();
    let bombs = Arc::new(bombs());
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (sender, bombs) = (sender.anew(), Arc::clone(&bombs));
            std::thread::spawn(move || {
                let (encoding, bomb) = &bombs[number % 2];
                let refused = sender.send(&[("Content-Encoding", encoding)], bomb);
                assert_eq!(refused.status, 413, "{refused:?}");
            })
        })
        .collect();
    for number in 0..20 {
        assert_eq!(sender.send(&[], b"1").status, 200, "{number}");
    }
    for thread in threads {
        thread.join().expect("it was refused");
    }
    // Each takes what a body may have, as it came and inflated, and all together what they may.
    grew_by_less_than(&eddy, before, 320 * MIB);
    assert_eq!(topic.consume().len(), 21);
}

#[test]
fn a_silent_handshake_holds_up_nobody() {
    let (lake, folder) = (TestLake::local(), tempfile::tempdir().expect("a folder"));
    let topic = Topic::create("handshakes", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let _eddy = start.toml(&super::tls::settings(folder.path())).ready();
    let words: [&[u8]; 2] = [b"", b"\x16\x03\x01"];
    let open = opened(&sender.address, 100, &words, |_| {});
    super::tls::send(&sender, folder.path(), &["1", "2"]);
    assert_eq!(topic.consume().len(), 2);
    drop(open);
}
