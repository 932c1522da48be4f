/* A connection. Included by shim.h. */

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

/* Where it fails, there are two segments instead of one. */
static inline void
wsk_connection_cork(ngx_connection_t *c)
{
    (void) ngx_tcp_nopush(c->fd);
}

/* As the two functions do it, which have nothing to do where epoll knows of both events already. */
static inline ngx_int_t
wsk_connection_watch(ngx_connection_t *c, size_t lowat)
{
    if ((ngx_event_flags & NGX_USE_CLEAR_EVENT) && c->read->active && c->write->active && lowat == 0) {
        return NGX_OK;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_handle_write_event(c->write, lowat);
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

/* An upstream's connection has a pool for its TLS: without that there is nothing in it. */
static inline void
wsk_connection_drop_pool(ngx_connection_t *c)
{
#if (NGX_SSL)
    if (c->ssl) {
        return;
    }
#endif

    if (c->pool) {
        ngx_destroy_pool(c->pool);
        c->pool = NULL;
    }
}

/* The connection's pool, or NULL where there is no memory for one. */
static inline ngx_pool_t *
wsk_connection_pool(ngx_connection_t *c)
{
    if (c->pool == NULL) {
        c->pool = ngx_create_pool(256, c->log);
    }

    return c->pool;
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
