# What `nginx -t` says: one clear line for each mistake.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

run_tests;

__DATA__

=== TEST 1: everything at once is right
--- http_config
websockify_buffer_size 32k; websockify_connect_timeout 1s; websockify_send_timeout 1m; websockify_read_timeout 1h;
upstream desktops { server 127.0.0.1:5901; }
--- config
websockify_allow 10.0.0.0/8;
websockify_buffer_size 16k; websockify_connect_timeout 2s; websockify_send_timeout 2m; websockify_read_timeout 2h;
location /a { websockify_pass 127.0.0.1:5901; websockify_buffer_size 65543; }
location /b { websockify_pass 127.0.0.1; websockify_connect_timeout 500ms; }
location /c { websockify_pass desktops; websockify_send_timeout 5; }
location /d { websockify_pass unix:/tmp/vnc.sock; websockify_read_timeout 1d; }
location /e { websockify_pass [::1]:5901; }
location /f { websockify_pass [::1]; }
location /g { websockify_pass $arg_to; }
location /h { websockify_pass 127.0.0.1:$arg_port; }
location /i { if ($arg_to) { websockify_pass $arg_to; } websockify_pass 127.0.0.1:5901; }
location ~ ^/j/(?<where>.*)$ { websockify_pass $where; }
location = /k { websockify_pass localhost; }
location @named { websockify_pass 127.0.0.1:5901; }
--- config_ok

=== TEST 2: the module loaded, and not used
--- config_ok

=== TEST 3: websockify_pass twice
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_pass 127.0.0.1:5902; }
--- emerg: "websockify_pass" directive is duplicate

=== TEST 4: websockify_pass twice, with variables
--- config
location / { websockify_pass $arg_a; websockify_pass $arg_b; }
--- emerg: "websockify_pass" directive is duplicate

=== TEST 5: websockify_pass twice, once with a variable
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_pass $arg_b; }
--- emerg: "websockify_pass" directive is duplicate

=== TEST 6: websockify_pass in server
--- config
websockify_pass 127.0.0.1:5901;
--- emerg: "websockify_pass" directive is not allowed here

=== TEST 7: websockify_pass in http
--- http_config
websockify_pass 127.0.0.1:5901;
--- emerg: "websockify_pass" directive is not allowed here

=== TEST 8: websockify_pass in main
--- main_config
websockify_pass 127.0.0.1:5901;
--- emerg: "websockify_pass" directive is not allowed here

=== TEST 9: websockify_pass in if of a server
--- config
if ($arg_a) { websockify_pass 127.0.0.1:5901; }
--- emerg: "websockify_pass" directive is not allowed here

=== TEST 10: websockify_pass in limit_except
--- config
location / { limit_except GET { websockify_pass 127.0.0.1:5901; } }
--- emerg: "websockify_pass" directive is not allowed here

=== TEST 11: websockify_pass in upstream
--- http_config
upstream u { websockify_pass 127.0.0.1:5901; }
--- emerg: "websockify_pass" directive is not allowed here

=== TEST 12: no address
--- config
location / { websockify_pass; }
--- emerg: invalid number of arguments in "websockify_pass" directive

=== TEST 13: two addresses
--- config
location / { websockify_pass 127.0.0.1:5901 127.0.0.1:5902; }
--- emerg: invalid number of arguments in "websockify_pass" directive

=== TEST 14: a port that is none
--- config
location / { websockify_pass 127.0.0.1:99999; }
--- must_die
--- error_log
qr/\[emerg\] .*invalid port in .*"127\.0\.0\.1:99999"/

=== TEST 15: no host
--- config
location / { websockify_pass :5901; }
--- must_die
--- error_log
qr/\[emerg\] .*no host in .*":5901"/

=== TEST 16: an empty address
--- config
location / { websockify_pass ""; }
--- must_die
--- error_log
qr/\[emerg\] .*(?:no host|empty|invalid)/

=== TEST 17: a unix socket without a path
--- config
location / { websockify_pass unix:; }
--- must_die
--- error_log
qr/\[emerg\] .*(?:no path|invalid|empty)/

=== TEST 18: a variable that nobody has defined
--- config
location / { websockify_pass $nobody_knows; }
--- emerg: unknown "nobody_knows" variable

=== TEST 19: websockify_buffer_size is no size
--- config
websockify_buffer_size big;
--- emerg: "websockify_buffer_size" directive invalid value

=== TEST 20: websockify_buffer_size of nothing
A relay needs some room for a header and a byte.
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_buffer_size 0; }
--- must_die
--- error_log
qr/\[emerg\] .*websockify_buffer_size/

=== TEST 21: websockify_buffer_size twice
--- config
websockify_buffer_size 4k; websockify_buffer_size 8k;
--- emerg: "websockify_buffer_size" directive is duplicate

=== TEST 22: websockify_connect_timeout is no time
--- config
websockify_connect_timeout soon;
--- emerg: "websockify_connect_timeout" directive invalid value

=== TEST 23: websockify_send_timeout is no time
--- config
location / { websockify_send_timeout -1; }
--- emerg: "websockify_send_timeout" directive invalid value

=== TEST 24: websockify_read_timeout is no time
--- http_config
websockify_read_timeout 1x;
--- emerg: "websockify_read_timeout" directive invalid value

=== TEST 25: websockify_connect_timeout twice
--- http_config
websockify_connect_timeout 1s; websockify_connect_timeout 2s;
--- emerg: "websockify_connect_timeout" directive is duplicate

=== TEST 26: websockify_send_timeout twice
--- config
websockify_send_timeout 1s; websockify_send_timeout 2s;
--- emerg: "websockify_send_timeout" directive is duplicate

=== TEST 27: websockify_read_timeout twice
--- config
location / { websockify_read_timeout 1s; websockify_read_timeout 2s; }
--- emerg: "websockify_read_timeout" directive is duplicate

=== TEST 28: websockify_read_timeout without a value
--- config
websockify_read_timeout;
--- emerg: invalid number of arguments in "websockify_read_timeout" directive

=== TEST 29: websockify_read_timeout in main
--- main_config
websockify_read_timeout 1s;
--- emerg: "websockify_read_timeout" directive is not allowed here

=== TEST 30: websockify_read_timeout in if in location
--- config
location / { if ($arg_a) { websockify_read_timeout 1s; } }
--- emerg: "websockify_read_timeout" directive is not allowed here

=== TEST 31: how a target is connected, all right
--- http_config
websockify_bind 127.0.0.1; websockify_socket_keepalive off; websockify_socket_rcvbuf 64k; websockify_socket_sndbuf 64k;
websockify_next_upstream error; websockify_next_upstream_tries 3; websockify_next_upstream_timeout 10s;
--- config
websockify_bind $remote_addr transparent; websockify_socket_keepalive on; websockify_next_upstream off;
location /a { websockify_pass 127.0.0.1; websockify_bind off; websockify_next_upstream error timeout; }
location /b { websockify_pass 127.0.0.1; websockify_bind [::1]:1234 transparent; websockify_next_upstream timeout; }
--- config_ok

=== TEST 32: websockify_bind to no address
--- config
websockify_bind nowhere;
--- emerg: invalid address "nowhere"

=== TEST 33: websockify_bind with a word it does not know
--- config
location / { websockify_bind 127.0.0.1 opaque; }
--- emerg: invalid parameter "opaque"

=== TEST 34: websockify_bind twice
--- http_config
websockify_bind off; websockify_bind 127.0.0.1;
--- emerg: "websockify_bind" directive is duplicate

=== TEST 35: websockify_bind with nothing
--- config
websockify_bind;
--- emerg: invalid number of arguments in "websockify_bind" directive

=== TEST 36: websockify_socket_keepalive is neither on nor off
--- config
websockify_socket_keepalive yes;
--- emerg: invalid value "yes" in "websockify_socket_keepalive" directive, it must be "on" or "off"

=== TEST 37: websockify_socket_keepalive twice
--- config
websockify_socket_keepalive on; websockify_socket_keepalive on;
--- emerg: "websockify_socket_keepalive" directive is duplicate

=== TEST 38: websockify_socket_rcvbuf is no size
--- config
websockify_socket_rcvbuf much;
--- emerg: "websockify_socket_rcvbuf" directive invalid value

=== TEST 39: websockify_socket_sndbuf twice
--- config
websockify_socket_sndbuf 4k; websockify_socket_sndbuf 4k;
--- emerg: "websockify_socket_sndbuf" directive is duplicate

=== TEST 40: websockify_next_upstream with a word about HTTP responses
--- config
websockify_next_upstream error http_502;
--- emerg: invalid value "http_502"

=== TEST 41: websockify_next_upstream twice
--- config
websockify_next_upstream error; websockify_next_upstream timeout;
--- emerg: "websockify_next_upstream" directive is duplicate

=== TEST 42: websockify_next_upstream with nothing
--- config
websockify_next_upstream;
--- emerg: invalid number of arguments in "websockify_next_upstream" directive

=== TEST 43: websockify_next_upstream_tries is no number
--- config
websockify_next_upstream_tries -1;
--- emerg: "websockify_next_upstream_tries" directive invalid number

=== TEST 44: websockify_next_upstream_tries twice
--- config
websockify_next_upstream_tries 1; websockify_next_upstream_tries 2;
--- emerg: "websockify_next_upstream_tries" directive is duplicate

=== TEST 45: websockify_next_upstream_timeout is no time
--- config
websockify_next_upstream_timeout later;
--- emerg: "websockify_next_upstream_timeout" directive invalid value

=== TEST 46: websockify_send_lowat, where the system has none
--- config
websockify_send_lowat 4k;
--- config_ok
--- error_log
qr/\[warn\] .*"websockify_send_lowat" is not supported, ignored in \S+nginx\.conf:\d+$/m

=== TEST 47: websockify_send_lowat is no size
--- config
websockify_send_lowat some;
--- emerg: "websockify_send_lowat" directive invalid value

=== TEST 48: websockify_proxy_protocol
--- http_config
websockify_proxy_protocol v2;
--- config
websockify_proxy_protocol on;
location / { websockify_pass 127.0.0.1; websockify_proxy_protocol off; }
--- config_ok

=== TEST 49: websockify_proxy_protocol of a version that is none
--- config
websockify_proxy_protocol v3;
--- emerg: invalid value "v3"

=== TEST 50: websockify_proxy_protocol twice
--- config
websockify_proxy_protocol on; websockify_proxy_protocol v2;
--- emerg: "websockify_proxy_protocol" directive is duplicate
