//! Figures in the text format of Prometheus.

use std::fmt::{Result, Write};

use crate::counters::{
    BOUNDS, BYTES_RECEIVED, BYTES_SENT, FRAMES_RECEIVED, FRAMES_SENT, OPENED, ORDERED, PINGS, ROUND_TRIPS,
    ROUND_TRIP_SUM,
};
use crate::event::{cause_of, Code, ENDED, REFUSED, UNCONNECTED};
use crate::text::{Escaped, Seconds};
use crate::totals::{Sum, Totals};

/// Writes the figures in the text format of Prometheus (version 0.0.4).
///
/// # Errors
///
/// When `out` has no room.
pub fn write_metrics(out: &mut impl Write, totals: &Totals<'_>, version: &str) -> Result {
    let mut page = Page { out, totals };
    page.family("build_info", "gauge", "The version of the module.")?;
    writeln!(page.out, "websockify_build_info{{version=\"{version}\"}} 1")?;
    page.single(
        "workers",
        "Worker processes, those of older configurations included.",
        totals.workers as u64,
    )?;
    page.gauge("sessions_active", "Sessions that are open.", Sum::active)?;
    let unlisted = totals.active().saturating_sub(totals.listed);
    page.single("sessions_unlisted", "Open sessions for which the zone has no room.", unlisted)?;
    page.counter("sessions_opened_total", "Sessions that have begun.", OPENED)?;
    page.events("sessions_ended_total", "Sessions that have ended.", ENDED, Some("code"))?;
    page.counter("sessions_ordered_total", "Sessions that were told to end.", ORDERED)?;
    page.events("handshakes_refused_total", "Handshakes that were refused.", REFUSED, Some("status"))?;
    page.events("connect_failures_total", "Targets that were not connected.", UNCONNECTED, None)?;
    page.counter("received_bytes_total", "Payload from clients.", BYTES_RECEIVED)?;
    page.counter("sent_bytes_total", "Payload to clients.", BYTES_SENT)?;
    page.counter("received_frames_total", "Data frames from clients.", FRAMES_RECEIVED)?;
    page.counter("sent_frames_total", "Data frames to clients.", FRAMES_SENT)?;
    page.counter("pings_total", "Pings to clients.", PINGS)?;
    page.round_trips()
}

struct Page<'a, 't, W> {
    out: &'a mut W,
    totals: &'a Totals<'t>,
}

impl<W: Write> Page<'_, '_, W> {
    fn family(&mut self, name: &str, kind: &str, help: &str) -> Result {
        writeln!(self.out, "# HELP websockify_{name} {help}\n# TYPE websockify_{name} {kind}")
    }

    fn single(&mut self, name: &str, help: &str, value: u64) -> Result {
        self.family(name, "gauge", help)?;
        writeln!(self.out, "websockify_{name} {value}")
    }

    fn gauge(&mut self, name: &str, help: &str, value: fn(&Sum) -> u64) -> Result {
        self.family(name, "gauge", help)?;
        for sum in &self.totals.names {
            self.sample(name, sum, "", value(sum))?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, at: usize) -> Result {
        self.family(name, "counter", help)?;
        for sum in &self.totals.names {
            self.sample(name, sum, "", sum.plain[at])?;
        }
        Ok(())
    }

    fn events(&mut self, name: &str, help: &str, kind: u64, code: Option<&str>) -> Result {
        self.family(name, "counter", help)?;
        for sum in &self.totals.names {
            for (key, count) in sum.of_kind(kind) {
                self.begin(name, sum)?;
                write!(self.out, ",cause=\"{}\"", cause_of(key))?;
                if let Some(code) = code {
                    write!(self.out, ",{code}=\"{}\"", Code(key))?;
                }
                writeln!(self.out, "}} {count}")?;
            }
        }
        Ok(())
    }

    fn round_trips(&mut self) -> Result {
        const NAME: &str = "round_trip_seconds";
        self.family(NAME, "histogram", "How long pings took there and back.")?;
        for sum in &self.totals.names {
            let mut count = 0;
            for (at, &bound) in BOUNDS.iter().enumerate() {
                count += sum.plain[ROUND_TRIPS + at];
                self.begin("round_trip_seconds_bucket", sum)?;
                writeln!(self.out, ",le=\"{}\"}} {count}", Seconds(bound))?;
            }
            count += sum.plain[ROUND_TRIPS + BOUNDS.len()];
            self.begin("round_trip_seconds_bucket", sum)?;
            writeln!(self.out, ",le=\"+Inf\"}} {count}")?;
            self.begin("round_trip_seconds_sum", sum)?;
            writeln!(self.out, "}} {}", Seconds(sum.plain[ROUND_TRIP_SUM]))?;
            self.sample("round_trip_seconds_count", sum, "", count)?;
        }
        Ok(())
    }

    fn sample(&mut self, name: &str, sum: &Sum, labels: &str, value: u64) -> Result {
        self.begin(name, sum)?;
        writeln!(self.out, "{labels}}} {value}")
    }

    fn begin(&mut self, name: &str, sum: &Sum) -> Result {
        let given = self.totals.table.name_of(sum.name);
        write!(self.out, "websockify_{name}{{name=\"{}\"", Escaped(&given))
    }
}
