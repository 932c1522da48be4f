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
