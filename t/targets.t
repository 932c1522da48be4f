# What `websockify_pass` reaches: addresses of each family, groups, failover; and targets that cannot be had.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

run_tests;

__DATA__

=== TEST 1: target refuses: 502 (the original's "bad upstream")
--- targets
down: refuses
--- config
location /websockify { websockify_pass %%down%%; }
--- handshake
--- error_code: 502
--- response_headers
!Sec-WebSocket-Accept
!Upgrade
--- error_log
qr/\[error\] .*connect\(\) failed \(111: .*\) while connecting to upstream/

=== TEST 2: target does not answer in `websockify_connect_timeout`: 504
--- targets
hole: never accepts
--- config
location /websockify { websockify_pass %%hole%%; websockify_connect_timeout 100ms; }
--- handshake
--- error_code: 504
--- error_log
qr/\[error\] .*timed out .*while connecting to upstream/

=== TEST 3: port 5900 if none is given
Nobody listens on that address of the loopback network.
--- config
location /websockify { websockify_pass 127.77.59.1; }
--- handshake
--- error_code: 502
--- log_format: $upstream_addr
--- error_log
qr/connect\(\) failed .*127\.77\.59\.1:5900/
--- access_log
127.77.59.1:5900

=== TEST 4: an IPv6 address
--- targets
six (ipv6): sends "six\n", echoes
--- config
location /websockify { websockify_pass %%six%%; }
--- dialogue
client gets binary "six\n"
client sends binary "hello"
client gets binary "hello"

=== TEST 5: a unix socket
--- targets
un (unix): sends "un\n", echoes
--- config
location /websockify { websockify_pass %%un%%; }
--- dialogue
client gets binary "un\n"
client sends binary "hello"
client gets binary "hello"
client sends close 1000
client gets close 1000 ""
client sees end
un sees end

=== TEST 6: a unix socket that is not there: 502
--- config
location /websockify { websockify_pass unix:%%PREFIX%%/nothing.sock; }
--- handshake
--- error_code: 502
--- error_log
qr/connect\(\) to unix:.*nothing\.sock failed \(2: /

=== TEST 7: a host's name, resolved when nginx starts
--- targets
vnc: sends "hello", swallows
--- config
location /websockify { websockify_pass localhost:%%vnc_port%%; }
--- dialogue
client gets binary "hello"

=== TEST 8: an upstream group, in turn
--- targets
one: sends "one", swallows
two: sends "two", swallows
--- http_config
upstream desktops { server %%one%%; server %%two%%; }
--- config
location /websockify { websockify_pass desktops; }
--- steps
my @said = sort map { $t->client->expect('binary qr/^(one|two)$/')->{payload} } 1 .. 4;
is_deeply \@said, [qw(one one two two)], 'each twice';
--- target_connections
one: 2
two: 2

=== TEST 9: target refuses: next server of the group
--- targets
down: refuses
up:   sends "up", swallows
--- http_config
upstream desktops { server %%down%%; server %%up%%; }
--- config
location /websockify { websockify_pass desktops; }
--- log_format: $status $upstream_addr
--- dialogue
client gets binary "up"
client sends close 1000
client gets close 1000 ""
client sees end
--- error_log
qr/\[error\] .*connect\(\) failed \(111: /
--- access_log
101 %%down%%, %%up%%

=== TEST 10: target does not answer in time: next server
--- targets
hole: never accepts
up:   sends "up", swallows
--- http_config
upstream desktops { server %%hole%%; server %%up%%; }
--- config
location /websockify { websockify_pass desktops; websockify_connect_timeout 100ms; }
--- dialogue
client gets binary "up"
--- error_log
qr/\[error\] .*timed out/

=== TEST 11: early frames go to the server that took the session, once
--- targets
down: refuses
up:   swallows
--- http_config
upstream desktops { server %%down%%; server %%up%%; }
--- config
location /websockify { websockify_pass desktops; }
--- early_frames
binary "early"
--- dialogue
up gets "early"
client sends binary " and late"
up gets " and late"
--- error_log
connect() failed

=== TEST 12: next server, then 502
--- targets
one: refuses
two: refuses
--- http_config
upstream desktops { server %%one%%; server %%two%%; }
--- config
location /websockify { websockify_pass desktops; }
--- handshake
--- error_code: 502
--- log_format: $status $upstream_addr
--- access_log
502 %%one%%, %%two%%
--- error_log
connect() failed

=== TEST 13: next server, then 504
--- targets
one: never accepts
two: never accepts
--- http_config
upstream desktops { server %%one%%; server %%two%%; }
--- config
location /websockify { websockify_pass desktops; websockify_connect_timeout 100ms; }
--- handshake
--- error_code: 504
--- error_log
timed out

=== TEST 14: a backup server
--- targets
down:  refuses
spare: sends "spare", swallows
--- http_config
upstream desktops { zone desktops 64k; server %%down%%; server %%spare%% backup; }
--- config
location /websockify { websockify_pass desktops; }
--- dialogue
client gets binary "spare"
--- error_log
connect() failed

=== TEST 15: a server that comes up
--- targets
vnc: refuses then sends "up", swallows
--- http_config
upstream desktops { server %%vnc%% max_fails=0; }
--- config
location /websockify { websockify_pass desktops; }
--- handshake
--- error_code: 502
--- steps
$t->targets->listen('vnc');
$t->client->expect('binary "up"');
pass 'it is up';
--- error_log
connect() failed

=== TEST 16: least_conn counts sessions, not requests
--- targets
one: sends "one", swallows
two: sends "two", swallows
--- http_config
upstream desktops { least_conn; server %%one%%; server %%two%%; }
--- config
location /websockify { websockify_pass desktops; }
--- steps
my @first = map { $t->client } 1, 2;
my @said  = map { $_->expect('binary qr/./')->{payload} } @first;
is_deeply [ sort @said ], [qw(one two)], 'one each';
$first[0]->send('close 1000');
$first[0]->saw_end;
$t->target_sees($said[0], 'end');
is $t->client->expect('binary qr/./')->{payload}, $said[0], 'the free one is next';

=== TEST 17: max_conns limits sessions
--- targets
one: sends "one", swallows
--- http_config
upstream desktops { zone desktops 64k; server %%one%% max_conns=1; }
--- config
location /websockify { websockify_pass desktops; }
--- steps
my $first = $t->client;
$first->expect('binary "one"');
my $second = $t->connect;
$second->send_bytes($t->handshake);
is $second->response->{status}, 502, 'no second session';
$first->close;
$t->target_sees('one', 'end');
$t->client->expect('binary "one"');
pass 'until the first has ended';
--- error_log
no live upstreams

=== TEST 18: keepalive in the group keeps no connection of ours
--- targets
vnc: sends "hello", swallows
--- http_config
upstream desktops { server %%vnc%%; keepalive 4; }
--- config
location /websockify { websockify_pass desktops; }
--- steps
for (1 .. 3) {
    my $client = $t->client;
    $client->expect('binary "hello"');
    $client->send('close 1000');
    $client->expect('close 1000 ""');
    $client->saw_end;
    $client->close;
    $t->target_sees('vnc', 'end');
}
--- target_connections
vnc: 3

=== TEST 19: two locations, two targets
--- targets
one: sends "one", swallows
two: sends "two", swallows
--- config
location /one { websockify_pass %%one%%; }
location /two { websockify_pass %%two%%; }
--- steps
$t->client("/$_")->expect("binary \"$_\"") for qw(one two);
pass 'each its own';

=== TEST 20: sessions one after another leave nothing behind
--- targets
vnc: echoes
--- config
location /websockify { websockify_pass %%vnc%%; }
--- steps
for my $n (1 .. 200) {
    my $client = $t->client('/websockify', early => "binary \"$n\"");
    $client->expect("binary \"$n\"");
    $client->send('close 1000') if $n % 2;
    $client->close;
}
$t->await('vnc', 'have seen 200 come and go', sub ($report) {
    $report->{accepted} == 200 && !grep { $_->{open} } $report->{connections}->@*;
});
pass 'all gone';

=== TEST 21: from a process of its own, without a master
--- master_process: off
--- targets
vnc: echoes
--- config
location /websockify { websockify_pass %%vnc%%; }
--- dialogue
client sends binary "hello"
client gets binary "hello"
client sends close 1000
client gets close 1000 ""
client sees end

=== TEST 22: a session has a connection of its own, also in a group that keeps some alive
--- targets
both: awaits "\r\n\r\n", sends "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", echoes
--- http_config
upstream group { server %%both%%; keepalive 4; }
--- config
location /http { proxy_pass http://group; proxy_http_version 1.1; proxy_set_header Connection ""; }
location /websockify { websockify_pass group; }
--- steps
is $t->get('/http')->{status}, 200, 'a connection is kept';
my $client = $t->client;
$client->send('binary "GET / HTTP/1.1\r\n\r\n"');
$client->expect('binary qr/^HTTP/');
$t->target_accepts('both', 2);
pass 'another connection';
