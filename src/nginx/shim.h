/*
 * What of nginx cannot be reached from Rust as it is: bit-fields, which bindgen misplaces in ngx_http_request_t from
 * nginx 1.29.3 on, and macros. Everything here is compiled with nginx's own headers and flags.
 */

#ifndef WEBSOCKIFY_SHIM_H
#define WEBSOCKIFY_SHIM_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#if (NGX_LINUX)
#include <linux/sockios.h>
#include <sys/eventfd.h>
#endif

/* What the C compiler thinks of the structures whose fields Rust reads directly: checked against bindgen's idea. */
enum {
    WSK_REQUEST_SIZE = sizeof(ngx_http_request_t),
    WSK_REQUEST_UPSTREAM = offsetof(ngx_http_request_t, upstream),
    WSK_REQUEST_HEADERS_IN = offsetof(ngx_http_request_t, headers_in),
    WSK_REQUEST_HEADERS_OUT = offsetof(ngx_http_request_t, headers_out),
    WSK_REQUEST_METHOD = offsetof(ngx_http_request_t, method),
    WSK_REQUEST_MAIN = offsetof(ngx_http_request_t, main),
    WSK_UPSTREAM_SIZE = sizeof(ngx_http_upstream_t),
    WSK_UPSTREAM_PEER = offsetof(ngx_http_upstream_t, peer),
    WSK_UPSTREAM_CLEANUP = offsetof(ngx_http_upstream_t, cleanup),
    WSK_UPSTREAM_CONF_SIZE = sizeof(ngx_http_upstream_conf_t),
    WSK_CONNECTION_SIZE = sizeof(ngx_connection_t),
    WSK_EVENT_SIZE = sizeof(ngx_event_t),
};

#include "shim/request.h"
#include "shim/response.h"
#include "shim/connection.h"
#include "shim/tls.h"
#include "shim/upstream.h"
#include "shim/event.h"
#include "shim/variable.h"
#include "shim/conf.h"
#include "shim/bell.h"

#endif /* WEBSOCKIFY_SHIM_H */
