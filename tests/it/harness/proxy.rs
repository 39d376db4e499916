//! A TCP proxy before an HTTP server (S3) that fails on command: it refuses connections, or lets a
//! request through and loses the answer, so that the client can't know whether it landed.

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
    /// What the requests whose answers get lost contain in their first line, and how many more.
    losing: Mutex<Option<(String, usize)>>,
    lost: AtomicUsize,
}

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
            losing: Mutex::new(None),
            lost: AtomicUsize::new(0),
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

    /// Loses the answers of the next `count` requests whose first line contains all of the parts,
    /// for example `"PUT /"` and `"_delta_log"` as `"PUT /*_delta_log"`.
    pub fn lose_answers(&self, pattern: &str, count: usize) {
        *self.state.losing.lock().expect("the proxy's state") = Some((pattern.to_owned(), count));
    }

    /// How many answers were lost so far.
    pub fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
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
        {
            // Cleared when an answer begins: the next bytes begin a request, since connections are
            // HTTP/1.1 without pipelining.
            let mut line = line.lock().expect("the connection's state");
            if line.is_empty() {
                let text = String::from_utf8_lossy(&buffer[..count]);
                *line = text.lines().next().unwrap_or("?").to_owned();
            }
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
        if state.refusing.load(Ordering::SeqCst) || (!request.is_empty() && state.loses(&request)) {
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

impl State {
    fn loses(&self, request: &str) -> bool {
        let mut losing = self.losing.lock().expect("the proxy's state");
        let Some((pattern, count)) = losing.as_mut() else {
            return false;
        };
        if *count == 0 || !matches(pattern, request) {
            return false;
        }
        *count -= 1;
        self.lost.fetch_add(1, Ordering::SeqCst);
        true
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
