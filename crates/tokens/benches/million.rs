//! A million tokens: how long they take to load, and one to look up: `cargo bench -p websockify-tokens`.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use websockify_tokens::{hash, Builder, Key, Table};

const KEY: Key = Key(*b"0123456789abcdef");
const ROUNDS: u32 = 5;
const RUN: usize = 1_000;

fn main() {
    // `cargo test --benches` builds and runs this too: then a few tokens are enough to see that it works.
    let count = if std::env::args().any(|arg| arg == "--bench") { 1_000_000 } else { 1_000 };
    let text = file(count);
    let mut best = f64::INFINITY;
    let mut bytes = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut builder = Builder::new(KEY);
        builder.add_file(text.as_bytes(), None).expect("a good file");
        bytes = builder.finish().expect("memory").bytes;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let size = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!("{count} tokens, {:.1} MiB of text: {:.3} s to load", size(text.len()), best);
    println!("the table: {:.1} MiB", size(bytes.len()));

    let table = Table::new(&bytes).expect("a table");
    let known = |number: u32| token(number % count);
    println!("look-up of a known token:   {:>6.1} ns", look_up(table, count, true, known));
    println!(
        "look-up of an unknown one:  {:>6.1} ns",
        look_up(table, count, false, |it| token(it | 1 << 31))
    );
}

/// In an order that no cache foresees; in nanoseconds, the median of many short runs: other work on the machine does not
/// last for most of them.
fn look_up(table: Table<'_>, count: u32, known: bool, token: impl Fn(u32) -> String) -> f64 {
    let tokens: Vec<String> = (0..count).map(|it| token(it.wrapping_mul(0x9e37_79b1))).collect();
    let time = |tokens: &[String]| {
        let start = Instant::now();
        for token in tokens {
            assert_eq!(black_box(table.find(black_box(token.as_bytes()))).is_some(), known);
        }
        start.elapsed().as_secs_f64() * 1e9 / tokens.len() as f64
    };
    let mut times: Vec<f64> = tokens.chunks(RUN).map(time).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// 32 hexadecimal digits, as `openssl rand -hex 16` makes them.
fn token(number: u32) -> String {
    let bytes = number.to_le_bytes();
    format!("{:016x}{:016x}", hash(KEY, &bytes), hash(KEY, &[bytes, bytes].concat()))
}

fn file(count: u32) -> String {
    let mut text = String::new();
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        writeln!(text, "{}: 10.{a}.{b}.{c}:5900", token(number)).expect("memory");
    }
    text
}
