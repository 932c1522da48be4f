# Targets from variables: set, map, if, arguments, names and groups; and those that are none.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(targets => qq(one: sends "one", swallows\ntwo: sends "two", swallows));
run_tests;

__DATA__

=== TEST 1: set
--- config
set $vnc_addr %%one%%;
location /websockify { websockify_pass $vnc_addr; }
--- dialogue
client gets binary "one"

=== TEST 2: map
--- http_config
map $arg_desktop $vnc_addr { one %%one%%; two %%two%%; }
--- config
location /websockify { websockify_pass $vnc_addr; }
--- steps
$t->client("/websockify?desktop=$_")->expect("binary \"$_\"") for qw(one two);
pass 'each its own';

=== TEST 3: if in location
--- config
location /websockify {
    if ($arg_desktop = two) { websockify_pass %%two%%; }
    websockify_pass %%one%%;
}
--- steps
$t->client('/websockify?desktop=two')->expect('binary "two"');
$t->client('/websockify')->expect('binary "one"');
pass 'each its own';

=== TEST 4: if in location inherits what the location says
--- targets
hole: never accepts
--- config
location /websockify {
    websockify_connect_timeout 100ms;
    if ($arg_desktop = hole) { websockify_pass %%hole%%; }
    websockify_pass unix:/nowhere;
}
--- request: GET /websockify?desktop=hole
--- handshake
--- error_code: 504
--- error_log
timed out

=== TEST 5: an argument, whole or in parts
--- config
location /whole { websockify_pass $arg_to; }
location /parts { websockify_pass $arg_host:$arg_port; }
location /port  { websockify_pass 127.0.0.1:$arg_port; }
--- steps
my $port = $t->targets->port('one');
$t->client($_)->expect('binary "one"')
    for "/whole?to=127.0.0.1:$port", "/parts?host=127.0.0.1&port=$port", "/port?port=$port";
pass 'all three';

=== TEST 6: an IPv6 address and a unix socket
--- targets
six (ipv6): sends "six", swallows
un (unix): sends "un", swallows
--- http_config
map $arg_to $target { six %%six%%; un %%un%%; }
--- config
location /websockify { websockify_pass $target; }
--- steps
$t->client("/websockify?to=$_")->expect("binary \"$_\"") for qw(six un);
pass 'both';

=== TEST 7: an upstream group's name
--- http_config
upstream desktops { server %%one%%; }
--- config
set $group desktops;
location /websockify { websockify_pass $group; }
--- dialogue
client gets binary "one"

=== TEST 8: port 5900 if none is given
--- config
location /websockify { websockify_pass $arg_to; }
--- request: GET /websockify?to=127.77.59.1
--- handshake
--- error_code: 502
--- error_log
qr/connect\(\) failed .*127\.77\.59\.1:5900/

=== TEST 9: port 5900 for an IPv6 address and for a name
--- dns
vnc.test A 127.77.59.1
--- config
resolver %%DNS%% ipv6=off;
location /websockify { websockify_pass $arg_to; }
--- steps
is $t->status_of('/websockify?to=[::ffff:127.77.59.1]'), 502, 'an address';
is $t->status_of('/websockify?to=vnc.test'), 502, 'a name';
--- error_log eval
[ qr/connect\(\) failed .*\[::ffff:127\.77\.59\.1\]:5900/, qr/connect\(\) failed .*127\.77\.59\.1:5900/ ]

=== TEST 10: a target variable empty: 500, the reason in the error log
--- config
location /websockify { websockify_pass $arg_to; }
--- request: GET /websockify
--- handshake
--- error_code: 500
--- error_log
qr/\[error\] .*(?:empty|no host)/

=== TEST 11: a target variable not to be parsed: 500, the reason in the error log
--- config
location /websockify { websockify_pass $arg_to; }
--- steps
for my $bad ('127.0.0.1:99999', '127.0.0.1:0', '127.0.0.1:vnc', '127.0.0.1:', ':5900', '[::1', '[::1]x', 'unix:', '127.0.0.1:59%2000') {
    is $t->status_of("/websockify?to=$bad"), 500, $bad;
}
--- error_log eval
[ qr/\[error\] .*(?:invalid|no) (?:port|host|path)/ ]
--- target_connections
one: 0

=== TEST 12: a name, and nobody to resolve it: 502
--- config
location /websockify { websockify_pass $arg_to; }
--- request: GET /websockify?to=desk.test:5901
--- handshake
--- error_code: 502
--- error_log
qr/\[error\] .*no resolver defined to resolve "?desk\.test/

=== TEST 13: a location's own name in the log
--- config
location /websockify { websockify_pass $arg_to; }
--- log_format: $status $upstream_addr
--- steps
my $client = $t->client('/websockify?to=127.0.0.1:' . $t->targets->port('one'));
$client->expect('binary "one"');
--- access_log
101 %%one%%

=== TEST 14: a client cannot write lines into the error log
--- log_level: info
--- config
location ~ "(?s)^/to/(?<where>.+)$" { websockify_pass $where; }
--- request: GET /to/a%0a2026/11/23%2000:00:00%20[alert]%20forged:5901
--- handshake
--- error_code: 500
--- error_log
qr/\[error\] .*control character/
--- no_error_log eval
qr/^2026.{17}alert.*forged/m
