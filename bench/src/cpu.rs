//! What /proc tells of a server: processor time and memory, of all its processes.

use std::fs;
use std::io;

/// Of the kernel's clock, in which it tells the time of processes that have ended.
const TICKS: f64 = 100.0;

/// A server by its group of processes.
pub(crate) struct Meter(pub(crate) u32);

impl Meter {
    /// Processor time used so far, in seconds.
    pub(crate) fn seconds(&self) -> io::Result<f64> {
        let mut seconds = 0.0;
        for process in members(self.0)? {
            // A process may have ended meanwhile, and a thread too.
            let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for thread in threads {
                // Nanoseconds on a processor.
                let Ok(line) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
                seconds += field(&line, 0)? / 1e9;
            }
            let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
            // cutime and cstime.
            let fields = behind_name(&stat);
            seconds += (field(fields, 13)? + field(fields, 14)?) / TICKS;
        }
        Ok(seconds)
    }

    /// Memory that is the server's own, in KiB.
    pub(crate) fn memory(&self) -> io::Result<f64> {
        let mut sum = 0.0;
        for process in members(self.0)? {
            let Ok(rollup) = fs::read_to_string(format!("/proc/{process}/smaps_rollup")) else { continue };
            let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
            for line in lines {
                sum += field(line, 1)?;
            }
        }
        Ok(sum)
    }
}

fn field(line: &str, number: usize) -> io::Result<f64> {
    let field = line.split_whitespace().nth(number).and_then(|field| field.parse().ok());
    field.ok_or_else(|| io::Error::other(format!("no number {number} in {line:?}")))
}

/// The processes of a group.
fn members(group: u32) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if behind_name(&stat).split_whitespace().nth(2) == Some(&group.to_string()) {
            found.push(process);
        }
    }
    Ok(found)
}

/// The fields of a line of `stat` behind the name, which is in parentheses and may hold anything.
fn behind_name(stat: &str) -> &str {
    stat.rsplit(") ").next().unwrap_or_default()
}
