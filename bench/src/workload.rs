//! What is measured, by name.

use std::io::{self, Error};
use std::sync::Arc;
use std::time::Duration;

use crate::frames;
use crate::idle;
use crate::load::{Bench, Churn, Download, Echo, Tally, Task, Upload};

/// What one measurement came to: the first is what servers are compared by, and less of it is better.
pub(crate) type Figures = Vec<(&'static str, f64)>;

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) tls: bool,
    /// What programs that are no nginx are spared.
    pub(crate) nginx_only: bool,
    pub(crate) run: fn(&Bench<'_>, usize) -> io::Result<Figures>,
}

const fn workload(
    name: &'static str,
    about: &'static str,
    run: fn(&Bench<'_>, usize) -> io::Result<Figures>,
) -> Workload {
    Workload { name, about, tls: false, nginx_only: false, run }
}

/// All of them. Their second argument divides the number of sessions: 1, or more for a look at whether it works.
pub(crate) const WORKLOADS: [Workload; 19] = [
    workload("download-1", "the target sends, 1 session", |bench, _| downloads(bench, 1)),
    workload("download-8", "the target sends, 8 sessions", |bench, _| downloads(bench, 8)),
    workload("upload-64", "the client sends frames of 64 bytes, 8 sessions", |bench, _| uploads(bench, 64)),
    workload("upload-16k", "the client sends frames of 16 KiB, 8 sessions", |bench, _| {
        uploads(bench, 16 << 10)
    }),
    workload("upload-64k", "the client sends frames of 64 KiB, 8 sessions", |bench, _| {
        uploads(bench, 64 << 10)
    }),
    workload("upload-1m", "the client sends frames of 1 MiB, 8 sessions", |bench, _| uploads(bench, 1 << 20)),
    workload("echo-64-1", "64 bytes there and back, 1 session", |bench, _| echoes(bench, 64, 1)),
    workload("echo-64-64", "64 bytes there and back, 64 sessions", |bench, _| echoes(bench, 64, 64)),
    workload("echo-4k-1", "4 KiB there and back, 1 session", |bench, _| echoes(bench, 4 << 10, 1)),
    workload("echo-4k-64", "4 KiB there and back, 64 sessions", |bench, _| echoes(bench, 4 << 10, 64)),
    workload("sessions", "handshake, 64 bytes there and back, close; 16 at a time", |bench, _| churn(bench)),
    Workload {
        tls: true,
        nginx_only: true,
        ..workload("wss-download", "as download-8, the client over TLS", |bench, _| downloads(bench, 8))
    },
    Workload {
        tls: true,
        nginx_only: true,
        ..workload("wss-upload", "as upload-16k, the client over TLS", |bench, _| uploads(bench, 16 << 10))
    },
    Workload {
        nginx_only: true,
        ..workload("growth", "the target sends, 8 sessions, then 1,000", |bench, divisor| {
            let few = bench.run(many(8, || Box::<Download>::default()))?;
            let many = bench.run(many(1_000 / divisor, || Box::<Download>::default()))?;
            Ok(compared(
                ["ratio", "CPU s/GB, few", "CPU s/GB, many"],
                cpu_a_gigabyte(&few)?,
                cpu_a_gigabyte(&many)?,
            ))
        })
    },
    Workload {
        nginx_only: true,
        ..workload("growth-echo", "4 KiB there and back, 8 sessions, then 1,000", |bench, divisor| {
            let few = bench.run(echo_tasks(bench, 4 << 10, 8))?;
            let many = bench.run(echo_tasks(bench, 4 << 10, 1_000 / divisor))?;
            let names = ["ratio", "CPU us/message, few", "CPU us/message, many"];
            Ok(compared(names, cpu_a_message(&few)?, cpu_a_message(&many)?))
        })
    },
    Workload {
        nginx_only: true,
        ..workload(
            "beside-idle",
            "64 bytes, 100 sessions, alone and beside 8,000 idle ones",
            |bench, divisor| {
                let alone = bench.run(echo_tasks(bench, 64, 100))?;
                let idle = idle::open(bench, 8_000 / divisor, false)?;
                let beside = bench.run(echo_tasks(bench, 64, 100))?;
                drop(idle);
                let names = ["ratio", "CPU us/message, alone", "CPU us/message, beside"];
                Ok(compared(names, cpu_a_message(&alone)?, cpu_a_message(&beside)?))
            },
        )
    },
    Workload {
        nginx_only: true,
        ..workload("fat-and-thin", "64 bytes, 100 sessions, alone and beside a download", |bench, _| {
            let mut alone = bench.run(echo_tasks(bench, 64, 100))?;
            let mut tasks = echo_tasks(bench, 64, 100);
            tasks.push(Box::<Download>::default());
            let mut beside = bench.run(tasks)?;
            let names = ["ratio of p99", "p99 us, alone", "p99 us, beside"];
            Ok(compared(names, percentile(&mut alone, 99), percentile(&mut beside, 99)))
        })
    },
    Workload {
        nginx_only: true,
        ..workload("memory", "8,000 idle sessions, before and after 200 KB each way", |bench, divisor| {
            idle::memory(bench, 8_000 / divisor, false)
        })
    },
    Workload {
        nginx_only: true,
        ..workload("memory-greeted", "the same, with a target that speaks first", |bench, divisor| {
            idle::memory(bench, 8_000 / divisor, true)
        })
    },
];

fn many(count: usize, task: impl Fn() -> Box<dyn Task>) -> Vec<Box<dyn Task>> {
    (0..count).map(|_| task()).collect()
}

fn downloads(bench: &Bench<'_>, sessions: usize) -> io::Result<Figures> {
    bulk(&bench.run(many(sessions, || Box::<Download>::default()))?)
}

fn uploads(bench: &Bench<'_>, frame: usize) -> io::Result<Figures> {
    let period = if bench.endpoint.websocket {
        frames::stream_of(frame, bench.pattern)
    } else {
        frames::period_of(bench.pattern)
    };
    let period = Arc::new(period);
    bulk(&bench.run(many(8, || Box::new(Upload::new(Arc::clone(&period)))))?)
}

fn bulk(tally: &Tally) -> io::Result<Figures> {
    let cpu = cpu_a_gigabyte(tally)?;
    let rate = tally.bytes as f64 / 1e6 / tally.seconds;
    Ok(vec![("CPU s/GB", cpu), ("MB/s", rate), ("busy %", busy(tally))])
}

fn echo_tasks(bench: &Bench<'_>, size: usize, sessions: usize) -> Vec<Box<dyn Task>> {
    many(sessions, || Box::new(Echo::new(bench.pattern.from(0)[..size].to_vec())))
}

fn echoes(bench: &Bench<'_>, size: usize, sessions: usize) -> io::Result<Figures> {
    let mut tally = bench.run(echo_tasks(bench, size, sessions))?;
    Ok(vec![
        ("CPU us/message", cpu_a_message(&tally)?),
        ("p50 us", percentile(&mut tally, 50)),
        ("p99 us", percentile(&mut tally, 99)),
        ("messages/s", tally.messages as f64 / tally.seconds),
        ("busy %", busy(&tally)),
    ])
}

fn churn(bench: &Bench<'_>) -> io::Result<Figures> {
    let payload = || bench.pattern.from(0)[..64].to_vec();
    let tally = bench.run(many(16, || Box::new(Churn::new(payload()))))?;
    Ok(vec![
        ("CPU us/session", per(tally.cpu * 1e6, tally.sessions)?),
        ("sessions/s", tally.sessions as f64 / tally.seconds),
        ("busy %", busy(&tally)),
    ])
}

fn compared(names: [&'static str; 3], before: f64, after: f64) -> Figures {
    vec![(names[0], after / before), (names[1], before), (names[2], after)]
}

fn cpu_a_gigabyte(tally: &Tally) -> io::Result<f64> {
    per(tally.cpu * 1e9, tally.bytes)
}

fn cpu_a_message(tally: &Tally) -> io::Result<f64> {
    per(tally.cpu * 1e6, tally.messages)
}

fn per(whole: f64, count: u64) -> io::Result<f64> {
    if count == 0 {
        Err(Error::other("nothing came through"))
    } else {
        Ok(whole / count as f64)
    }
}

fn busy(tally: &Tally) -> f64 {
    100.0 * tally.cpu / tally.seconds
}

/// In microseconds.
fn percentile(tally: &mut Tally, percent: usize) -> f64 {
    let latencies = &mut tally.latencies;
    let at = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
    if latencies.is_empty() {
        0.0
    } else {
        *latencies.select_nth_unstable(at).1 as f64 / 1e3
    }
}

impl Workload {
    /// Measures once.
    pub(crate) fn measure(&self, bench: &Bench<'_>, divisor: usize) -> io::Result<Figures> {
        (self.run)(bench, divisor)
    }
}

/// How long what is quiet is left alone before it is looked at.
pub(crate) const SETTLE: Duration = Duration::from_millis(300);
