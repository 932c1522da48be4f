//! What becomes of one seed: two peers, the limits, and what interferes.

use std::collections::VecDeque;

use websockify_protocol::heartbeat::Rhythm;
use websockify_protocol::subprotocol::Encoding;
use websockify_tunnel::{Cause, FirstBytes, Limits, Msec, Tunnel};

use crate::client_end::ClientEnd;
use crate::listener::Listener;
use crate::memory::Memory;
use crate::peers::{Act, Appetite, Client, Line, Manners, Target};
use crate::random::Random;
use crate::socket::{Last, Socket, Trigger};
use crate::speech::{self, Spoken, Words};
use crate::world::{Outside, World};

type Script = VecDeque<(Msec, Act)>;

pub(crate) fn world(seed: u64) -> World {
    let random = &mut Random(seed);
    let encoding = random.pick(&[Encoding::Binary, Encoding::Binary, Encoding::Base64, Encoding::Text]);
    let trigger = random.pick(&[Trigger::Edge, Trigger::Edge, Trigger::Edge, Trigger::Level]);
    let said = target_script(random, encoding);
    let demanded = random.chance(12).then(|| demanded(random, &said));
    let (words, fault_code) = client_script(random, encoding);
    let client = client(random, encoding, trigger, (words, len_of(&said)));
    let target = target(random, trigger, (said, client.line.len()));
    let size = random.pick(&[1024, 1024, 1500, 4096, 49_152, 300_000]);
    let mut memory = Memory::new(size);
    if random.chance(6) {
        memory.fail_from(1 + random.below(6), random.chance(50));
    }
    let tunnel = Tunnel::new(0, encoding, Some(speech::MAX_FRAME_SIZE));
    let mut world = World::new(client, target, tunnel, limits(random), memory);
    if random.chance(15) {
        let rate = |random: &mut Random| random.pick(&[0, 1_000, 20_000, 100_000, 10_000_000]);
        world.pace(rate(random), rate(random));
    }
    world.fault_code = fault_code;
    world.outside = outside(random);
    if let Some((greeting, until)) = demanded {
        // A greeting that no target of ours begins with.
        let other = random.chance(50).then(|| greeting.iter().map(|byte| byte ^ 0x80).collect::<Vec<_>>());
        let texts: Vec<_> = other.iter().chain([&greeting]).map(|bytes| in_hexadecimal(bytes)).collect();
        let first_bytes = FirstBytes::parse(texts.iter().map(|text| text.as_bytes())).expect("greetings");
        world.tunnel.demand(first_bytes, until);
        world.demanded = Some((greeting, until));
    }
    if random.chance(6) {
        let end = random.up_to(60_000);
        world.expires_at = Some(end);
        world.tunnel.expire_at(end);
    }
    world
}

/// What a target must begin with: mostly what it does begin with.
fn demanded(random: &mut Random, said: &Script) -> (Vec<u8>, Msec) {
    let len = 1 + random.below(40);
    let words =
        said.iter().filter_map(|(_, act)| if let Act::Say(words) = act { Some(&words.wire) } else { None });
    let mut greeting: Vec<u8> = words.flatten().copied().take(len).collect();
    greeting.resize(len, b'x');
    if random.chance(25) {
        let at = random.below(len);
        greeting[at] ^= 1;
    }
    (greeting, random.pick(&[60_000, 60_000, 5_000, 300]))
}

fn in_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

fn limits(random: &mut Random) -> Limits {
    let sometimes =
        |random: &mut Random, percent, most| if random.chance(percent) { random.up_to(most) } else { 0 };
    Limits {
        send_timeout: random.pick(&[60_000, 60_000, 20_000, 3_000]),
        read_timeout: random.pick(&[60_000, 60_000, 20_000]),
        heartbeat: Rhythm {
            interval: random.pick(&[30_000, 30_000, 10_000, 0]),
            timeout: random.pick(&[20_000, 20_000, 5_000, 0]),
        },
        idle_timeout: sometimes(random, 12, 60_000),
        session_timeout: sometimes(random, 12, 60_000),
    }
}

fn outside(random: &mut Random) -> Option<(u64, Outside)> {
    let latest = random.pick(&[3, 20, 200]);
    let turn = 1 + random.below(latest);
    let outside = match random.below(100) {
        0..=3 => Outside::Fail(Cause::Internal),
        4..=6 => Outside::Fail(Cause::Shutdown),
        7..=13 => Outside::ShutDownAfter(random.below(10_000) as Msec),
        14..=16 => Outside::Fail(Cause::Admin("lunch")),
        _ => return None,
    };
    Some((turn as u64, outside))
}

/// A client that says no more than goodbye, beside a target's greeting there is no memory for.
pub(crate) fn goodbye_without_memory(seed: u64) -> World {
    let random = &mut Random(seed);
    let close = Act::Say(close(random));
    let greeting = || (0, Act::Say(Words::raw(vec![0; 100])));
    let mut client = client(random, Encoding::Binary, Trigger::Edge, (Script::from([(1, close)]), 100));
    client.appetite = Appetite::hearty();
    let said = Script::from([greeting(), (1, greeting().1)]);
    let target = target(random, Trigger::Edge, (said, 0));
    let mut memory = Memory::new(1024);
    memory.fail_from(random.pick(&[2, 3]), true);
    World::new(client, target, Tunnel::new(0, Encoding::Binary, None), limits(random), memory)
}

/// A client that says very much in very small frames, all at once.
pub(crate) fn flood(seed: u64) -> World {
    let random = &mut Random(seed);
    let opcodes = random.pick(&[[2, 2], [9, 9], [10, 10], [9, 2], [10, 9]]);
    let body = random.pick(&[0, 0, 1]);
    let frames = (0..50_000).map(|at| {
        let payload = random.bytes(body);
        (0, Act::Say(speech::single(random, opcodes[at % 2], &payload)))
    });
    let script = frames.collect();
    eager(random, script, Script::new())
}

/// A target each of whose bytes is read by itself.
pub(crate) fn drops(seed: u64) -> World {
    let random = &mut Random(seed);
    let said = random.bytes(2_000);
    let mut world = eager(random, Script::new(), Script::from([(1, Act::Say(Words::raw(said)))]));
    world.target.socket.largest_read = 1;
    world
}

/// Two peers that take everything at once, and say all of it at once.
fn eager(random: &mut Random, says: Script, target_says: Script) -> World {
    let mut client = client(random, Encoding::Binary, Trigger::Edge, (says, 100_000_000));
    client.appetite = Appetite::hearty();
    client.line.largest_piece = usize::MAX;
    client.end.socket.balks = 0;
    let mut target = target(random, Trigger::Edge, (target_says, 100_000_000));
    target.appetite = Appetite::hearty();
    target.line.largest_piece = usize::MAX;
    target.socket.balks = 0;
    let memory = Memory::new(random.pick(&[1024, 4096, 49_152]));
    World::new(client, target, Tunnel::new(0, Encoding::Binary, None), limits(random), memory)
}

/// Pauses of a peer: mostly none, sometimes some, and now and then one in which timeouts pass.
fn pause(random: &mut Random) -> Msec {
    match random.below(100) {
        0..=79 => 0,
        80..=95 => random.up_to(20),
        96..=98 => random.up_to(4_000),
        _ => random.up_to(70_000),
    }
}

fn target_script(random: &mut Random, encoding: Encoding) -> Script {
    let len = match random.below(100) {
        0..=9 => 0,
        10..=19 => random.below(50),
        20..=96 => random.below(200_000),
        _ => 1_000_000 + random.below(3_000_000),
    };
    let mut rest = if encoding == Encoding::Text { text(random, len) } else { random.bytes(len) };
    let mut script = Script::new();
    let drips = random.chance(20);
    while !rest.is_empty() {
        let most = if random.chance(50) && !drips { rest.len() } else { rest.len().min(1 + len / 5) };
        let after = rest.split_off(1 + random.below(most));
        let pause = if drips { random.up_to(9_000) } else { pause(random) };
        script.push_back((pause, Act::Say(Words::raw(rest))));
        rest = after;
    }
    let last = match random.below(100) {
        0..=34 => return script,
        35..=69 => Act::Leave(Last::Eof),
        70..=93 => Act::Leave(Last::Reset),
        _ => Act::BreakSends,
    };
    script.push_back((pause(random), last));
    script
}

/// About `len` bytes of UTF-8, which now and then are none from somewhere on.
fn text(random: &mut Random, len: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < len {
        text.push(random.pick(&['a', '\u{e9}', '\u{2318}', '\u{1f5a5}']));
    }
    let mut text = text.into_bytes();
    if !text.is_empty() && random.chance(20) {
        let at = random.below(text.len());
        text[at] = random.pick(&[0x80, 0xC3, 0xE2, 0xFF, b'a']);
    }
    text
}

/// What the client says and how it leaves, with the code its breach of the protocol is answered with.
fn client_script(random: &mut Random, encoding: Encoding) -> (Script, Option<u16>) {
    let mut words = speech::messages(random, encoding);
    let mut fault_code = None;
    let mut acts = Vec::new();
    let kind = random.below(100);
    if (20..76).contains(&kind) && random.chance(20) {
        words.truncate(random.below(words.len() + 1));
    }
    match kind {
        0..=19 => {}
        20..=43 => acts.push(Act::Say(close(random))),
        44..=50 => acts.extend([Act::Say(close(random)), Act::Leave(Last::Reset)]),
        51..=55 => acts.extend([Act::Say(close(random)), Act::Leave(Last::Eof)]),
        56..=66 => acts.push(Act::Leave(Last::Eof)),
        67..=75 => acts.push(Act::Leave(Last::Reset)),
        76..=82 => acts.extend([Act::Say(speech::unfinished(random, encoding)), Act::Leave(Last::Eof)]),
        83..=95 => {
            let (fault, code) = speech::fault(random, encoding);
            acts.push(Act::Say(fault));
            fault_code = Some(code);
        }
        _ => acts.push(Act::BreakSends),
    }
    let mut script: Script = words.into_iter().map(|words| (pause(random), Act::Say(words))).collect();
    let mut first = pause(random);
    for act in acts {
        script.push_back((first, act));
        first = 0;
    }
    (script, fault_code)
}

fn close(random: &mut Random) -> Words {
    let body: &[u8] = random.pick(&[b"", b"\x03\xE8", b"\x03\xE8goodbye", b"\x03\xE9", b"\x13\x87later"]);
    Words::control(random, 8, body)
}

fn client(
    random: &mut Random,
    encoding: Encoding,
    trigger: Trigger,
    (script, gets): (Script, usize),
) -> Client {
    let size = kernel(random, gets);
    let mut socket = Socket::new(random, trigger, size);
    if random.chance(10) {
        socket.fill();
    }
    let manners = Manners {
        pongs: random.pick(&[0, 0, 1, 4]),
        pong_after: random.pick(&[0, 1, 2_000, 19_000]),
        answer_after: random.pick(&[Some(0), Some(0), Some(40), Some(4_000), Some(6_000), None]),
        last_words: random.pick(&[0, 1, 100]),
        hangs_up: random.chance(30),
    };
    let mut client = Client::new(random, ClientEnd::new(socket, encoding), Listener::new(encoding), manners);
    client.line = Line::new(random, script);
    client.appetite = Appetite::random(random, gets);
    client
}

fn target(random: &mut Random, trigger: Trigger, (script, gets): (Script, usize)) -> Target {
    let size = kernel(random, gets);
    Target {
        socket: Socket::new(random, trigger, size),
        line: Line::new(random, script),
        appetite: Appetite::random(random, gets),
        slams: random.chance(20),
        spoken: Spoken::default(),
    }
}

/// The size of a kernel's buffer through which `len` bytes go.
fn kernel(random: &mut Random, len: usize) -> usize {
    random.pick(&[1, 64, 3_000, 20_000, 200_000, 8_000_000]).max(len / 100)
}

fn len_of(script: &Script) -> usize {
    script.iter().map(|(_, act)| act.len()).sum()
}
