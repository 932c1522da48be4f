//! The command line, which `scripts/bench` makes.

use std::path::PathBuf;
use std::time::Duration;

use crate::server::{Kind, Setup, Subject};
use crate::workload::{Workload, WORKLOADS};

pub(crate) struct Options {
    pub(crate) setup: Setup,
    /// The first one is compared with the others.
    pub(crate) subjects: Vec<Subject>,
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    /// Divides the number of idle sessions.
    pub(crate) divisor: usize,
    /// Where the results go, without their suffix.
    pub(crate) results: Option<PathBuf>,
    pub(crate) title: String,
    pub(crate) head: String,
}

const USAGE: &str = "usage: bench --nginx FILE --work DIRECTORY [--stream-module FILE]
  --module NAME=FILE[,DIRECTIVES]  --stream NAME=SIZE  --lighttpd NAME=FILE  --websocat NAME=FILE  --program \"NAME=WORD...\"
  [--rounds NUMBER] [--seconds NUMBER] [--divisor NUMBER] [--results FILE] [--title TEXT] [--head TEXT]
  [--list] [WORKLOAD...]";

impl Options {
    pub(crate) fn from(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            setup: Setup { nginx: PathBuf::new(), stream_module: None, work: PathBuf::new() },
            subjects: Vec::new(),
            workloads: Vec::new(),
            rounds: 5,
            window: Duration::from_secs(1),
            divisor: 1,
            results: None,
            title: String::new(),
            head: String::new(),
        };
        while let Some(word) = words.next() {
            if word == "--list" {
                return Err(list());
            }
            match word.strip_prefix("--") {
                Some(name) => options.set(name, &words.next().ok_or(USAGE)?)?,
                None => {
                    for workload in chosen(&word)? {
                        if options.workloads.iter().all(|it| it.name != workload.name) {
                            options.workloads.push(workload);
                        }
                    }
                }
            }
        }
        if options.workloads.is_empty() {
            options.workloads = WORKLOADS.iter().collect();
        }
        if options.subjects.is_empty() {
            Err(USAGE.into())
        } else {
            Ok(options)
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |_| format!("--{name} {value}: no number");
        match name {
            "nginx" => self.setup.nginx = value.into(),
            "work" => self.setup.work = value.into(),
            "stream-module" => self.setup.stream_module = Some(value.into()),
            "module" => self.add(value, |file| {
                let (file, directives) = file.split_once(',').unwrap_or((file, ""));
                Kind::Module(file.into(), directives.into())
            })?,
            "stream" => self.add(value, |size| Kind::Stream(size.into()))?,
            "program" => {
                self.add(value, |words| Kind::Program(words.split(' ').map(str::to_owned).collect()))?;
            }
            "lighttpd" => self.add(value, |file| Kind::Lighttpd(file.into()))?,
            "websocat" => self.add(value, |file| Kind::Websocat(file.into()))?,
            "rounds" => self.rounds = value.parse().map_err(wrong)?,
            "divisor" => self.divisor = value.parse().map_err(wrong)?,
            "seconds" => {
                let seconds = value.parse().map_err(|_| format!("--{name} {value}: no number"))?;
                self.window = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
            }
            "results" => self.results = Some(value.into()),
            "title" => self.title = value.into(),
            "head" => self.head = value.into(),
            _ => return Err(USAGE.into()),
        }
        Ok(())
    }

    fn add(&mut self, value: &str, kind: impl Fn(&str) -> Kind) -> Result<(), String> {
        let (name, rest) = value.split_once('=').ok_or(USAGE)?;
        self.subjects.push(Subject { name: name.into(), kind: kind(rest) });
        Ok(())
    }
}

/// Those whose name is `word` or begins with it and a dash.
fn chosen(word: &str) -> Result<Vec<&'static Workload>, String> {
    let begins = |it: &&Workload| it.name.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'));
    let exact = WORKLOADS.iter().filter(|it| it.name == word);
    let found: Vec<_> = exact.chain(WORKLOADS.iter().filter(begins)).collect();
    if found.is_empty() {
        Err(format!("no such workload: {word}\n{}", list()))
    } else {
        Ok(found)
    }
}

fn list() -> String {
    WORKLOADS.iter().map(|it| format!("{:<16} {}", it.name, it.about)).collect::<Vec<_>>().join("\n")
}
