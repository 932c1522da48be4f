/* Variables. Included by shim.h. */

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
