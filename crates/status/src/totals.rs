//! Sums over all processes.

use crate::chunk::{Chunks, RECORDS};
use crate::counters::{Counters, OPENED, PLAINS, TALLIES};
use crate::event::{kind_of, ENDED};
use crate::table::Table;

/// Keys and counts.
type Tally = Vec<(u64, u64)>;

/// What all processes have counted.
pub struct Totals<'t> {
    pub(crate) table: Table<'t>,
    /// How many processes have a slot.
    pub(crate) workers: usize,
    /// How many sessions have a record.
    pub(crate) listed: u64,
    /// By the number of the name; of those that have counted anything.
    pub(crate) names: Vec<Sum>,
}

/// What is counted of the sessions of one name.
#[derive(Clone)]
pub(crate) struct Sum {
    pub(crate) name: usize,
    pub(crate) plain: [u64; PLAINS],
    pub(crate) tally: Tally,
}

impl<'t> Totals<'t> {
    /// Adds up. `None` when memory is out.
    #[must_use]
    pub fn of(table: Table<'t>) -> Option<Self> {
        let mut names = Vec::new();
        names.try_reserve_exact(table.names()).ok()?;
        for name in 0..table.names() {
            names.push(Sum { name, plain: [0; PLAINS], tally: Vec::new() });
        }
        for counters in table.slots().flat_map(|slot| slot.all_counters()) {
            let Some(sum) = names.get_mut(counters.name()) else { continue };
            let (plain, tally) = steady(counters)?;
            for (key, count) in tally {
                sum.add(key, count)?;
            }
            for (sum, plain) in sum.plain.iter_mut().zip(plain) {
                *sum += plain;
            }
        }
        names.retain(|sum| sum.name == 0 || sum.has_any());
        for sum in &mut names {
            sum.tally.sort_unstable();
        }
        let listed = Chunks::of(table)
            .filter(|chunk| chunk.slot().is_some())
            .map(|chunk| (0..RECORDS).filter(|&at| chunk.read(at).is_some()).count() as u64)
            .sum();
        Some(Self { table, workers: table.claimed().count(), listed, names })
    }

    pub(crate) fn active(&self) -> u64 {
        self.names.iter().map(Sum::active).sum()
    }
}

/// Counters as they were at one time, if their process leaves them alone for a moment.
fn steady(counters: Counters<'_>) -> Option<([u64; PLAINS], Tally)> {
    const TRIES: usize = 16;
    let mut tally = Vec::new();
    tally.try_reserve_exact(TALLIES).ok()?;
    let mut plain = [0; PLAINS];
    for _ in 0..TRIES {
        tally.clear();
        // The ends first: what has ended was opened before.
        tally.extend(counters.tallies());
        plain = std::array::from_fn(|at| counters.plain(at));
        if tally.iter().copied().eq(counters.tallies()) {
            break;
        }
    }
    Some((plain, tally))
}

impl Sum {
    fn add(&mut self, key: u64, count: u64) -> Option<()> {
        match self.tally.iter_mut().find(|(other, _)| *other == key) {
            Some((_, sum)) => *sum += count,
            None => {
                self.tally.try_reserve(1).ok()?;
                self.tally.push((key, count));
            }
        }
        Some(())
    }

    fn has_any(&self) -> bool {
        self.plain.iter().any(|&count| count > 0) || !self.tally.is_empty()
    }

    pub(crate) fn of_kind(&self, kind: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.tally.iter().copied().filter(move |&(key, _)| kind_of(key) == kind)
    }

    pub(crate) fn active(&self) -> u64 {
        let ended: u64 = self.of_kind(ENDED).map(|(_, count)| count).sum();
        self.plain[OPENED].saturating_sub(ended)
    }
}
