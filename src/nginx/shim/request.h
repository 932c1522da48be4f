/* A request: flags, counters, what it brought. Included by shim.h. */

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

static inline unsigned
wsk_request_is_tls(const ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    return r->connection->ssl != NULL;
#else
    return 0;
#endif
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
