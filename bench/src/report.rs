//! What was measured, as a page of Markdown.

use std::fmt::Write;

use crate::server::Subject;
use crate::workload::{Workload, WORKLOADS};

/// One workload against one server, round after round.
pub(crate) struct Series {
    pub(crate) workload: &'static str,
    pub(crate) subject: String,
    /// By figure, by round. A round that failed is not in it.
    pub(crate) rounds: Vec<Vec<(&'static str, f64)>>,
    /// Which rounds those are.
    pub(crate) numbers: Vec<usize>,
    pub(crate) failures: Vec<String>,
}

impl Series {
    pub(crate) fn values(&self, figure: usize) -> Vec<f64> {
        self.rounds.iter().map(|round| round[figure].1).collect()
    }

    /// What servers are compared by.
    pub(crate) fn primary(&self) -> Option<f64> {
        median(&self.values(0))
    }

    /// Round by round, this divided by that; the median, the least and the greatest.
    pub(crate) fn ratio(&self, other: &Self, figure: usize) -> Option<(f64, f64, f64)> {
        let at = |series: &Self, number: usize| {
            let at = series.numbers.iter().position(|&it| it == number)?;
            Some(series.rounds[at].get(figure)?.1)
        };
        let ratios: Vec<f64> =
            self.numbers.iter().filter_map(|&it| Some(at(self, it)? / at(other, it)?)).collect();
        spread(&ratios)
    }
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    spread(values).map(|(median, ..)| median)
}

/// The median, the least and the greatest.
fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        len if len % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    Some((median, *sorted.first()?, *sorted.last()?))
}

/// Of nginx's own proxies the one that needs least.
pub(crate) fn best_stream<'s>(all: &'s [Series], subjects: &[Subject], workload: &str) -> Option<&'s Series> {
    let is_stream = |it: &&Series| subjects.iter().any(|of| of.name == it.subject && of.is_stream());
    all.iter()
        .filter(|it| it.workload == workload)
        .filter(is_stream)
        .filter(|it| it.primary().is_some())
        .min_by(|a, b| a.primary().unwrap_or(0.0).total_cmp(&b.primary().unwrap_or(0.0)))
}

/// All of it. `head` says when, where and of what.
pub(crate) fn page(head: &str, all: &[Series], subjects: &[Subject]) -> String {
    let mut page = format!("{head}\n");
    comparison(&mut page, all, subjects);
    for workload in &WORKLOADS {
        let rows: Vec<&Series> = all.iter().filter(|it| it.workload == workload.name).collect();
        if rows.iter().any(|row| !row.rounds.is_empty() || !row.failures.is_empty()) {
            table(&mut page, workload, &rows);
        }
    }
    page
}

/// The first subject, figure by figure, against the others, round by round.
fn comparison(page: &mut String, all: &[Series], subjects: &[Subject]) {
    let Some(first) = subjects.first() else { return };
    let others = subjects[1..].iter().filter(|it| !it.is_stream() && it.is_nginx());
    let others: Vec<&str> = others.map(|it| it.name.as_str()).collect();
    let _ = write!(page, "\n`{}` by each other's, in pairs: median (least to greatest).\n\n", first.name);
    let names: String = others.iter().map(|name| format!(" {name} |")).collect();
    let _ = writeln!(page, "| workload | figure | best stream |{names}");
    let _ = writeln!(page, "|---|---|---|{}", "---|".repeat(others.len()));
    for ours in all.iter().filter(|it| it.subject == first.name && !it.rounds.is_empty()) {
        let stream = best_stream(all, subjects, ours.workload);
        for (at, (figure, _)) in ours.rounds[0].iter().enumerate() {
            if is_aside(figure) {
                continue;
            }
            let _ = write!(page, "| {} | {figure} |", ours.workload);
            match stream.and_then(|it| Some((ours.ratio(it, at)?, &it.subject))) {
                Some((ratio, name)) => drop(write!(page, " {} of {name} |", shown_ratio(ratio))),
                None => page.push_str(" |"),
            }
            for name in &others {
                let other = all.iter().find(|it| it.workload == ours.workload && it.subject == **name);
                let ratio = other.and_then(|it| ours.ratio(it, at)).map(shown_ratio).unwrap_or_default();
                let _ = write!(page, " {ratio} |");
            }
            page.push('\n');
        }
    }
}

/// What says nothing by itself.
fn is_aside(figure: &str) -> bool {
    figure.contains('%') || figure.contains(',')
}

fn shown_ratio((median, least, greatest): (f64, f64, f64)) -> String {
    format!("**{median:.3}** ({least:.2} to {greatest:.2})")
}

fn table(page: &mut String, workload: &Workload, rows: &[&Series]) {
    let names: Vec<&str> =
        rows.iter().find_map(|row| row.rounds.first()).into_iter().flatten().map(|it| it.0).collect();
    let _ = write!(page, "\n## {}\n\n{}\n\n", workload.name, workload.about);
    let _ = writeln!(page, "| | {} |", names.join(" | "));
    let _ = writeln!(page, "|---|{}", "---:|".repeat(names.len()));
    for row in rows {
        let cells: Vec<String> = (0..names.len()).map(|at| cell(&row.values(at))).collect();
        if !row.rounds.is_empty() {
            let _ = writeln!(page, "| {} | {} |", row.subject, cells.join(" | "));
        }
    }
    for row in rows.iter().filter(|row| !row.failures.is_empty()) {
        let _ = writeln!(page, "\n{} failed {} times: {}", row.subject, row.failures.len(), row.failures[0]);
    }
}

fn cell(values: &[f64]) -> String {
    match spread(values) {
        Some((median, least, greatest)) => {
            format!("{} ({} to {})", number(median), number(least), number(greatest))
        }
        None => String::new(),
    }
}

/// Three digits that count.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[(usize, f64)]) -> Series {
        Series {
            workload: "download-8",
            subject: String::new(),
            rounds: values.iter().map(|&(_, value)| vec![("CPU s/GB", value)]).collect(),
            numbers: values.iter().map(|&(number, _)| number).collect(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn only_figures_of_the_same_round_are_compared() {
        let (ours, theirs) = (series(&[(0, 1.0), (2, 3.0)]), series(&[(1, 100.0), (2, 6.0)]));
        assert_eq!(ours.ratio(&theirs, 0), Some((0.5, 0.5, 0.5)));
    }
}
