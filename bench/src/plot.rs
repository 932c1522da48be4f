//! The same as a picture: what each server needs, by what nginx's own proxy needs.

use std::fmt::Write;

use crate::report::{best_stream, number, Series};
use crate::server::Subject;
use crate::workload::WORKLOADS;

const WIDTH: f64 = 820.0;
const LEFT: f64 = 240.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 13.0;
/// Beyond this a bar is cut, and its figure says how long it would be.
const LONGEST: f64 = 3.0;
const COLOURS: [&str; 8] =
    ["#0b7a75", "#c44536", "#6c5b7b", "#d9a441", "#3a6ea5", "#7f8c8d", "#a26769", "#5b8e7d"];

/// A bar chart of `subjects`' CPU time in each workload; the best of nginx's stream proxies is 1.
pub(crate) fn svg(title: &str, all: &[Series], subjects: &[Subject]) -> String {
    let shown: Vec<&Subject> = subjects.iter().filter(|it| !it.is_stream()).collect();
    let mut body = String::new();
    let mut y = 58.0 + 18.0 * rows(shown.len()) as f64;
    for workload in &WORKLOADS {
        // These are ratios themselves.
        if workload.name.starts_with("growth")
            || workload.name.contains("beside")
            || workload.name.contains("fat")
        {
            continue;
        }
        let Some((stream, one)) =
            best_stream(all, subjects, workload.name).and_then(|it| Some((it, it.primary()?)))
        else {
            continue;
        };
        let top = y;
        for (at, subject) in shown.iter().enumerate() {
            let of = |it: &&Series| it.workload == workload.name && it.subject == subject.name;
            if let Some(value) = all.iter().find(of).and_then(Series::primary) {
                bar(&mut body, y, value / one, COLOURS[at % COLOURS.len()]);
                y += BAR + 2.0;
            }
        }
        let figure = stream.rounds.first().map(|it| it[0].0).unwrap_or_default();
        let label = format!("{} ({figure}; 1 = {})", workload.name, number(one));
        let _ = writeln!(
            body,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 8.0,
            (top + y) / 2.0 + 3.0
        );
        y += 10.0;
    }
    let one = LEFT + scale(1.0);
    let legend = legend(&shown);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"22\" font-size=\"15\">{title}</text>\n\
         <text x=\"16\" y=\"40\" fill=\"#555\">Less is better. 1 is nginx's stream proxy with the buffer that suits it \
         best.</text>\n{legend}{body}<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"54\" y2=\"{y:.0}\" stroke=\"#000\" \
         stroke-dasharray=\"3 3\"/>\n</svg>\n"
    )
}

fn rows(names: usize) -> usize {
    names.div_ceil(4)
}

fn scale(value: f64) -> f64 {
    value.min(LONGEST) / LONGEST * (WIDTH - LEFT - RIGHT)
}

fn bar(body: &mut String, y: f64, value: f64, colour: &str) {
    let width = scale(value);
    let _ = writeln!(
        body,
        "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        LEFT + width + 4.0,
        y + BAR - 3.0,
        number(value)
    );
}

fn legend(subjects: &[&Subject]) -> String {
    let mut legend = String::new();
    for (at, subject) in subjects.iter().enumerate() {
        let (x, y) = (16.0 + 200.0 * (at % 4) as f64, 50.0 + 18.0 * (at / 4) as f64);
        let _ = writeln!(
            legend,
            "<rect x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            COLOURS[at % COLOURS.len()],
            x + 15.0,
            y + 9.0,
            subject.name
        );
    }
    legend
}
