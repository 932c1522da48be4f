//! Numbers by which sessions are told apart, in the logs of all workers and for good.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The next session's number before it is mixed; 0 until the worker has begun somewhere.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A number that no other session has. Each worker counts from a random place of its own, so two of them would have to
/// begin within a few million of 2^64 places to meet.
pub(crate) fn next() -> u64 {
    if NEXT.load(Ordering::Relaxed) == 0 {
        NEXT.store(beginning(), Ordering::Relaxed);
    }
    mix(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Workers are copies of their master, whatever is random in it included; their process numbers are not.
fn beginning() -> u64 {
    RandomState::new().hash_one((std::process::id(), SystemTime::now()))
}

/// Spreads neighbours over all 64 bits, each number to another one (the last steps of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
