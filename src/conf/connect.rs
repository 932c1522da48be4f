//! The directives of the way to a target, which nginx's upstream code acts on.

use std::mem::offset_of;

use nginx_sys::{ngx_command_t, ngx_conf_set_msec_slot};

use super::LocConf;
use crate::nginx::conf::command::command;
use crate::nginx::conf::UpstreamConf;

const UPSTREAM: usize = offset_of!(LocConf, upstream);

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command(c"websockify_connect_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::CONNECT_TIMEOUT),
    command(c"websockify_send_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::SEND_TIMEOUT),
    command(c"websockify_read_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::READ_TIMEOUT),
];
