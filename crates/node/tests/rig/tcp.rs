//! TCP of a scripted far end: it listens, and connects to whom it speaks to.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(2);

pub struct Lines {
    listener: TcpListener,
    open: RefCell<Vec<Line>>,
    heard: RefCell<VecDeque<String>>,
    accepted: Cell<usize>,
}

struct Line {
    peer: SocketAddr,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Lines {
    pub fn open() -> Lines {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.set_nonblocking(true).expect("not to wait");
        Lines { listener, open: RefCell::default(), heard: RefCell::default(), accepted: Cell::new(0) }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("its address")
    }

    pub fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// On the connection to there, or a new one.
    pub fn send(&self, to: SocketAddr, text: &str) {
        self.poll();
        let mut open = self.open.borrow_mut();
        if !open.iter().any(|line| line.peer == to) {
            open.push(Line::of(TcpStream::connect(to).expect("a connection"), to));
        }
        let line = open.iter_mut().find(|line| line.peer == to).expect("was just opened");
        line.stream.write_all(text.as_bytes()).expect("sending");
    }

    pub fn receive(&self, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        loop {
            self.poll();
            let heard = self.heard.borrow_mut().pop_front();
            if heard.is_some() || Instant::now() >= deadline {
                return heard;
            }
            std::thread::sleep(STEP);
        }
    }

    fn poll(&self) {
        let mut open = self.open.borrow_mut();
        while let Ok((stream, peer)) = self.listener.accept() {
            self.accepted.set(self.accepted.get() + 1);
            open.push(Line::of(stream, peer));
        }
        open.retain_mut(|line| {
            let lives = line.read();
            self.heard.borrow_mut().extend(std::iter::from_fn(|| line.message()));
            lives
        });
    }
}

impl Line {
    fn of(stream: TcpStream, peer: SocketAddr) -> Line {
        stream.set_nonblocking(true).expect("not to wait");
        Line { peer, stream, unread: Vec::new() }
    }

    /// False once the other side is gone.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 8192];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
                Err(cause) => return cause.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    fn message(&mut self) -> Option<String> {
        let head = self.unread.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&self.unread[..head]).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a Content-Length");
        let whole = head + length.parse::<usize>().expect("a number");
        (self.unread.len() >= whole)
            .then(|| String::from_utf8_lossy(&self.unread.drain(..whole).collect::<Vec<u8>>()).into_owned())
    }
}
