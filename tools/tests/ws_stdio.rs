//! `ws-stdio` as a program, against a server in this process.

mod toy;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use toy::{data_frame, server, Message, PATIENCE};

/// The program, its three streams in our hands, killed when the test is over.
struct Program(Option<Child>);

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ws-stdio"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.child().stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.child().stdout.as_mut().unwrap().read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Waits for the end, leaving standard input open.
    fn wait_with_open_input(mut self) -> (Option<i32>, String, String) {
        let mut child = self.0.take().unwrap();
        let input = child.stdin.take();
        let result = finish(child);
        drop(input);
        result
    }

    /// Ends standard input and waits for the end.
    fn wait(mut self) -> (Option<i32>, String, String) {
        finish(self.0.take().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn finish(child: Child) -> (Option<i32>, String, String) {
    let id = child.id().to_string();
    let (done, output) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    let Output { status, stdout, stderr } = match output.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            Command::new("kill").arg(&id).status().unwrap();
            panic!("ws-stdio does not end");
        }
    };
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/path?token=a")
}

fn ended(output: &str) -> (Option<i32>, String, String) {
    (Some(0), output.to_owned(), String::new())
}

fn failed(message: &str) -> (Option<i32>, String, String) {
    (Some(1), String::new(), format!("ws-stdio: {message}\n"))
}

#[test]
fn asks_for_what_the_command_line_says() {
    let (address, session) = server(|mut session| {
        session.upgrade(b"").unwrap();
        session.close(1000, "");
        session.head
    });
    let options = ["--protocol", "mqtt", "--protocol", "binary", "--header", "Cookie: a=b"];
    assert_eq!(Program::start(&[&options[..], &[&url(address)]].concat()).wait_with_open_input(), ended(""));
    let head = session.join().unwrap();
    assert!(head.starts_with("GET /path?token=a HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nHost: {address}\r\n")), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Protocol: mqtt, binary\r\n"), "{head}");
    assert!(head.contains("\r\nCookie: a=b\r\n"), "{head}");
}

#[test]
fn carries_bytes_both_ways_and_ends_with_its_input() {
    let (address, session) = server(toy::Session::echo);
    let mut program = Program::start(&[&url(address)]);
    program.write(b"one");
    assert_eq!(program.read(3), b"one");
    program.write(b"two");
    assert_eq!(program.read(3), b"two");
    assert_eq!(program.wait(), ended(""));
    session.join().unwrap();
}

#[test]
fn carries_eight_mebibytes_through_an_echo() {
    let (address, session) = server(toy::Session::echo);
    let sent: Vec<u8> = (0..8_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut program = Program::start(&[&url(address)]);
    let mut input = program.child().stdin.take().unwrap();
    let expected = sent.clone();
    let writer = thread::spawn(move || input.write_all(&sent).map(|()| input));
    assert!(program.read(expected.len()) == expected, "the echo differs");
    drop(writer.join().unwrap().unwrap());
    assert_eq!(program.wait(), ended(""));
    session.join().unwrap();
}

#[test]
fn sends_everything_before_its_close_and_takes_what_still_comes() {
    let (address, session) = server(|mut session| {
        session.upgrade(b"").unwrap();
        let mut seen = vec![session.receive(), session.receive()];
        session.data(b"late");
        session.close(1000, "");
        seen.push(session.receive());
        seen
    });
    let mut program = Program::start(&[&url(address)]);
    program.write(b"all of it");
    assert_eq!(program.wait(), ended("late"));
    let close = Message::Close(vec![0x03, 0xE8]);
    assert_eq!(session.join().unwrap(), [Message::Data(b"all of it".to_vec()), close, Message::End]);
}

#[test]
fn takes_frames_from_the_packet_of_the_handshake() {
    let (address, session) = server(|mut session| {
        session.upgrade(&[data_frame(b"SSH-2.0-x\r\n"), b"\x88\x02\x03\xE8".to_vec()].concat()).unwrap();
        session.receive()
    });
    assert_eq!(Program::start(&[&url(address)]).wait_with_open_input(), ended("SSH-2.0-x\r\n"));
    assert_eq!(session.join().unwrap(), Message::Close(vec![0x03, 0xE8]), "the close is echoed");
}

#[test]
fn answers_pings() {
    let (address, session) = server(|mut session| {
        session.upgrade(b"").unwrap();
        session.ping(b"one");
        session.ping(b"");
        let seen = [session.receive(), session.receive()];
        session.close(1000, "");
        seen
    });
    assert_eq!(Program::start(&[&url(address)]).wait_with_open_input(), ended(""));
    assert_eq!(session.join().unwrap(), [Message::Pong(b"one".to_vec()), Message::Pong(Vec::new())]);
}

#[test]
fn fails_with_status_and_reason_where_the_handshake_is_refused() {
    let (address, session) =
        server(|mut session| session.raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    let result = Program::start(&[&url(address)]).wait_with_open_input();
    assert_eq!(result, failed("handshake refused: 403 Forbidden"));
    session.join().unwrap();
}

#[test]
fn fails_where_the_server_complains_or_vanishes() {
    let (address, session) = server(|mut session| {
        session.upgrade(b"").unwrap();
        session.close(1011, "target reset");
        session.receive()
    });
    let result = Program::start(&[&url(address)]).wait_with_open_input();
    assert_eq!(result, failed("server closed the session: 1011 target reset"));
    session.join().unwrap();

    let (address, session) = server(|mut session| session.upgrade(b"").unwrap());
    let result = Program::start(&[&url(address)]).wait_with_open_input();
    assert_eq!(result, failed("server ended the connection without a close frame"));
    session.join().unwrap();

    let (address, session) = server(|mut session| {
        session.upgrade(b"\x82\x80").unwrap();
        session.receive()
    });
    let result = Program::start(&[&url(address)]).wait_with_open_input();
    assert_eq!(result, failed("server broke the protocol: masked frame from the server"));
    session.join().unwrap();
}

#[test]
fn fails_where_nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, _, message) = Program::start(&[&url(free)]).wait_with_open_input();
    assert_eq!(status, Some(1));
    assert!(
        message.starts_with(&format!("ws-stdio: cannot connect to 127.0.0.1 port {}: ", free.port())),
        "{message}"
    );
}

#[test]
fn refuses_a_bad_command_line() {
    for (arguments, complaint) in [
        (&[][..], "no URL"),
        (&["wss://a/"], "wss://a/: wss:// is not supported, only ws://"),
        (&["--header", "no colon", "ws://a/"], "--header wants 'NAME: VALUE'"),
        (&["--header", "A: b\r\nEvil: yes", "ws://a/"], "control character in \"A: b\\r\\nEvil: yes\""),
        (&["--verbose", "ws://a/"], "unknown option --verbose"),
        (&["ws://a/", "--listen"], "--listen wants a value"),
    ] {
        let (status, _, message) = Program::start(arguments).wait();
        assert_eq!(status, Some(2));
        assert_eq!(message.lines().next(), Some(&*format!("ws-stdio: {complaint}")));
    }
}

#[test]
fn reaches_a_server_on_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("ws-stdio-test-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let mut head = [0; 4];
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap();
        head
    });
    let result = Program::start(&["--unix", path.to_str().unwrap(), "ws://name/"]).wait_with_open_input();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(result, failed("handshake refused: 404 Not Found"));
    assert_eq!(&server.join().unwrap(), b"GET ");
}

/// `ws-stdio --listen` before `address`, and the port it chose.
fn listening(address: SocketAddr) -> (Program, SocketAddr) {
    let mut program = Program::start(&["--listen", "127.0.0.1:0", &url(address)]);
    let mut line = String::new();
    BufReader::new(program.child().stdout.take().unwrap()).read_line(&mut line).unwrap();
    (program, line.trim_end().strip_prefix("listening on ").expect(&line).parse().unwrap())
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn read_to_end(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn listens_for_native_clients_and_passes_their_half_close_on() {
    let (address, session) = server(toy::Session::echo);
    let (_program, port) = listening(address);
    let mut client = connect(port);
    client.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"PING\r\n");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut client), b"");
    session.join().unwrap();
}

#[test]
fn a_native_client_gets_all_the_server_sent_though_it_goes_on_writing() {
    let (address, session) = server(|mut session| {
        session.upgrade(b"").unwrap();
        assert_eq!(session.receive(), Message::Data(b"QUIT".to_vec()));
        session.data(&[b'x'; 100_000]);
        session.close(1000, "target closed");
        while session.receive() != Message::End {}
    });
    let (_program, port) = listening(address);
    let mut client = connect(port);
    client.write_all(b"QUIT").unwrap();
    let mut first = [0];
    client.read_exact(&mut first).unwrap();
    client.write_all(b"too late").unwrap();
    assert_eq!(read_to_end(&mut client).len(), 99_999);
    session.join().unwrap();
}

#[test]
fn a_native_client_is_let_go_where_the_handshake_is_refused() {
    let (address, session) = server(|mut session| session.raw(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    let (mut program, port) = listening(address);
    assert_eq!(read_to_end(&mut connect(port)), b"");
    session.join().unwrap();
    let mut message = String::new();
    BufReader::new(program.child().stderr.as_mut().unwrap()).read_line(&mut message).unwrap();
    assert!(message.ends_with(": handshake refused: 502 Bad Gateway\n"), "{message}");
}
