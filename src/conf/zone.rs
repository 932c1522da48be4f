//! The directives about what all workers know together: the zone, the names to count by, what shows it.

use nginx_sys::{ngx_command_t, ngx_str_t, NGX_CONF_TAKE1, NGX_HTTP_MAIN_CONF};
use websockify_status::{MAX_NAME, MAX_NAMES};

use super::main::MainConf;
use super::LocConf;
use crate::books::Books;
use crate::nginx::conf::command::{command, command_at};
use crate::nginx::conf::main::{at_http, parse_main_directive, Main, MainDirective};
use crate::nginx::conf::{once, parse_directive, Answer, Conf, ConfError, Directive};
use crate::nginx::shared::SharedMemory;

const USUAL_NAME: &str = "websockify";
const USUAL_SIZE: usize = 1024 * 1024;

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    at_http(command_at(
        NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        c"websockify_zone",
        parse_main_directive::<WebsockifyZone>,
        0,
    )),
    command(c"websockify_status_name", parse_directive::<WebsockifyStatusName>, 0),
];

/// What the http block says of the zone.
pub(crate) struct ZoneConf {
    memory: Option<SharedMemory>,
    /// Somebody is to be shown what is in it.
    pub(crate) is_shown: bool,
    /// The names that sessions are counted by, the empty one first.
    names: Vec<ngx_str_t>,
    pub(crate) books: Books,
}

impl ZoneConf {
    pub(super) fn unset() -> Self {
        Self { memory: None, is_shown: false, names: vec![ngx_str_t::empty()], books: Books::new() }
    }

    pub(super) fn complete(&mut self, conf: Conf) -> Answer {
        if self.memory.is_none() && self.is_shown {
            let name = ngx_str_t { len: USUAL_NAME.len(), data: USUAL_NAME.as_ptr().cast_mut() };
            self.memory = Some(SharedMemory::add(
                conf,
                MainConf::module(),
                name,
                USUAL_SIZE.max(SharedMemory::least()),
            )?);
        }
        Ok(())
    }

    /// Makes the books ready for `workers`; in the master, before they are started.
    pub(crate) fn open_books(&self, workers: usize) {
        if let Some(memory) = self.memory {
            self.books.open(memory, &self.names, workers);
        }
    }
}

/// What a location shows of the zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shown {
    Nothing,
    Figures,
    Sessions,
    /// The sessions, and whoever may come here may end them.
    Control,
}

/// `websockify_zone name:size;`
struct WebsockifyZone;

impl MainDirective for WebsockifyZone {
    type Main = MainConf;

    fn parse(main: &mut MainConf, conf: Conf) -> Answer {
        once(main.zone.memory.is_some())?;
        let text = conf.argument(1);
        let (name, size) = conf.zone_argument(1).ok_or_else(|| {
            conf.refuse(format_args!("invalid zone \"{text}\" in \"websockify_zone\": not \"name:size\""))
        })?;
        // That much has room for some sessions, too.
        let least = SharedMemory::least();
        if size < least {
            return Err(conf.refuse(format_args!("zone \"{name}\" must be at least {}k", least / 1024)));
        }
        main.zone.memory = Some(SharedMemory::add(conf, MainConf::module(), name, size)?);
        Ok(())
    }
}

/// `websockify_status_name name;`
struct WebsockifyStatusName;

impl Directive for WebsockifyStatusName {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        once(location.status_name.is_some())?;
        let name = conf.argument(1);
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > MAX_NAME || !bytes.iter().all(|it| (b' '..=b'~').contains(it)) {
            return Err(conf.refuse(format_args!(
                "\"websockify_status_name\" must be 1 to {MAX_NAME} printable characters"
            )));
        }
        let names = &mut conf.main::<MainConf>().zone.names;
        let known = names.iter().position(|it| it.as_bytes() == bytes);
        if known.is_none() {
            if names.len() == MAX_NAMES {
                return Err(conf.refuse(format_args!("more than {} status names", MAX_NAMES - 1)));
            }
            names.push(name);
        }
        location.status_name = Some(known.unwrap_or(names.len() - 1));
        Ok(())
    }
}

/// `websockify_status on | sessions | control;`, whose handler is set by the module's table.
pub(crate) fn parse_status(location: &mut LocConf, conf: Conf) -> Answer {
    once(location.shown != Shown::Nothing)?;
    location.shown = match conf.argument(1).as_bytes() {
        b"on" => Shown::Figures,
        b"sessions" => Shown::Sessions,
        b"control" => Shown::Control,
        _ => return Err(ConfError::Words(c"invalid value")),
    };
    conf.main::<MainConf>().zone.is_shown = true;
    Ok(())
}
