//! `bench`: servers between a load and a target, measured one after the other. `make bench` calls it, and
//! bench/README.md tells how to read what it writes.

mod cpu;
mod frames;
mod idle;
mod link;
mod load;
mod options;
mod pattern;
mod plot;
mod poll;
mod report;
mod server;
mod skim;
mod target;
mod tls;
mod workload;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use load::Bench;
use options::Options;
use pattern::Pattern;
use report::Series;
use server::Subject;
use target::Board;
use workload::{Figures, Workload};

fn main() -> ExitCode {
    let options = match Options::from(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(said) => {
            eprintln!("{said}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

struct World {
    pattern: Arc<Pattern>,
    target: SocketAddr,
    board: Arc<Board>,
}

/// Whether every measurement came to figures.
fn run(options: &Options) -> io::Result<bool> {
    let pattern = Arc::new(Pattern::new());
    let (target, board) = target::start(Arc::clone(&pattern))?;
    let world = World { pattern, target, board };
    let mut all: Vec<Series> = Vec::new();
    for workload in &options.workloads {
        for subject in subjects_of(options, workload) {
            all.push(Series {
                workload: workload.name,
                subject: subject.name.clone(),
                rounds: Vec::new(),
                numbers: Vec::new(),
                failures: Vec::new(),
            });
        }
    }
    for round in 0..options.rounds {
        for workload in &options.workloads {
            // The order changes, so that nobody always follows the same one.
            let mut subjects: Vec<&Subject> = subjects_of(options, workload).collect();
            let turns = round % subjects.len().max(1);
            subjects.rotate_left(turns);
            for subject in subjects {
                let figures = measure(options, &world, workload, subject);
                say(round, workload, subject, &figures);
                let of = |it: &&mut Series| it.workload == workload.name && it.subject == subject.name;
                if let Some(series) = all.iter_mut().find(of) {
                    match figures {
                        Ok(figures) => {
                            series.rounds.push(figures);
                            series.numbers.push(round);
                        }
                        Err(error) => series.failures.push(error.to_string()),
                    }
                }
            }
        }
        write(options, &all)?;
    }
    Ok(all.iter().all(|it| it.failures.is_empty()))
}

fn subjects_of<'o>(options: &'o Options, workload: &'o Workload) -> impl Iterator<Item = &'o Subject> {
    options.subjects.iter().filter(|it| it.is_nginx() || !workload.nginx_only)
}

fn measure(options: &Options, world: &World, workload: &Workload, subject: &Subject) -> io::Result<Figures> {
    world.board.spoilt.store(false, Ordering::Relaxed);
    let server = subject.start(&options.setup, world.target, workload.tls)?;
    let bench = Bench {
        endpoint: &server.endpoint,
        meter: &server.meter,
        board: &world.board,
        pattern: &world.pattern,
        warm_up: options.window.mul_f64(0.3),
        window: options.window,
    };
    workload.measure(&bench, options.divisor)
}

fn say(round: usize, workload: &Workload, subject: &Subject, figures: &io::Result<Figures>) {
    let said = match figures {
        Ok(figures) => {
            let each = figures.iter().map(|(name, value)| format!("{} {name}", report::number(*value)));
            each.collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("failed: {error}"),
    };
    println!("{:>2} {:<14} {:<14} {said}", round + 1, workload.name, subject.name);
}

fn write(options: &Options, all: &[Series]) -> io::Result<()> {
    let Some(results) = &options.results else { return Ok(()) };
    fs::write(results.with_extension("md"), report::page(&options.head, all, &options.subjects))?;
    fs::write(results.with_extension("svg"), plot::svg(&options.title, all, &options.subjects))
}
