//! The real pump between two simulated peers, in an event loop that announces nothing twice.
//!
//! Each run is made of one seed, which a failure prints; `SIMULATION_SEED=n cargo test` runs that one again, and
//! `SIMULATION_RUNS=n` says how many are run. What has to be true is in `watch.rs` for each time the pump waits, and in
//! `judge.rs` for the end.

#[path = "simulation/client_end.rs"]
mod client_end;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/listener.rs"]
mod listener;
#[path = "simulation/memory.rs"]
mod memory;
#[path = "simulation/peers.rs"]
mod peers;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/socket.rs"]
mod socket;
#[path = "simulation/speech.rs"]
mod speech;
#[path = "simulation/watch.rs"]
mod watch;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use websockify_protocol::frame::Opcode;
use websockify_tunnel::Cause;

use world::World;

/// Enough for each cause to come about many times.
const RUNS: u64 = 2_000;

#[test]
fn nothing_is_lost_and_nothing_comes_twice_and_nobody_waits_too_long() {
    let seeds = match from_environment("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("SIMULATION_RUNS").unwrap_or(RUNS),
    };
    let runs = seeds.end - seeds.start;
    let (mut turns, mut causes) = (0, BTreeMap::new());
    for seed in seeds {
        let mut world = plan::world(seed);
        let cause = live(seed, &mut world);
        turns += world.turns;
        *causes.entry(kind(cause)).or_insert(0) += 1;
    }
    println!("{runs} runs, {turns} turns, {causes:?}");
    assert!(runs < RUNS || causes.len() == KINDS, "a cause never came about: {causes:?}");
}

/// Lives one session, made of this seed. Returns why it ended.
fn live(seed: u64, world: &mut World) -> Cause {
    let life = AssertUnwindSafe(|| {
        let end = world.run();
        world.judge(end);
        end.cause
    });
    catch_unwind(life).unwrap_or_else(|panic| {
        eprintln!("the failing seed is {seed}: SIMULATION_SEED={seed} cargo test -p websockify-tunnel");
        resume_unwind(panic)
    })
}

/// How many kinds of a cause there are, the timeouts of either side apart.
const KINDS: usize = 19;

fn kind(cause: Cause) -> String {
    match cause {
        Cause::SendTimeout(side) => format!("SendTimeout{side:?}"),
        cause => format!("{cause:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_goodbye_does_not_wait_for_memory() {
    for seed in 0..200 {
        live(seed, &mut plan::goodbye_without_memory(seed));
    }
}

#[test]
fn a_turn_is_as_short_for_small_frames_as_for_large_ones() {
    assert!(yielding(plan::flood) >= 35, "all in one turn");
}

#[test]
fn a_turn_is_as_short_for_small_reads_as_for_large_ones() {
    assert!(yielding(plan::drops) >= 35, "all in one turn");
}

/// In how many of forty worlds a turn was left unfinished: in some all that was known of had been done just then.
fn yielding(plan: fn(u64) -> World) -> usize {
    let yields = |&seed: &u64| {
        let mut world = plan(seed);
        live(seed, &mut world);
        world.yields > 0
    };
    (0..40).filter(yields).count()
}

#[test]
fn opcodes_of_the_simulation_are_those_of_the_protocol() {
    assert_eq!((Opcode::Binary as u8, Opcode::Close as u8, Opcode::Ping as u8), (2, 8, 9));
}
