/* An event: its flags, timer and place in a queue. Included by shim.h. */

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
