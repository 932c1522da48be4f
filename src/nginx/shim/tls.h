/* TLS, to clients and to targets. Included by shim.h. */

#if (NGX_HTTP_SSL)

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
