# limit_conn counts sessions, limit_req handshakes.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(targets => 'vnc: sends "hello", swallows');
run_tests;

__DATA__

=== TEST 1: limit_conn counts sessions, until they end
--- http_config
limit_conn_zone $binary_remote_addr zone=sessions:1m;
--- config
set_real_ip_from 127.0.0.1;
location /websockify { limit_conn sessions 2; websockify_pass %%vnc%%; }
--- steps
my @clients = map { $t->client } 1, 2;
$_->expect('binary "hello"') for @clients;
is $t->status_of('/websockify'), 503, 'no third session';
is $t->status_of('/websockify', headers => 'X-Real-IP: 192.0.2.7'), 101, 'but one of somebody else';
$clients[0]->send('close 1000');
$clients[0]->expect('close 1000 ""');
$clients[0]->saw_end;
WebsockifyTest::Util::await('a place', sub { $t->status_of('/websockify') == 101 });
pass 'and one more when the first has ended';
--- error_log
qr/\[error\] .*limiting connections by zone "sessions"/

=== TEST 2: limit_conn_status, and limit_conn of a session that came to nothing
--- targets
down: refuses
--- http_config
limit_conn_zone $server_name zone=all:1m;
--- config
limit_conn_status 429;
location /websockify { limit_conn all 1; websockify_pass %%down%%; }
--- steps
is $t->status_of('/websockify'), 502, 'each is tried' for 1 .. 3;
--- error_log
connect() failed

=== TEST 3: limit_req counts handshakes
--- http_config
limit_req_zone $binary_remote_addr zone=handshakes:1m rate=1r/m;
--- config
location /websockify { limit_req zone=handshakes burst=1 nodelay; limit_req_status 429; websockify_pass %%vnc%%; }
--- steps
my @clients = map { $t->client } 1, 2;
$_->expect('binary "hello"') for @clients;
is $t->status_of('/websockify'), 429, 'the third comes too soon';
--- target_connections
vnc: 2
--- error_log
qr/\[error\] .*limiting requests, excess: \S+ by zone "handshakes"/

=== TEST 4: limit_req delays a handshake, and not what follows
--- http_config
limit_req_zone $server_name zone=slow:1m rate=5r/s;
--- targets
vnc: echoes
--- config
location /websockify { limit_req zone=slow burst=5; websockify_pass %%vnc%%; }
--- steps
my $start = Time::HiRes::time;
my @clients = map { $t->client('/websockify', early => 'binary "early"') } 1 .. 3;
cmp_ok Time::HiRes::time - $start, '>', 0.35, 'the third has waited for two turns of 0.2 s';
for my $client (@clients) {
    $client->expect('binary "early"');
    $client->send('binary "later"');
    $client->expect('binary "later"');
}

=== TEST 5: limit_rate says nothing of a session
It would hold the 101 back for ever.
--- targets
vnc: streams 200_000, swallows
--- config
location /websockify { limit_rate 1k; websockify_pass %%vnc%%; }
--- steps
my $result = $t->client->pump(receive => 200_000);
is $result->{received}, 200_000, 'at once';
