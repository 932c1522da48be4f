//! `websockify_status`: figures and live sessions of all workers, and how to end one.

use std::fmt;

use nginx_sys::ngx_int_t;
use websockify_protocol::origin::{Given, Origins, Site};
use websockify_status::{
    field, write_metrics, write_sessions, write_totals, Listed, Order, Reason, Table, Text, Totals,
};

use crate::books::Books;
use crate::conf::main::MainConf;
use crate::conf::zone::Shown;
use crate::conf::LocConf;
use crate::nginx::bell::Listener;
use crate::nginx::conf::main::main;
use crate::nginx::conf::{location, ContentHandler};
use crate::nginx::request::Request;
use crate::nginx::response::BodyHandler;
use crate::nginx::upstream::visit;
use crate::nginx::{is_exiting, now};
use crate::session::Session;
use crate::tunnel;

const VERSION: &str = env!("CARGO_PKG_VERSION");

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

const PAGE: &str = include_str!("status/page.html");
const STYLE: &str = include_str!("status/page.css");
const SCRIPT: &str = include_str!("status/page.js");
/// The page is what its three files say, and shows nobody else's.
const POLICY: &[u8] =
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers the requests of a location with `websockify_status`.
pub(crate) struct Status;

impl ContentHandler for Status {
    fn handle(request: Request) -> ngx_int_t {
        answer(request).unwrap_or_else(|status| status as ngx_int_t)
    }
}

/// # Errors
///
/// The status to answer with.
fn answer(request: Request) -> Result<ngx_int_t, u16> {
    if request.is_post() {
        return begin_control(request);
    }
    if !request.is_get_or_head() {
        request.discard_body();
        return if request.add_header("Allow", b"GET, HEAD, POST") { Err(405) } else { Err(500) };
    }
    request.discard_body();
    let wanted = Format::wanted(request);
    if let Some((kind, text)) = wanted.file() {
        return if add_headers(request) && request.add_header("Content-Security-Policy", POLICY) {
            Ok(request.respond_with(200, kind, text.as_bytes()))
        } else {
            Err(500)
        };
    }
    let books = &main::<MainConf>(request).zone.books;
    books.bury_dead();
    let table = books.table().ok_or(503_u16)?;
    let shown = location::<LocConf>(request).shown;
    let (kind, text) = match wanted {
        Format::Sessions if shown < Shown::Sessions => return Err(403),
        Format::Sessions => (JSON, written(|out| write_sessions(out, table, now(), shown == Shown::Control))),
        Format::Metrics => (METRICS, written(|out| write_metrics(out, &sums(table)?, VERSION))),
        _ => (JSON, written(|out| write_totals(out, &sums(table)?, VERSION))),
    };
    respond(request, 200, kind, text.ok_or(500_u16)?)
}

/// What a request wants to see.
enum Format {
    Json,
    Metrics,
    Sessions,
    Page,
    Style,
    Script,
}

impl Format {
    fn wanted(request: Request) -> Self {
        let arguments = request.arguments();
        if field(arguments, "sessions").is_some() {
            return Self::Sessions;
        }
        match field(arguments, "file").as_deref() {
            Some(b"page.css") => return Self::Style,
            Some(b"page.js") => return Self::Script,
            _ => {}
        }
        match field(arguments, "format").as_deref() {
            Some(b"prometheus") => return Self::Metrics,
            Some(b"json") => return Self::Json,
            Some(b"html") => return Self::Page,
            _ => {}
        }
        let accepts = |kind: &str| {
            request.header_values("accept").any(|value| {
                value.windows(kind.len()).any(|window| window.eq_ignore_ascii_case(kind.as_bytes()))
            })
        };
        if accepts("text/html") {
            Self::Page
        } else if !accepts("application/json") && (accepts("text/plain") || accepts("openmetrics")) {
            Self::Metrics
        } else {
            Self::Json
        }
    }
}

impl Format {
    /// What is no figure: its type, and it.
    fn file(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Page => Some(("text/html; charset=utf-8", PAGE)),
            Self::Style => Some(("text/css", STYLE)),
            Self::Script => Some(("text/javascript", SCRIPT)),
            Self::Json | Self::Metrics | Self::Sessions => None,
        }
    }
}

fn sums(table: Table<'static>) -> Result<Totals<'static>, fmt::Error> {
    Totals::of(table).ok_or(fmt::Error)
}

/// `None` when memory is out.
fn written(write: impl FnOnce(&mut Text) -> fmt::Result) -> Option<Vec<u8>> {
    let mut text = Text::default();
    write(&mut text).ok()?;
    Some(text.into_bytes())
}

fn respond(request: Request, status: u16, kind: &'static str, text: Vec<u8>) -> Result<ngx_int_t, u16> {
    if add_headers(request) {
        Ok(request.respond(status, kind, text))
    } else {
        Err(500)
    }
}

fn add_headers(request: Request) -> bool {
    request.add_header("Cache-Control", b"no-store")
        && request.add_header("X-Content-Type-Options", b"nosniff")
        && request.add_header("Referrer-Policy", b"no-referrer")
}

fn begin_control(request: Request) -> Result<ngx_int_t, u16> {
    if location::<LocConf>(request).shown < Shown::Control {
        request.discard_body();
        return Err(403);
    }
    if !is_from_own_page(request) {
        request
            .log()
            .info(format_args!("client sent a POST from a page of another origin, no session is ended"));
        request.discard_body();
        return Err(403);
    }
    Ok(request.read_body::<Control>())
}

/// Browsers say from which page a POST comes. Programs do not, and have no passwords of somebody else's.
fn is_from_own_page(request: Request) -> bool {
    let given = Given::of(request.header_values("origin"));
    let site = Site { secure: request.is_tls(), host: request.header_values("host").next() };
    Origins::OWN_OR_NONE.judge(given, site).is_ok()
}

/// Ends sessions, as a form says.
struct Control;

impl BodyHandler for Control {
    fn handle(request: Request) -> ngx_int_t {
        control(request).unwrap_or_else(|status| status as ngx_int_t)
    }
}

fn control(request: Request) -> Result<ngx_int_t, u16> {
    let form = request.body().ok_or(413_u16)?;
    let books = &main::<MainConf>(request).zone.books;
    let table = books.table().ok_or(503_u16)?;
    // A worker that goes may not have the bells of those that came after it.
    if is_exiting() {
        return Err(503);
    }
    let reason = field(form, "reason").unwrap_or_default();
    let reason = std::str::from_utf8(&reason).map_err(|_| 400_u16)?;
    let order = order(table, form, cut(reason)).ok_or(400_u16)?;
    if !books.spread(&order) {
        request.log().error(format_args!("a worker cannot be told to end its sessions"));
    }
    request.log().notice(format_args!("sessions ended by an administrator: {}", order.count));
    let status = if order.count == 0 { 404 } else { 200 };
    let text = written(|out| fmt::Write::write_fmt(out, format_args!("{{\"ended\":{}}}\n", order.count)));
    respond(request, status, JSON, text.ok_or(500_u16)?)
}

/// `None` where the form does not say which sessions it means.
fn order(table: Table<'static>, form: &[u8], reason: &str) -> Option<Order> {
    let give = |meant: &dyn Fn(&Listed) -> bool| Some(table.order(reason.as_bytes(), meant));
    if let Some(id) = field(form, "id") {
        let id = std::str::from_utf8(&id).ok().filter(|id| id.len() == 16)?;
        let id = u64::from_str_radix(id, 16).ok()?;
        return give(&|listed| listed.id == id);
    }
    if let Some(target) = field(form, "target").filter(|target| !target.is_empty()) {
        let hash = table.hash(&target);
        return give(&|listed| listed.target_hash == hash);
    }
    let token = field(form, "token").filter(|token| !token.is_empty())?;
    let hash = table.hash(&token);
    give(&|listed| listed.token_hash == hash)
}

/// As much of a reason as a Close frame has room for.
fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(websockify_status::MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

impl Listener for Status {
    type About = MainConf;

    /// Some worker has ordered sessions of this one to end.
    fn on_bell(main: &'static MainConf) {
        end_ordered(&main.zone.books);
    }
}

fn end_ordered(books: &Books) {
    let mut from = 0;
    while let Some((request, reason)) = books.take_ordered(&mut from) {
        visit(request, |session: &Session, request, upstream| {
            tunnel::end_by_order(session, request, upstream, text_of(&reason));
        });
    }
}

/// What came in whole was UTF-8; a reason that is gone is none.
fn text_of(reason: &Reason) -> &str {
    std::str::from_utf8(reason.as_bytes()).unwrap_or_default()
}
