//! A TCP proxy before an HTTP server (S3) that fails on command: it refuses connections; it lets a
//! request through and loses the answer; or it keeps a request and delivers it when told to, long
//! after its client gave up. In the last two the client can't know whether its request landed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy on its own port; ends on drop.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: String,
    refusing: AtomicBool,
    closed: AtomicBool,
    losing: Aim,
    lost: AtomicUsize,
    holding: Aim,
    held: Mutex<Vec<Vec<u8>>>,
}

/// Which requests something happens to: a pattern of their first line, and how many more of them.
#[derive(Default)]
struct Aim(Mutex<Option<(String, usize)>>);

impl Proxy {
    /// A proxy for the server at `http://host:port`.
    pub fn before(endpoint: &str) -> Self {
        let server = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            server,
            refusing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            losing: Aim::default(),
            lost: AtomicUsize::new(0),
            holding: Aim::default(),
            held: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    accept(&accepting, client);
                }
            }
        });
        Self { address, state }
    }

    /// `http://host:port` of the proxy.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on (or until told otherwise) connections are closed as soon as they are made, and
    /// requests on open ones aren't answered.
    pub fn refuse(&self, refusing: bool) {
        self.state.refusing.store(refusing, Ordering::SeqCst);
    }

    /// Loses the answers of the next `count` requests whose first line matches the pattern:
    /// `"PUT /*_delta_log"` stands for a line with `PUT /` and, later, `_delta_log` in it. What a
    /// header asks for comes behind it, where all first lines are alike: `"POST /*SendMessage"`.
    pub fn lose_answers(&self, pattern: &str, count: usize) {
        self.state.losing.set(pattern, count);
    }

    /// How many answers were lost so far.
    pub fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }

    /// Keeps the next `count` requests whose first line matches, and closes their connections.
    pub fn hold_requests(&self, pattern: &str, count: usize) {
        self.state.holding.set(pattern, count);
    }

    /// How many requests are kept.
    pub fn held(&self) -> usize {
        self.state.held.lock().expect("the proxy's state").len()
    }

    /// Delivers the kept requests in the order in which they came; the answers' first lines.
    pub fn deliver(&self) -> Vec<String> {
        let held = std::mem::take(&mut *self.state.held.lock().expect("the proxy's state"));
        let answers = held.iter().map(|request| {
            let mut server = TcpStream::connect(&self.state.server).expect("the server");
            server.write_all(request).expect("the request gets through");
            let mut answer = [0; 1024];
            let count = server.read(&mut answer).expect("an answer");
            let text = String::from_utf8_lossy(&answer[..count]).into_owned();
            text.lines().next().unwrap_or_default().to_owned()
        });
        answers.collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(state: &Arc<State>, client: TcpStream) {
    if state.refusing.load(Ordering::SeqCst) {
        return;
    }
    let Ok(server) = TcpStream::connect(&state.server) else {
        return;
    };
    let (Ok(client_reads), Ok(server_reads)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    // The first line of the request that is under way on this connection.
    let line = Arc::new(Mutex::new(String::new()));
    let (there, back) = (Arc::clone(state), Arc::clone(state));
    let seen = Arc::clone(&line);
    thread::spawn(move || pass_requests(&there, client_reads, server, &seen));
    thread::spawn(move || pass_answers(&back, server_reads, client, &line));
}

fn pass_requests(
    state: &State,
    mut client: TcpStream,
    mut server: TcpStream,
    line: &Mutex<String>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        if state.refusing.load(Ordering::SeqCst) {
            break;
        }
        if begins_request(line, &buffer[..count]) && state.holding.hits(&current(line)) {
            let request = whole_request(&mut client, buffer[..count].to_vec());
            state.held.lock().expect("the proxy's state").push(request);
            break;
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    close(&client, &server);
}

fn pass_answers(state: &State, mut server: TcpStream, mut client: TcpStream, line: &Mutex<String>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let request = std::mem::take(&mut *line.lock().expect("the connection's state"));
        // The server has answered, so whatever the request asked for has happened.
        if state.refusing.load(Ordering::SeqCst) || state.loses(&request) {
            break;
        }
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    close(&client, &server);
}

fn close(client: &TcpStream, server: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// The header in which AWS's services are told what to do.
const ACTION: &str = "x-amz-target:";

/// Notes the first line if these bytes begin a request. The note is cleared when an answer begins,
/// and connections are HTTP/1.1 without pipelining, so the next bytes then begin one.
fn begins_request(line: &Mutex<String>, bytes: &[u8]) -> bool {
    let mut line = line.lock().expect("the connection's state");
    let begins = line.is_empty();
    if begins {
        let text = String::from_utf8_lossy(bytes);
        let action = text.lines().find_map(|one| one.strip_prefix(ACTION));
        text.lines().next().unwrap_or("?").clone_into(&mut line);
        line.push_str(action.unwrap_or_default());
    }
    begins
}

fn current(line: &Mutex<String>) -> String {
    line.lock().expect("the connection's state").clone()
}

/// Reads on until the request's body has the length that its head says.
fn whole_request(client: &mut TcpStream, mut request: Vec<u8>) -> Vec<u8> {
    let mut buffer = vec![0; 64 * 1024];
    while !is_whole(&request) {
        match client.read(&mut buffer) {
            Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    request
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    request.len() >= end + 4 + length
}

impl State {
    fn loses(&self, request: &str) -> bool {
        let loses = self.losing.hits(request);
        if loses {
            self.lost.fetch_add(1, Ordering::SeqCst);
        }
        loses
    }
}

impl Aim {
    fn set(&self, pattern: &str, count: usize) {
        *self.0.lock().expect("the proxy's state") = Some((pattern.to_owned(), count));
    }

    /// Whether this request is one of those; counts it if so.
    fn hits(&self, request: &str) -> bool {
        let mut aim = self.0.lock().expect("the proxy's state");
        match aim.as_mut() {
            Some((pattern, count @ 1..)) if matches(pattern, request) => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

/// Whether the parts of the pattern (between stars) occur in the line, in their order.
fn matches(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern.split('*').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn a_pattern_is_its_parts_in_order() {
    let line = "PUT /bucket/topics/t/_delta_log/00000000000000000001.json HTTP/1.1";
    assert!(matches("PUT /*_delta_log", line));
    assert!(!matches("GET /*_delta_log", line));
    assert!(!matches("_delta_log*PUT", line));
}
