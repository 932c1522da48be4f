//! How fast the per-byte and per-frame functions are: `cargo bench -p websockify-protocol`.
//!
//! Each line is the best of several rounds on data that stays in the cache, which is how the pump meets it.

use std::hint::black_box;
use std::time::{Duration, Instant};
use websockify_protocol::base64_stream::{encode_within, encoded_len, Base64Decoder};
use websockify_protocol::{mask, Decoder, Event, MaskingKey};

const ROUNDS: u32 = 20;

fn main() {
    // `cargo test --benches` builds and runs this too: then one short round is enough to see that it works.
    let budget = Duration::from_millis(if std::env::args().any(|arg| arg == "--bench") { 25 } else { 1 });
    let key = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);
    for size in [16, 64, 1024, 16 << 10, 48 << 10] {
        let mut bytes = vec![0x5a; size];
        let name = format!("unmask {size} bytes");
        report(&format!("{name}, scalar"), size, budget, || {
            _ = mask::apply_scalar(key, black_box(&mut bytes))
        });
        report(&name, size, budget, || _ = mask::apply(key, black_box(&mut bytes)));
        let mut bytes = vec![0x5a; size + 6];
        report(&format!("{name}, moving"), size, budget, || {
            mask::apply_moving(key, black_box(&mut bytes), 6..size + 6, 0);
        });
    }
    for size in [16, 64, 256, 4096] {
        frames(size, budget);
    }
    base64(budget);
}

/// One buffer of small frames as the pump takes it: decode, unmask and close the gaps.
fn frames(size: usize, budget: Duration) {
    let header = match size {
        0..=125 => vec![0x82, 0x80 | u8::try_from(size).unwrap_or(0), 1, 2, 3, 4],
        _ => [&[0x82, 0xfe][..], &u16::try_from(size).unwrap_or(0).to_be_bytes(), &[1, 2, 3, 4]].concat(),
    };
    let count = (48 << 10) / (header.len() + size);
    let wire = [header, vec![0x5a; size]].concat().repeat(count);
    let mut buf = wire.clone();
    let mut decoder = Decoder::new(None);
    let mut copy = Timing::new(budget);
    copy.run(|| buf.copy_from_slice(black_box(&wire)));
    let mut timing = Timing::new(budget);
    timing.run(|| {
        buf.copy_from_slice(black_box(&wire));
        let (mut at, mut out) = (0, 0);
        while let Ok(Some(step)) = decoder.decode(&buf[at..]) {
            let Event::Data { key, .. } = step.event else { break };
            let payload = at + step.skip;
            at = payload + step.len;
            mask::apply_moving(key, &mut buf, payload..at, out);
            out += step.len;
        }
        assert_eq!(out, black_box(count * size));
    });
    let each = (timing.best - copy.best) / count as f64;
    println!(
        "{:<34} {each:>8.1} ns a frame {:>8.2} GB/s",
        format!("frames of {size} bytes"),
        size as f64 / each
    );
}

fn base64(budget: Duration) {
    const RAW: usize = 33 << 10;
    let room = encoded_len(RAW);
    let mut buf = vec![0x5a; room];
    report("base64 encode, of raw bytes", RAW, budget, || {
        encode_within(black_box(&mut buf), room - RAW..room, 0);
    });
    let text = vec![b'Q'; room];
    let mut decoder = Base64Decoder::new();
    report("base64 decode, of text", room, budget, || {
        buf.copy_from_slice(black_box(&text));
        assert!(decoder.decode_within(&mut buf, 0..room, 0, true).is_ok());
    });
}

/// The best time of one call, in nanoseconds.
struct Timing {
    budget: Duration,
    best: f64,
}

impl Timing {
    fn new(budget: Duration) -> Self {
        Self { budget, best: f64::INFINITY }
    }

    fn run(&mut self, mut work: impl FnMut()) {
        for _ in 0..ROUNDS {
            let (start, mut calls) = (Instant::now(), 0_u32);
            while start.elapsed() < self.budget / ROUNDS {
                for _ in 0..16 {
                    work();
                }
                calls += 16;
            }
            self.best = self.best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
        }
    }
}

fn report(name: &str, bytes: usize, budget: Duration, work: impl FnMut()) {
    let mut timing = Timing::new(budget);
    timing.run(work);
    println!("{name:<34} {:>8.1} ns {:>8.2} GB/s", timing.best, bytes as f64 / timing.best);
}
