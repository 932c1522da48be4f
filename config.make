# What config cannot say yet when it is read: the Makefile comes after it.

ngx_addon_name=ngx_http_websockify_module

. "$ngx_addon_dir/auto/rust"
ngx_rust_rule

# nginx makes a dynamic module anew when its C sources change, of which this one has none.
cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/$ngx_addon_name.so: $ngx_rust_library
END
