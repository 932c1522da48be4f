/* The configuration's structures. Included by shim.h. */

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
