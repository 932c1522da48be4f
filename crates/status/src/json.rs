//! Figures and sessions as JSON.

use std::fmt::{Result, Write};

use crate::chunk::{Chunks, Listed, RECORDS};
use crate::counters::{
    BOUNDS, BYTES_RECEIVED, BYTES_SENT, FRAMES_RECEIVED, FRAMES_SENT, OPENED, PINGS, ROUND_TRIPS,
    ROUND_TRIP_SUM,
};
use crate::event::{cause_of, Code, ENDED, REFUSED, UNCONNECTED};
use crate::table::Table;
use crate::text::{Escaped, Seconds};
use crate::totals::{Sum, Totals};

/// Writes the figures of all names as a JSON object.
///
/// # Errors
///
/// When `out` has no room.
pub fn write_totals(out: &mut impl Write, totals: &Totals<'_>, version: &str) -> Result {
    let (size, used) = totals.table.size();
    write!(out, "{{\"version\":\"{version}\",\"workers\":{},", totals.workers)?;
    write!(out, "\"zone\":{{\"size\":{size},\"used\":{used}}},")?;
    let unlisted = totals.active().saturating_sub(totals.listed);
    write!(
        out,
        "\"active\":{},\"listed\":{},\"unlisted\":{unlisted},\"names\":[",
        totals.active(),
        totals.listed
    )?;
    for (at, sum) in totals.names.iter().enumerate() {
        write_comma(out, at)?;
        write_sum(out, totals.table, sum)?;
    }
    out.write_str("]}\n")
}

fn write_sum(out: &mut impl Write, table: Table<'_>, sum: &Sum) -> Result {
    let name = table.name_of(sum.name);
    write!(out, "{{\"name\":\"{}\",", Escaped(&name))?;
    write!(out, "\"active\":{},\"opened\":{},", sum.active(), sum.plain[OPENED])?;
    write_events(out, sum, "ended", ENDED, Some("code"))?;
    write_events(out, sum, "refused", REFUSED, Some("status"))?;
    write_events(out, sum, "connect_failures", UNCONNECTED, None)?;
    write!(
        out,
        "\"bytes_received\":{},\"bytes_sent\":{},\"frames_received\":{},\"frames_sent\":{},\"pings\":{},",
        sum.plain[BYTES_RECEIVED],
        sum.plain[BYTES_SENT],
        sum.plain[FRAMES_RECEIVED],
        sum.plain[FRAMES_SENT],
        sum.plain[PINGS],
    )?;
    let count: u64 = sum.plain[ROUND_TRIPS..=ROUND_TRIPS + BOUNDS.len()].iter().sum();
    write!(
        out,
        "\"round_trip\":{{\"count\":{count},\"sum\":{},\"buckets\":[",
        Seconds(sum.plain[ROUND_TRIP_SUM])
    )?;
    for (at, &bound) in BOUNDS.iter().enumerate() {
        write_comma(out, at)?;
        write!(out, "{{\"le\":{},\"count\":{}}}", Seconds(bound), sum.plain[ROUND_TRIPS + at])?;
    }
    out.write_str("]}}")
}

fn write_events(out: &mut impl Write, sum: &Sum, title: &str, kind: u64, code: Option<&str>) -> Result {
    write!(out, "\"{title}\":[")?;
    for (at, (key, count)) in sum.of_kind(kind).enumerate() {
        write_comma(out, at)?;
        write!(out, "{{\"cause\":\"{}\",", cause_of(key))?;
        if let Some(code) = code {
            write!(out, "\"{code}\":\"{}\",", Code(key))?;
        }
        write!(out, "\"count\":{count}}}")?;
    }
    out.write_str("],")
}

/// Writes the live sessions as a JSON object; `now` is on the clock of [`Record`](crate::Record), and `control` says
/// whether the reader may end them.
///
/// # Errors
///
/// When `out` has no room.
pub fn write_sessions(out: &mut impl Write, table: Table<'_>, now: u64, control: bool) -> Result {
    write!(out, "{{\"control\":{control},\"sessions\":[")?;
    let mut written = 0;
    for chunk in Chunks::of(table).filter(|chunk| chunk.slot().is_some()) {
        for session in (0..RECORDS).filter_map(|at| chunk.read(at)) {
            write_comma(out, written)?;
            write_session(out, table, &session, now)?;
            written += 1;
        }
    }
    out.write_str("]}\n")
}

fn write_session(out: &mut impl Write, table: Table<'_>, session: &Listed, now: u64) -> Result {
    write!(out, "\n{{\"id\":\"{:016x}\",", session.id)?;
    if session.name > 0 {
        write!(out, "\"name\":\"{}\",", Escaped(&table.name_of(session.name)))?;
    }
    write!(out, "\"client\":\"{}\",", Escaped(&session.client))?;
    write!(out, "\"target\":\"{}\",", Escaped(&session.target))?;
    write!(
        out,
        "\"age\":{},\"idle\":{},\"bytes_received\":{},\"bytes_sent\":{},",
        Seconds(now.saturating_sub(session.opened_at)),
        Seconds(now.saturating_sub(session.payload_at)),
        session.bytes_received,
        session.bytes_sent,
    )?;
    match session.round_trip {
        Some(time) => write!(out, "\"round_trip\":{}}}", Seconds(time)),
        None => out.write_str("\"round_trip\":null}"),
    }
}

fn write_comma(out: &mut impl Write, at: usize) -> Result {
    if at > 0 {
        out.write_char(',')
    } else {
        Ok(())
    }
}
