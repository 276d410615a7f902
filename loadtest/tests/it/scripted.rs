//! A listener that answers each message as a script says: what a switch may do wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loadtest::wire::{self, Index};

/// The answer to one message: DE39 and DE44; none closes the line.
pub type Script = fn(mti: [u8; 4]) -> Option<(&'static [u8; 2], Option<&'static [u8]>)>;

/// Starts to listen, and answers until the test ends.
pub fn switch(script: Script) -> SocketAddr {
    serve(move |stream| drop(speak(stream, script)))
}

/// Starts a listener that hands each connection, with its number from 0, to a function.
pub fn in_turn(each: fn(u64, TcpStream)) -> SocketAddr {
    let count = Arc::new(AtomicU64::new(0));
    serve(move |stream| each(count.fetch_add(1, Ordering::Relaxed), stream))
}

/// Starts a listener that sends these bytes once anything has come, and closes.
pub fn saying(bytes: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| {
        let mut heard = [0; 512];
        stream.read(&mut heard).and_then(|_| stream.write_all(bytes)).ok();
    })
}

fn serve(each: impl Fn(TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            std::thread::spawn(move || each(stream));
        }
    });
    addr
}

fn speak(mut stream: TcpStream, script: Script) -> std::io::Result<()> {
    let (mut input, mut index) = (Vec::new(), Index::new());
    let mut piece = [0; 4096];
    loop {
        let len = stream.read(&mut piece)?;
        if len == 0 {
            return Ok(());
        }
        input.extend_from_slice(&piece[..len]);
        while let Some((message, taken)) = wire::first_message(&input) {
            let mti = wire::mti(message).expect("a type");
            index.read(message).expect("a message of the profile");
            let Some((code, reason)) = script(mti) else { return Ok(()) };
            let mut out = Vec::new();
            let with_length =
                |text: &[u8]| [format!("{:02}", text.len()).as_bytes(), text].concat();
            let reason = reason.map(with_length);
            let mut set: Vec<(u8, &[u8])> = vec![(39, code)];
            set.extend(reason.iter().map(|reason| (44, reason.as_slice())));
            let kept = wire::set(&[3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70]);
            wire::answer(&mut out, (&index, message), kept, &set);
            stream.write_all(&out)?;
            input.drain(..taken);
        }
    }
}
