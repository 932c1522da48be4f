//! `soak`: sessions of every behaviour through an nginx, and the target behind it, for as long as is said.
//!
//! Driven by `scripts/soak`, which looks after nginx meanwhile. It prints `targets PORT...` first, and at the end a line
//! for each behaviour and each failure.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use websockify_protocol::{CloseCode, Opcode};
use websockify_tools::client::handshake::{self, Request};
use websockify_tools::client::{Event, Keys, Receiver, Sender};

/// Threads are many and shallow.
const STACK: usize = 128 * 1024;
/// How long anything that a session waits for may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(180);
/// How many ports the target has: each has a queue of 128, and after a restart all sessions come back at once.
const PORTS: usize = 16;
/// A long run takes its time, so that it leaves some of the machine to others: how often as long each rest is.
const LEISURE: u64 = 3;
const LONG: Duration = Duration::from_secs(180);
/// How long the target is away when it restarts.
const AWAY: Duration = Duration::from_millis(300);
/// Bytes of a bulk transfer.
const BULK: usize = 500_000;
/// Bytes for a client that takes its time.
const SLOW: usize = 300_000;

const BEHAVIOURS: [(&str, Behaviour); 10] = [
    ("echo", echo),
    ("echo", echo),
    ("echo", echo),
    ("idle", idle),
    ("bulk down", bulk_down),
    ("bulk up", bulk_up),
    ("slow reader", slow_reader),
    ("base64", base64),
    ("pings", pings),
    ("vanishing", vanishing),
];

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Behaviour = fn(&mut Session) -> Result<(), Fault>;

#[derive(Default)]
struct World {
    /// Odd while the target is away.
    epoch: AtomicU64,
    /// The target's listeners are to go.
    away: AtomicBool,
    stop: AtomicBool,
    leisure: u64,
    random: AtomicU64,
    counts: Mutex<HashMap<(&'static str, &'static str), u64>>,
    failures: Mutex<Vec<String>>,
    accepted: AtomicU64,
    /// The target's open connections.
    served: Mutex<HashMap<u64, TcpStream>>,
}

fn main() -> ExitCode {
    let arguments: Vec<u64> = std::env::args().skip(1).map_while(|it| it.parse().ok()).collect();
    let [port, sessions, seconds, restart] = arguments[..] else {
        eprintln!("usage: soak NGINX-PORT SESSIONS SECONDS RESTART-TARGET-EVERY");
        return ExitCode::from(2);
    };
    let Ok(port) = u16::try_from(port) else { return ExitCode::from(2) };
    match run(port, sessions, Duration::from_secs(seconds), Duration::from_secs(restart)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(port: u16, sessions: u64, length: Duration, restart: Duration) -> Result<bool, Fault> {
    let leisure = if length > LONG { LEISURE } else { 1 };
    let world = Arc::new(World { leisure, ..World::default() });
    let mut target = Target::start(&world, &[0; PORTS])?;
    let ports: Vec<_> = target.ports().map(|port| port.to_string()).collect();
    println!("targets {}", ports.join(" "));
    let start = Instant::now();
    let mut clients = Vec::new();
    for number in 0..sessions {
        let world = Arc::clone(&world);
        clients.push(spawn(move || live(&world, port))?);
        // A thousand in a second.
        if number % 20 == 19 {
            thread::sleep(Duration::from_millis(20));
        }
    }
    let mut next = start + restart;
    while start.elapsed() < length {
        thread::sleep(Duration::from_millis(100));
        if Instant::now() >= next {
            target = target.restart(&world)?;
            next += restart;
        }
    }
    world.stop.store(true, Ordering::Relaxed);
    for client in clients {
        let _ = client.join();
    }
    target.stop(&world);
    Ok(report(&world))
}

fn spawn<F: FnOnce() + Send + 'static>(body: F) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().stack_size(STACK).spawn(body)
}

fn report(world: &World) -> bool {
    let counts = lock(&world.counts);
    let mut lines: Vec<_> =
        counts.iter().map(|((what, how), count)| format!("{count} {what}: {how}")).collect();
    lines.sort();
    println!("{}", lines.join("\n"));
    let failures = lock(&world.failures);
    for failure in failures.iter().take(20) {
        println!("failed: {failure}");
    }
    println!("failures {}", failures.len());
    failures.is_empty()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A number below `limit` (splitmix64).
    fn below(&self, limit: u64) -> u64 {
        let mut z = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    fn rest(&self, most: u64) {
        thread::sleep(Duration::from_millis(self.below(most * self.leisure)));
    }
}

/// One client: session after session, until the end.
fn live(world: &World, port: u16) {
    while !world.stop.load(Ordering::Relaxed) {
        let at = usize::try_from(world.below(BEHAVIOURS.len() as u64)).unwrap_or(0);
        let (what, behave) = BEHAVIOURS[at];
        let before = world.epoch.load(Ordering::SeqCst);
        let result =
            Session::open(world, port, what == "base64").and_then(|mut session| behave(&mut session));
        let calm = before % 2 == 0 && world.epoch.load(Ordering::SeqCst) == before;
        let how = match result {
            Ok(()) => "done",
            Err(_) if !calm => "cut by a restart of the target",
            Err(fault) => {
                lock(&world.failures).push(format!("{what}: {fault}"));
                "failed"
            }
        };
        *lock(&world.counts).entry((what, how)).or_default() += 1;
        if how != "done" {
            world.rest(500);
        }
    }
}

struct Session<'w> {
    world: &'w World,
    stream: TcpStream,
    sender: Sender<TcpStream>,
    receiver: Receiver<TcpStream>,
    base64: bool,
}

impl<'w> Session<'w> {
    fn open(world: &'w World, port: u16, base64: bool) -> Result<Self, Fault> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let protocols = [if base64 { "base64" } else { "binary" }.to_owned()];
        let request = Request { host: "localhost", path: "/", protocols: &protocols, headers: &[] };
        let accepted = handshake::open(&mut stream, request, &mut Keys::new())?;
        let sender = Sender::new(stream.try_clone()?);
        let receiver = Receiver::new(stream.try_clone()?, &accepted.rest);
        Ok(Self { world, stream, sender, receiver, base64 })
    }

    /// What the target shall do with so many bytes.
    fn order(&mut self, what: u8, len: usize) -> Result<(), Fault> {
        let mut order = [what, 0, 0, 0, 0];
        order[1..].copy_from_slice(&u32::try_from(len)?.to_be_bytes());
        self.send(&order)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.base64 {
            self.sender.send(Opcode::Text, STANDARD.encode(bytes).as_bytes())?;
        } else {
            self.sender.send(Opcode::Binary, bytes)?;
        }
        Ok(())
    }

    /// Receives so many bytes of the pattern, resting `most` milliseconds at times.
    fn expect(&mut self, from: usize, len: usize, most: u64) -> Result<(), Fault> {
        let (mut got, mut text) = (0, Vec::new());
        while got < len {
            let mut piece = match self.receiver.receive()? {
                Event::Data { payload, last, .. } if self.base64 => {
                    text.extend_from_slice(payload);
                    if !last {
                        continue;
                    }
                    STANDARD.decode(std::mem::take(&mut text))?
                }
                Event::Data { payload, .. } => payload.to_vec(),
                Event::Ping(payload) => {
                    let payload = payload.to_vec();
                    self.sender.send(Opcode::Pong, &payload)?;
                    continue;
                }
                other => return Err(format!("{other:?} after {got} of {len} bytes").into()),
            };
            scramble(&mut piece, from + got);
            if piece.iter().any(|&byte| byte != 0) {
                return Err(format!("wrong bytes after {got} of {len}").into());
            }
            got += piece.len();
            if most > 0 {
                self.world.rest(most);
            }
        }
        if got == len {
            Ok(())
        } else {
            Err(format!("{got} bytes instead of {len}").into())
        }
    }

    fn expect_pong(&mut self, payload: &[u8]) -> Result<(), Fault> {
        loop {
            match self.receiver.receive()? {
                Event::Pong(pong) if pong == payload => return Ok(()),
                Event::Ping(payload) => {
                    let payload = payload.to_vec();
                    self.sender.send(Opcode::Pong, &payload)?;
                }
                other => return Err(format!("{other:?} instead of a pong").into()),
            }
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.sender.close(Some(CloseCode::NORMAL), "")?;
        loop {
            match self.receiver.receive()? {
                Event::Close(body) if body.code == Some(CloseCode::NORMAL) => return Ok(()),
                Event::Ping(_) | Event::Pong(_) => {}
                other => return Err(format!("{other:?} instead of a Close").into()),
            }
        }
    }
}

/// XORs the bytes with a stream's from its byte `from` on: the stream's own become zero. Its period is a prime.
fn scramble(bytes: &mut [u8], from: usize) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        let place = (from + at) % 65_521;
        *byte ^= place.wrapping_mul(167).to_le_bytes()[0] ^ place.to_le_bytes()[1];
    }
}

fn stream_of(from: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    scramble(&mut bytes, from);
    bytes
}

fn echo(session: &mut Session) -> Result<(), Fault> {
    session.order(b'E', 0)?;
    let mut at = 0;
    for _ in 0..20 {
        let len = 1 + usize::try_from(session.world.below(2000))?;
        session.send(&stream_of(at, len))?;
        session.expect(at, len, 0)?;
        at += len;
        session.world.rest(400);
    }
    session.close()
}

fn idle(session: &mut Session) -> Result<(), Fault> {
    session.order(b'E', 0)?;
    session.world.rest(8_000);
    session.send(&stream_of(0, 10))?;
    session.expect(0, 10, 0)?;
    session.close()
}

fn bulk_down(session: &mut Session) -> Result<(), Fault> {
    session.world.rest(3_000);
    session.order(b'D', BULK)?;
    session.expect(0, BULK, 0)?;
    session.world.rest(3_000);
    session.close()
}

fn slow_reader(session: &mut Session) -> Result<(), Fault> {
    session.order(b'D', SLOW)?;
    session.world.rest(3_000);
    session.expect(0, SLOW, 100)?;
    session.close()
}

fn bulk_up(session: &mut Session) -> Result<(), Fault> {
    session.world.rest(3_000);
    session.order(b'U', BULK)?;
    let mut at = 0;
    while at < BULK {
        let len = (1 + usize::try_from(session.world.below(100_000))?).min(BULK - at);
        session.send(&stream_of(at, len))?;
        at += len;
    }
    // The target's word that it has got them all.
    session.expect(0, 1, 0)?;
    session.world.rest(3_000);
    session.close()
}

fn base64(session: &mut Session) -> Result<(), Fault> {
    echo(session)
}

fn pings(session: &mut Session) -> Result<(), Fault> {
    session.order(b'E', 0)?;
    for round in 0..10_u8 {
        let payload = vec![round; usize::from(round) * 12];
        session.sender.send(Opcode::Ping, &payload)?;
        session.expect_pong(&payload)?;
        session.world.rest(600);
    }
    session.close()
}

/// Gone in the middle of something, or with bytes unread.
fn vanishing(session: &mut Session) -> Result<(), Fault> {
    session.order(if session.world.below(2) == 0 { b'E' } else { b'D' }, SLOW)?;
    session.world.rest(2_000);
    let cut = usize::try_from(session.world.below(12))?;
    session.stream.write_all(&b"\x82\xFE\x10\x00abcdefgh"[..cut])?;
    session.world.rest(500);
    if session.world.below(2) == 0 {
        session.stream.shutdown(Shutdown::Both)?;
    }
    Ok(())
}

// The target.

/// Each port it listens at, and the thread that does.
struct Target(Vec<(u16, thread::JoinHandle<()>)>);

impl Target {
    /// Listens at these ports, 0 for one that is free.
    fn start(world: &Arc<World>, ports: &[u16]) -> io::Result<Self> {
        let serving = ports.iter().map(|&port| {
            let listener = TcpListener::bind(("127.0.0.1", port))?;
            Ok((listener.local_addr()?.port(), serve(world, listener)?))
        });
        serving.collect::<io::Result<_>>().map(Self)
    }

    fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().map(|&(port, _)| port)
    }

    fn restart(self, world: &Arc<World>) -> io::Result<Self> {
        let ports: Vec<_> = self.ports().collect();
        world.epoch.fetch_add(1, Ordering::SeqCst);
        self.stop(world);
        thread::sleep(AWAY);
        let target = Self::start(world, &ports)?;
        world.epoch.fetch_add(1, Ordering::SeqCst);
        Ok(target)
    }

    fn stop(self, world: &World) {
        world.away.store(true, Ordering::SeqCst);
        for (port, serving) in self.0 {
            // A connection of our own has the listener look up.
            let _ = TcpStream::connect(("127.0.0.1", port));
            let _ = serving.join();
        }
        for (_, stream) in lock(&world.served).drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        world.away.store(false, Ordering::SeqCst);
    }
}

fn serve(world: &Arc<World>, listener: TcpListener) -> io::Result<thread::JoinHandle<()>> {
    let world = Arc::clone(world);
    spawn(move || {
        for stream in listener.incoming() {
            if world.away.load(Ordering::SeqCst) {
                break;
            }
            let Ok(stream) = stream else { continue };
            let Ok(clone) = stream.try_clone() else { continue };
            let number = world.accepted.fetch_add(1, Ordering::Relaxed);
            lock(&world.served).insert(number, clone);
            let world = Arc::clone(&world);
            let _ = spawn(move || {
                let _ = obey(stream);
                lock(&world.served).remove(&number);
            });
        }
    })
}

fn obey(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut order = [0; 5];
    stream.read_exact(&mut order)?;
    let [what, len @ ..] = order;
    let len = u32::from_be_bytes(len) as usize;
    let mut room = vec![0; 16 * 1024];
    match what {
        b'D' => {
            let mut at = 0;
            while at < len {
                let piece = stream_of(at, room.len().min(len - at));
                stream.write_all(&piece)?;
                at += piece.len();
            }
            while stream.read(&mut room)? > 0 {}
        }
        b'U' => {
            let mut at = 0;
            while at < len {
                let got = stream.read(&mut room)?;
                scramble(&mut room[..got], at);
                if got == 0 || room[..got].iter().any(|&byte| byte != 0) {
                    // Without its word the client fails.
                    return Ok(());
                }
                at += got;
            }
            stream.write_all(&stream_of(0, 1))?;
            while stream.read(&mut room)? > 0 {}
        }
        _ => loop {
            let got = stream.read(&mut room)?;
            if got == 0 {
                break;
            }
            stream.write_all(&room[..got])?;
        },
    }
    Ok(())
}
