//! What the directives say of the payload: the subprotocol that is spoken, the frames that hold it, how fast it goes.

use std::mem::offset_of;

use nginx_sys::{
    ngx_command_t, ngx_conf_set_enum_slot, ngx_http_set_complex_value_size_slot, ngx_str_t, ngx_uint_t,
    NGX_CONF_1MORE,
};
use websockify_protocol::subprotocol::{is_token, Encoding, Subprotocols};

use super::LocConf;
use crate::nginx::conf::command::{choice, command, command_at, Choices, END_OF_CHOICES, EVERYWHERE};
use crate::nginx::conf::{
    merge, once, parse_directive, Answer, ComplexValue, Conf, ConfError, Directive, UNSET_UINT,
};
use crate::nginx::log::Printable;
use crate::nginx::request::Request;

const BINARY: ngx_uint_t = 0;
const TEXT: ngx_uint_t = 1;

static FRAME_TYPES: Choices<3> = Choices([choice(c"binary", BINARY), choice(c"text", TEXT), END_OF_CHOICES]);

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command_at(
        EVERYWHERE | NGX_CONF_1MORE,
        c"websockify_subprotocol",
        parse_directive::<WebsockifySubprotocol>,
        0,
    ),
    ngx_command_t {
        post: (&raw const FRAME_TYPES).cast_mut().cast(),
        ..command(c"websockify_frame_type", ngx_conf_set_enum_slot, offset_of!(LocConf, payload.frame_type))
    },
    command(
        c"websockify_upload_rate",
        ngx_http_set_complex_value_size_slot,
        offset_of!(LocConf, payload.upload_rate),
    ),
    command(
        c"websockify_download_rate",
        ngx_http_set_complex_value_size_slot,
        offset_of!(LocConf, payload.download_rate),
    ),
];

/// The payload's settings.
pub(crate) struct PayloadConf {
    /// `websockify_subprotocol`
    subprotocols: Option<Subprotocols<'static>>,
    /// `websockify_frame_type`: [`BINARY`] or [`TEXT`]
    frame_type: ngx_uint_t,
    /// `websockify_upload_rate`, in bytes a second
    upload_rate: Option<ComplexValue>,
    /// `websockify_download_rate`, in bytes a second
    download_rate: Option<ComplexValue>,
}

impl PayloadConf {
    pub(super) fn unset() -> Self {
        Self { subprotocols: None, frame_type: UNSET_UINT, upload_rate: None, download_rate: None }
    }

    pub(super) fn merge(&mut self, outer: &Self) {
        self.subprotocols = self.subprotocols.or(outer.subprotocols);
        merge(&mut self.frame_type, outer.frame_type, UNSET_UINT, BINARY);
        self.upload_rate = self.upload_rate.or(outer.upload_rate);
        self.download_rate = self.download_rate.or(outer.download_rate);
    }

    /// What a client may speak.
    pub(crate) fn subprotocols(&self) -> Subprotocols<'static> {
        self.subprotocols.unwrap_or(Subprotocols::DEFAULT)
    }

    /// How many bytes a second may come from the client, and go to it; 0 for any.
    pub(crate) fn rates(&self, request: Request) -> (u64, u64) {
        let rate = |value: Option<ComplexValue>| value.map_or(0, |value| value.evaluate_size(request));
        (rate(self.upload_rate), rate(self.download_rate))
    }

    /// How payload stands in the frames of a session whose subprotocol brings `encoding`.
    pub(crate) fn encoding(&self, encoding: Encoding) -> Encoding {
        match encoding {
            Encoding::Binary if self.frame_type == TEXT => Encoding::Text,
            _ => encoding,
        }
    }
}

/// `websockify_subprotocol name... | any;`
struct WebsockifySubprotocol;

impl Directive for WebsockifySubprotocol {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let value = &mut location.payload.subprotocols;
        once(value.is_some())?;
        *value = Some(match conf.arguments() {
            [_, only] if only.as_bytes() == b"any" => Subprotocols::Any,
            [_, names @ ..] => Subprotocols::List(list(conf, names)?),
            [] => return Err(ConfError::Words(c"invalid value")),
        });
        Ok(())
    }
}

fn list(conf: Conf, names: &[ngx_str_t]) -> Result<&'static [&'static [u8]], ConfError> {
    let mut list: Vec<&'static [u8]> = Vec::with_capacity(names.len());
    for name in names {
        let name: &'static [u8] = conf.pool().copy(name.as_bytes()).ok_or(ConfError::Printed)?;
        let shown = Printable(name);
        if !is_token(name) {
            return Err(conf.refuse(format_args!("invalid subprotocol \"{shown}\"")));
        }
        if name == b"any" {
            return Err(conf.refuse(format_args!("\"any\" beside other subprotocols")));
        }
        if list.contains(&name) {
            return Err(conf.refuse(format_args!("duplicate subprotocol \"{shown}\"")));
        }
        list.push(name);
    }
    conf.pool().keep(list).map(Vec::as_slice).ok_or(ConfError::Printed)
}
