# The directives of `websockify_status` and `websockify_error_mode`: right, wrong, twice, in the wrong place.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

run_tests;

__DATA__

=== TEST 1: all right
--- http_config
websockify_zone desktops:1m;
--- config
websockify_status_name all;
websockify_error_mode close; websockify_connect_retry 1m;
location = /e { websockify_pass 127.0.0.1:5901; websockify_error_mode http; }
location = /a { websockify_status on; }
location = /b { websockify_status sessions; }
location = /c { websockify_status control; }
location = /d { websockify_pass 127.0.0.1:5901; websockify_status_name "some of them"; }
--- config_ok

=== TEST 2: websockify_zone without a size
--- http_config
websockify_zone desktops;
--- emerg: invalid zone "desktops" in "websockify_zone": not "name:size"

=== TEST 3: websockify_zone of a size that is none
--- http_config
websockify_zone desktops:big;
--- emerg: invalid zone "desktops:big" in "websockify_zone": not "name:size"

=== TEST 4: websockify_zone without a name
--- http_config
websockify_zone :1m;
--- emerg: invalid zone ":1m" in "websockify_zone": not "name:size"

=== TEST 5: websockify_zone that is too small
--- http_config
websockify_zone desktops:31k;
--- emerg: zone "desktops" must be at least 32k

=== TEST 6: websockify_zone twice
--- http_config
websockify_zone desktops:1m; websockify_zone others:1m;
--- emerg: "websockify_zone" directive is duplicate

=== TEST 7: websockify_zone in server
--- config
websockify_zone desktops:1m;
--- emerg: "websockify_zone" directive is not allowed here

=== TEST 8: websockify_zone with a name that another module has
--- http_config
limit_conn_zone $binary_remote_addr zone=desktops:1m;
websockify_zone desktops:1m;
--- must_die
--- error_log
qr/\[emerg\] .*"desktops" is already/

=== TEST 9: websockify_status of something else
--- config
location / { websockify_status all; }
--- emerg: "websockify_status" directive invalid value

=== TEST 10: websockify_status twice
--- config
location / { websockify_status on; websockify_status sessions; }
--- emerg: "websockify_status" directive is duplicate

=== TEST 11: websockify_status in server
--- config
websockify_status on;
--- emerg: "websockify_status" directive is not allowed here

=== TEST 12: websockify_status_name without a name
--- config
websockify_status_name "";
--- emerg: "websockify_status_name" must be 1 to 56 printable characters

=== TEST 13: websockify_status_name that is too long
--- config eval
'websockify_status_name ' . 'x' x 57 . ';'
--- emerg: "websockify_status_name" must be 1 to 56 printable characters

=== TEST 14: websockify_status_name twice
--- config
websockify_status_name a; websockify_status_name b;
--- emerg: "websockify_status_name" directive is duplicate

=== TEST 15: as many names as there may be
--- config eval
join '', map { "location /$_ { websockify_status_name $_; } location /again/$_ { websockify_status_name $_; }\n" } 1 .. 31
--- config_ok

=== TEST 16: and one more
--- config eval
join '', map { "location /$_ { websockify_status_name $_; }\n" } 1 .. 32
--- emerg: more than 31 status names

=== TEST 17: websockify_error_mode of something else
--- config
websockify_error_mode html;
--- emerg: "websockify_error_mode" directive invalid value

=== TEST 18: websockify_error_mode twice
--- config
websockify_error_mode http; websockify_error_mode close;
--- emerg: "websockify_error_mode" directive is duplicate

=== TEST 19: websockify_error_mode without a value
--- config
websockify_error_mode;
--- emerg: invalid number of arguments in "websockify_error_mode" directive

=== TEST 20: websockify_connect_retry is no time
--- config
websockify_connect_retry forever;
--- emerg: "websockify_connect_retry" directive invalid value

=== TEST 21: websockify_connect_retry twice
--- config
websockify_connect_retry 1s; websockify_connect_retry 2s;
--- emerg: "websockify_connect_retry" directive is duplicate
