/* The upstream of a request, and its attempts. Included by shim.h. */

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
