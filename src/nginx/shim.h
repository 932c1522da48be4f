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


/* request */

static inline unsigned
wsk_request_is_post_action(const ngx_http_request_t *r)
{
    return r->post_action;
}

static inline unsigned
wsk_request_has_chunked_body(const ngx_http_request_t *r)
{
    return r->headers_in.chunked;
}

/* An upgraded connection is never kept alive nor slowed down: a delayed header would wait for ever. */
static inline void
wsk_request_prepare_upgrade(ngx_http_request_t *r)
{
    r->keepalive = 0;
    /* An error_page that leads here would put its own status in the place of the 101. */
    r->err_status = 0;
    r->limit_rate = 0;
    r->limit_rate_set = 1;
}

static inline void
wsk_request_set_lingering_close(ngx_http_request_t *r)
{
    r->lingering_close = 1;
}

static inline void
wsk_request_set_log(ngx_http_request_t *r)
{
    ngx_http_set_log_request(r->connection->log, r);
}

static inline void
wsk_request_count(ngx_http_request_t *r)
{
    r->main->count++;
}

static inline void
wsk_upstream_set_header_sent(ngx_http_upstream_t *u)
{
    u->header_sent = 1;
}

static inline unsigned
wsk_upstream_is_header_sent(const ngx_http_upstream_t *u)
{
    return u->header_sent;
}

/* The name against which a target's certificate is checked. */
static inline void
wsk_upstream_set_ssl_name(ngx_http_upstream_t *u, ngx_str_t *name)
{
#if (NGX_HTTP_SSL)
    u->ssl_name = *name;
#endif
}

static inline ngx_str_t
wsk_upstream_ssl_name(const ngx_http_upstream_t *u)
{
#if (NGX_HTTP_SSL)
    return u->ssl_name;
#else
    ngx_str_t  none = ngx_null_string;

    return none;
#endif
}

/* Whether a TLS handshake follows when the target is connected. */
static inline void
wsk_upstream_set_ssl(ngx_http_upstream_t *u, unsigned ssl)
{
#if (NGX_HTTP_SSL)
    u->ssl = ssl;
#endif
}

/* As nginx does it once, before the first attempt. */
static inline void
wsk_upstream_limit_tries(ngx_http_upstream_t *u)
{
    if (u->conf->next_upstream_tries && u->peer.tries > u->conf->next_upstream_tries) {
        u->peer.tries = u->conf->next_upstream_tries;
    }
}

/* How many servers were tried for the request; the one of the present attempt is counted already. */
static inline size_t
wsk_request_count_states(const ngx_http_request_t *r)
{
    return r->upstream_states ? r->upstream_states->nelts : 0;
}

/* Of these only the first `before` are kept, and the present one. */
static inline void
wsk_request_forget_states(ngx_http_request_t *r, ngx_http_upstream_t *u, size_t before)
{
    ngx_http_upstream_state_t  *states;

    if (r->upstream_states == NULL || before + 1 >= r->upstream_states->nelts) {
        return;
    }

    states = r->upstream_states->elts;
    states[before] = *u->state;
    r->upstream_states->nelts = before + 1;
    u->state = &states[before];
}

/* From nginx 1.31 on, a balancer may want to know that the target answered. */
static inline void
wsk_upstream_notify_header(ngx_http_upstream_t *u)
{
#ifdef NGX_HTTP_UPSTREAM_NOTIFY_HEADER
    if (u->peer.notify) {
        u->peer.notify(&u->peer, u->peer.data, NGX_HTTP_UPSTREAM_NOTIFY_HEADER);
    }
#endif
}


static inline unsigned
wsk_request_has_failed(const ngx_http_request_t *r)
{
    return r->err_status >= NGX_HTTP_BAD_REQUEST;
}

static inline void
wsk_request_note_status(ngx_http_request_t *r, ngx_uint_t status)
{
    r->err_status = status;
}

static inline void
wsk_request_drop_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        header = part->elts;
        for (i = 0; i < part->nelts; i++) {
            header[i].hash = 0;
        }
    }

    ngx_http_clear_content_length(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);
    ngx_http_clear_location(r);

    r->headers_out.content_encoding = NULL;
    r->headers_out.content_type.len = 0;
    r->headers_out.content_type_len = 0;
    r->headers_out.charset.len = 0;
}

/* An error's response becomes a 101. The access log's $status says what it was. */
static inline void
wsk_request_turn(ngx_http_request_t *r, ngx_uint_t status)
{
    r->keepalive = 0;
    r->lingering_close = 1;
    r->limit_rate = 0;
    r->limit_rate_set = 1;
    r->err_status = status;
    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
}

static inline void
wsk_request_set_header_only(ngx_http_request_t *r)
{
    r->header_only = 1;
}

/* A chain of one last piece; NULL when memory is out. */
static inline ngx_chain_t *
wsk_request_last_chain(ngx_http_request_t *r, u_char *bytes, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);
    if (b == NULL || cl == NULL) {
        return NULL;
    }

    b->start = b->pos = bytes;
    b->end = b->last = bytes + len;
    b->memory = 1;
    b->flush = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}

/* Takes what is in the chain for sent. */
static inline void
wsk_chain_drop(ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}


/* answers of our own */

static inline unsigned
wsk_request_is_tls(const ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    return r->connection->ssl != NULL;
#else
    return 0;
#endif
}

static inline ngx_int_t
wsk_request_respond(ngx_http_request_t *r, ngx_uint_t status, u_char *type, size_t type_len, u_char *body, size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.data = type;
    r->headers_out.content_type.len = type_len;
    r->headers_out.content_type_len = type_len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->start = b->pos = body;
    b->end = b->last = body + len;
    b->memory = (len > 0);
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}

/* The body that was read, in one piece; NULL where there is none, or it is in a file. */
static inline u_char *
wsk_request_body(ngx_http_request_t *r, size_t *len)
{
    u_char       *p, *start;
    size_t        size = 0;
    ngx_chain_t  *cl;

    if (r->request_body == NULL || r->request_body->temp_file) {
        return NULL;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        if (cl->buf->in_file) {
            return NULL;
        }
        size += cl->buf->last - cl->buf->pos;
    }

    start = p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NULL;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    *len = size;

    return start;
}


/* doorbells, by which one worker calls another */

static inline int
wsk_doorbell_open(void)
{
#if (NGX_LINUX)
    return eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
#else
    return -1;
#endif
}

static inline void
wsk_doorbell_close(int fd)
{
    (void) close(fd);
}

static inline ngx_int_t
wsk_doorbell_ring(int fd)
{
    uint64_t  one = 1;

    /* One that cannot ring louder has been rung, and not been heard yet. */
    return write(fd, &one, sizeof(one)) == sizeof(one) || ngx_errno == NGX_EAGAIN ? NGX_OK : NGX_ERROR;
}

static inline void
wsk_doorbell_hear(int fd)
{
    uint64_t  count;

    if (read(fd, &count, sizeof(count)) == -1) {
        return;
    }
}

/* As ngx_add_channel_event() does it: such a connection is nobody's session, and may be open when a worker ends. */
static inline ngx_int_t
wsk_doorbell_listen(ngx_cycle_t *cycle, int fd, ngx_event_handler_pt handler, void *data)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = data;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = handler;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) == NGX_ERROR) {
        ngx_free_connection(c);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* connection */

static inline unsigned
wsk_connection_is_buffered(const ngx_connection_t *c)
{
    return c->buffered;
}

static inline unsigned
wsk_connection_is_closing(const ngx_connection_t *c)
{
    return c->close;
}

static inline unsigned
wsk_connection_has_error(const ngx_connection_t *c)
{
    return c->error;
}

/* What the connection's end brings is nobody's fault any more. */
static inline void
wsk_connection_log_errors_as_info(ngx_connection_t *c)
{
    c->log_error = NGX_ERROR_INFO;
}

static inline void
wsk_connection_set_idle(ngx_connection_t *c, unsigned idle)
{
    c->idle = idle;
}

/* What nginx tells an idle connection is said once: the connection is open, and is closed by its session. */
static inline void
wsk_connection_take_close(ngx_connection_t *c)
{
    c->close = 0;
    c->idle = 0;
}

static inline ngx_int_t
wsk_connection_shutdown_write(ngx_connection_t *c)
{
    return ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1 ? NGX_ERROR : NGX_OK;
}

/* The kernel's room for what was sent and is not acknowledged; what it does not take it leaves as it is. */
static inline void
wsk_connection_set_sndbuf(ngx_connection_t *c, int size)
{
    if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, (const void *) &size, sizeof(int)) == -1) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno, "setsockopt(SO_SNDBUF) failed, ignored");
    }
}

/* Asks for and clears the socket's error; 0 if it has none. */
static inline ngx_err_t
wsk_connection_socket_error(ngx_connection_t *c)
{
    int        err = 0;
    socklen_t  len = sizeof(err);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        return ngx_socket_errno;
    }

    return err;
}

/* Whether bytes wait in the socket. If so the read event is made ready, as epoll will do at its next turn. */
static inline unsigned
wsk_connection_has_more(ngx_connection_t *c)
{
    int  n = 0;

#if (NGX_SSL)
    if (c->ssl && SSL_pending(c->ssl->connection) > 0) {
        c->read->ready = 1;
        return 1;
    }
#endif

    if (c->read->eof || c->read->error || ngx_socket_nread(c->fd, &n) == -1 || n == 0) {
        return 0;
    }

    c->read->available = n;
    c->read->ready = 1;

    return 1;
}

/* How many bytes the kernel has taken and the peer has not acknowledged; 0 where that cannot be known. */
static inline unsigned
wsk_connection_unacknowledged(ngx_connection_t *c)
{
#ifdef SIOCOUTQ
    int  n = 0;

    if (ioctl(c->fd, SIOCOUTQ, &n) == 0 && n > 0) {
        return n;
    }
#endif

    return 0;
}

static inline void
wsk_connection_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}

/*
 * A connection that a group keeps alive for proxy_pass is of no use to a session, whose target may greet or have been
 * told something before: it is closed, and another one is made to the same server.
 */
static inline void
wsk_peer_drop_cached(ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c = pc->connection;

    pc->connection = NULL;
    pc->cached = 0;

#if (NGX_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }
#endif

    wsk_connection_close(c);
}


/* Has `handler` called when `fd`, which then is the connection's, can be read. nginx tells it when the worker is to go. */
static inline ngx_connection_t *
wsk_bell_listen(int fd, ngx_event_handler_pt handler, ngx_log_t *log)
{
    ngx_connection_t  *c = ngx_get_connection(fd, log);

    if (c == NULL) {
        return NULL;
    }

    c->idle = 1;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = handler;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NULL;
    }

    return c;
}

/* What there was has been read. */
static inline void
wsk_bell_again(ngx_connection_t *c)
{
    c->read->ready = 0;
    (void) ngx_handle_read_event(c->read, 0);
}


#if (NGX_HTTP_SSL)

/* TLS */

/*
 * Sends the close_notify alert and frees what belongs to TLS: what is received from here on is not decrypted, and is to
 * be dropped. NGX_AGAIN where the alert has to wait for room; then nothing may be sent but by calling this again.
 */
static inline ngx_int_t
wsk_connection_end_tls(ngx_connection_t *c)
{
    int        n, error;
    ngx_int_t  rc = NGX_OK;
    SSL       *ssl = c->ssl->connection;

    /* What OpenSSL has not fetched is still with the kernel, and may have been announced. */
    c->recv = ngx_recv;
    c->read->ready = 1;
    c->read->available = -1;
    /* A session that came now would be saved by way of the request, which is gone. */
    c->ssl->save_session = NULL;

    if (c->read->error || c->write->error || SSL_in_init(ssl)) {
        rc = NGX_ERROR;
        goto done;
    }

    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    ERR_clear_error();
    n = SSL_shutdown(ssl);

    if (n < 0) {
        error = SSL_get_error(ssl, n);
        ERR_clear_error();

        if (error == SSL_ERROR_WANT_WRITE) {
            c->write->ready = 0;
            return NGX_AGAIN;
        }

        rc = NGX_ERROR;
    }

done:

    SSL_free(ssl);
    c->ssl = NULL;

    return rc;
}

/*
 * Whether the end of a stream that nginx has just read was a reset, which it takes for a clean end of TLS: the peer's
 * close_notify has not come, and the socket is not connected any more. Says so, as nginx does of plain connections.
 */
static inline unsigned
wsk_connection_was_reset(ngx_connection_t *c)
{
    socklen_t                len = sizeof(struct sockaddr_storage);
    struct sockaddr_storage  peer;

    if (c->ssl == NULL
        || (SSL_get_shutdown(c->ssl->connection) & SSL_RECEIVED_SHUTDOWN)
        || getpeername(c->fd, (struct sockaddr *) &peer, &len) == 0)
    {
        return 0;
    }

    c->read->error = 1;
    ngx_connection_error(c, NGX_ECONNRESET, "SSL_read() failed");

    return 1;
}

/* Has the sessions of a context known by it, wherever they are kept. */
static inline ngx_int_t
wsk_ssl_mark_sessions(ngx_ssl_t *ssl)
{
    const unsigned char  *mark = (const unsigned char *) &ssl->ctx;

    return SSL_CTX_set_session_id_context(ssl->ctx, mark, sizeof(ssl->ctx)) == 1 ? NGX_OK : NGX_ERROR;
}

/*
 * A server's session may come from another location, which trusts other certificates, or none at all, or has another one
 * of its own: it is not taken up here.
 */
static inline ngx_int_t
wsk_ssl_drop_foreign_session(ngx_connection_t *c)
{
    unsigned              len;
    SSL_CTX              *ctx = SSL_get_SSL_CTX(c->ssl->connection);
    SSL_SESSION          *session = SSL_get0_session(c->ssl->connection);
    const unsigned char  *mark;

    if (session == NULL) {
        return NGX_OK;
    }

    mark = SSL_SESSION_get0_id_context(session, &len);

    if (len == sizeof(ctx) && ngx_memcmp(mark, &ctx, sizeof(ctx)) == 0) {
        return NGX_OK;
    }

    return SSL_set_session(c->ssl->connection, NULL) == 1 ? NGX_OK : NGX_ERROR;
}

/* From nginx 1.27.4 on: certificates that variables name, kept for some time. NULL before that. */
static inline void *
wsk_ssl_cache(ngx_pool_t *pool, ngx_uint_t max, time_t valid, time_t inactive)
{
#if (nginx_version >= 1027004)
    return ngx_ssl_cache_init(pool, max, valid, inactive);
#else
    return NULL;
#endif
}

static inline void
wsk_upstream_conf_set_certificate_cache(ngx_http_upstream_conf_t *conf, void *cache)
{
#if (nginx_version >= 1027004)
    conf->ssl_certificate_cache = cache;
#endif
}

#endif


/* event */

static inline unsigned
wsk_event_is_ready(const ngx_event_t *ev)
{
    return ev->ready;
}

static inline unsigned
wsk_event_is_eof(const ngx_event_t *ev)
{
    return ev->eof;
}

static inline unsigned
wsk_event_has_pending_eof(const ngx_event_t *ev)
{
    return ev->pending_eof;
}

static inline unsigned
wsk_event_is_timer_set(const ngx_event_t *ev)
{
    return ev->timer_set;
}

/* Whether the event's timer has fired; takes the note down. */
static inline unsigned
wsk_event_take_timedout(ngx_event_t *ev)
{
    unsigned  timedout = ev->timedout;

    ev->timedout = 0;

    return timedout;
}

static inline void
wsk_event_set_timer(ngx_event_t *ev, ngx_msec_t timeout)
{
    ngx_add_timer(ev, timeout);
}

static inline void
wsk_event_delete_timer(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }
}

static inline void
wsk_event_post(ngx_event_t *ev)
{
    ngx_post_event(ev, &ngx_posted_events);
}

static inline unsigned
wsk_event_is_posted(const ngx_event_t *ev)
{
    return ev->posted;
}

static inline void
wsk_event_delete_posted(ngx_event_t *ev)
{
    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}

static inline void
wsk_event_post_next(ngx_event_t *ev)
{
    ngx_post_event(ev, &ngx_posted_next_events);
}


/* variables */

static inline void
wsk_variable_set(ngx_http_variable_value_t *v, u_char *data, size_t len)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = len;
    v->data = data;
}

static inline void
wsk_variable_set_not_found(ngx_http_variable_value_t *v)
{
    v->not_found = 1;
}

/* The access log takes a value that was evaluated before, also where it may change; here such values are forgotten. */
static inline void
wsk_request_flush_variables(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (r->variables[i].no_cacheable) {
            r->variables[i].valid = 0;
            r->variables[i].not_found = 0;
        }
    }
}


/* configuration */

/* The most that a connection's low water mark for writing may be, in bytes; 0 where the system has none. */
static inline size_t
wsk_most_send_lowat(void)
{
#if (NGX_FREEBSD)
    return ngx_freebsd_net_inet_tcp_sendspace - 1;
#elif (NGX_HAVE_SO_SNDLOWAT)
    return NGX_MAX_SIZE_T_VALUE;
#else
    return 0;
#endif
}

/* Our output filter stays in place once the target is connected. */
static inline void
wsk_upstream_conf_set_preserve_output(ngx_http_upstream_conf_t *conf)
{
    conf->preserve_output = 1;
}

static inline unsigned
wsk_conf_is_noname(const ngx_http_core_loc_conf_t *clcf)
{
    return clcf->noname;
}

static inline unsigned
wsk_conf_is_limit_except(const ngx_http_core_loc_conf_t *clcf)
{
    return clcf->lmt_excpt;
}

static inline void
wsk_conf_set_auto_redirect(ngx_http_core_loc_conf_t *clcf)
{
    clcf->auto_redirect = 1;
}

#endif /* WEBSOCKIFY_SHIM_H */
