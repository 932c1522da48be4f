//! The directives of the way to a target, which nginx's upstream code acts on.

use std::mem::offset_of;

use nginx_sys::{
    ngx_command_t, ngx_conf_post_t, ngx_conf_set_enum_slot, ngx_conf_set_flag_slot, ngx_conf_set_msec_slot,
    ngx_conf_set_num_slot, ngx_conf_set_size_slot, ngx_flag_t, ngx_http_upstream_bind_set_slot, ngx_uint_t,
    NGX_CONF_1MORE, NGX_CONF_TAKE12,
};

use super::LocConf;
use crate::nginx::conf::command::{
    bit, check_send_lowat, choice, command, command_at, set_bits_once, Bits, Choices, END_OF_BITS,
    END_OF_CHOICES, EVERYWHERE,
};
use crate::nginx::conf::{
    UpstreamConf, UpstreamDefaults, ERROR, NEVER, NO_PROXY_HEADER, PROXY_V1, PROXY_V2, TIMEOUT,
};

const UPSTREAM: usize = offset_of!(LocConf, upstream);

const ON: ngx_flag_t = 1;
const OFF: ngx_uint_t = NO_PROXY_HEADER;

pub(super) const DEFAULTS: UpstreamDefaults = UpstreamDefaults {
    connect_timeout: 60_000,
    send_timeout: 60_000,
    read_timeout: 60_000,
    socket_keepalive: ON,
    socket_rcvbuf: 0,
    socket_sndbuf: 0,
    send_lowat: 0,
    next_upstream: ERROR | TIMEOUT,
    next_upstream_tries: 0,
    next_upstream_timeout: 0,
    proxy_protocol: OFF,
};

/// nginx's words for when the next server is tried, as far as they mean something before a session.
static NEXT_UPSTREAM: Bits<4> =
    Bits([bit(c"error", ERROR), bit(c"timeout", TIMEOUT), bit(c"off", NEVER), END_OF_BITS]);

static PROXY_PROTOCOL: Choices<4> = Choices([
    choice(c"off", NO_PROXY_HEADER),
    choice(c"on", PROXY_V1),
    choice(c"v2", PROXY_V2),
    END_OF_CHOICES,
]);

static SEND_LOWAT_POST: ngx_conf_post_t = ngx_conf_post_t { post_handler: Some(check_send_lowat) };

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command(c"websockify_connect_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::CONNECT_TIMEOUT),
    command(c"websockify_send_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::SEND_TIMEOUT),
    command(c"websockify_read_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::READ_TIMEOUT),
    command_at(
        EVERYWHERE | NGX_CONF_TAKE12,
        c"websockify_bind",
        ngx_http_upstream_bind_set_slot,
        UPSTREAM + UpstreamConf::BIND,
    ),
    command(
        c"websockify_socket_keepalive",
        ngx_conf_set_flag_slot,
        UPSTREAM + UpstreamConf::SOCKET_KEEPALIVE,
    ),
    command(c"websockify_socket_rcvbuf", ngx_conf_set_size_slot, UPSTREAM + UpstreamConf::SOCKET_RCVBUF),
    command(c"websockify_socket_sndbuf", ngx_conf_set_size_slot, UPSTREAM + UpstreamConf::SOCKET_SNDBUF),
    ngx_command_t {
        post: (&raw const SEND_LOWAT_POST).cast_mut().cast(),
        ..command(c"websockify_send_lowat", ngx_conf_set_size_slot, UPSTREAM + UpstreamConf::SEND_LOWAT)
    },
    ngx_command_t {
        post: (&raw const NEXT_UPSTREAM).cast_mut().cast(),
        ..command_at(
            EVERYWHERE | NGX_CONF_1MORE,
            c"websockify_next_upstream",
            set_bits_once,
            UPSTREAM + UpstreamConf::NEXT_UPSTREAM,
        )
    },
    command(
        c"websockify_next_upstream_tries",
        ngx_conf_set_num_slot,
        UPSTREAM + UpstreamConf::NEXT_UPSTREAM_TRIES,
    ),
    command(
        c"websockify_next_upstream_timeout",
        ngx_conf_set_msec_slot,
        UPSTREAM + UpstreamConf::NEXT_UPSTREAM_TIMEOUT,
    ),
    ngx_command_t {
        post: (&raw const PROXY_PROTOCOL).cast_mut().cast(),
        ..command(
            c"websockify_proxy_protocol",
            ngx_conf_set_enum_slot,
            UPSTREAM + UpstreamConf::PROXY_PROTOCOL,
        )
    },
];
