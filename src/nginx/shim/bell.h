/* Descriptors that wake a worker. Included by shim.h. */

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
