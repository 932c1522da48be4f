/* What a client is answered, and an answer of nginx's that becomes another. Included by shim.h. */

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
