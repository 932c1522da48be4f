# `websockify_connect_retry`: a target that is still starting is waited for.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;
use WebsockifyTest::Util qw(await readable);

defaults(
    targets    => 'vnc: refuses then sends "ready", echoes',
    config     => 'location /websockify { websockify_pass %%vnc%%; websockify_connect_retry 20s; }',
    log_format => '$status $upstream_addr $upstream_status $request_time $websockify_close_code',
    error_log  => 'connect() failed',
);
run_tests;

# A client that has asked and is not answered yet.
sub waiting ($t, $path = '/websockify', $changes = '') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path", $changes));
    return $client;
}

# Waits until nginx has failed to connect so often.
sub await_failures ($t, $count) {
    await "$count failures", sub { (() = $t->nginx->error_log =~ /connect\(\) .*failed/g) >= $count };
}

__DATA__

=== TEST 1: a target that comes up is connected, and the client learns nothing of the wait
--- steps
my $client = waiting($t);
await_failures($t, 3);
$t->targets->listen('vnc');
is $client->response->{status}, 101, 'a session';
$client->expect('binary "ready"');
$client->send('binary "hello"');
$client->expect('binary "hello"');
$client->close;
my $address = $t->targets->address('vnc');
$t->nginx->await_access_log(qr/^101 \Q$address\E 101 \d/m);
pass 'the log has the last attempt';
--- no_error_log
upstream timed out
--- target_connections
vnc: 1

=== TEST 2: one that does not come is given up when the time is over
--- config
location /websockify { websockify_pass %%vnc%%; websockify_connect_retry 600ms; }
--- steps
my $start = time;
my $client = waiting($t);
is $client->response->{status}, 502, 'the same status as without';
# nginx's clock stands still during a turn of its loop.
cmp_ok time - $start, '>=', 0.5, 'after the time';
my $failures = () = $t->nginx->error_log =~ /connect\(\) failed/g;
cmp_ok $failures, '>=', 2, 'several attempts';
cmp_ok $failures, '<=', 6, 'with growing pauses';
$t->nginx->await_access_log(qr/^502 \S+ 502 \d\.\d+ /m);
pass 'one attempt is in the log';

=== TEST 3: none without the directive, nor with 0
--- http_config
websockify_connect_retry 20s;
--- config
websockify_connect_retry 0;
location /websockify { websockify_pass %%vnc%%; }
--- steps
is waiting($t)->response->{status}, 502, 'at once';
my $failures = () = $t->nginx->error_log =~ /connect\(\) failed/g;
is $failures, 1, 'one attempt';

=== TEST 4: a client that leaves while it waits is not waited for
--- steps
my $client = waiting($t);
await_failures($t, 2);
$client->close;
$t->nginx->await_access_log(qr/^499 /m);
pass 'its request ends';

=== TEST 5: all servers of a group, round after round
--- targets
one: refuses
two: refuses then sends "two", swallows
--- http_config
upstream desktops { server %%one%% max_fails=0; server %%two%% max_fails=0; }
--- config
location /websockify { websockify_pass desktops; websockify_connect_retry 20s; }
--- steps
my $client = waiting($t);
await_failures($t, 5);
$t->targets->listen('two');
is $client->response->{status}, 101, 'a session';
$client->expect('binary "two"');

=== TEST 6: a group that nginx takes for dead
--- targets
one: refuses
two: refuses then sends "two", swallows
--- http_config
upstream desktops { server %%one%% fail_timeout=2s; server %%two%% fail_timeout=2s; }
--- config
location /websockify { websockify_pass desktops; websockify_connect_retry 20s; }
location /other { websockify_pass desktops; }
--- steps
is waiting($t, '/other')->response->{status}, 502, 'all are marked';
my $client = waiting($t);
$t->targets->listen('two');
is $client->response->{status}, 101, 'a session';
$client->expect('binary "two"');

=== TEST 7: a group whose server has as many sessions as it may
--- targets
vnc: sends "ready", echoes
--- http_config
upstream desktops { zone desktops 64k; server %%vnc%% max_conns=1; }
--- config
location /websockify { websockify_pass desktops; websockify_connect_retry 20s; }
--- steps
my $first = $t->client;
$first->expect('binary "ready"');
my $second = waiting($t);
ok !readable($second->stream->{socket}, 0.3), 'no answer yet';
$first->send('close 1000');
$first->expect('close 1000');
$first->close;
is $second->response->{status}, 101, 'its turn has come';
--- error_log

=== TEST 8: a unix socket that is not there yet
--- targets
vnc (unix): sends "ready", swallows
--- config
location /websockify { websockify_pass unix:%%PREFIX%%/later.sock; websockify_connect_retry 20s; }
--- steps
my $client = waiting($t);
await_failures($t, 2);
rename $t->nginx->prefix . '/vnc.sock', $t->nginx->prefix . '/later.sock' or die "rename: $!";
is $client->response->{status}, 101, 'a session';
$client->expect('binary "ready"');
--- error_log
connect() to unix:

=== TEST 9: a name that is not known yet
--- targets
vnc: sends "ready", swallows
--- dns
other.test A 127.0.0.1
--- config
resolver %%DNS%% valid=1s ipv6=off;
websockify_allow all;
location /websockify { websockify_pass $arg_name.test:%%vnc_port%%; websockify_connect_retry 20s; }
--- steps
my $client = waiting($t, '/websockify?name=desktop');
await 'the name to be asked for again', sub { (() = $t->nginx->error_log =~ /could not be resolved/g) >= 2 };
$t->targets->set_zone('desktop.test A 127.0.0.1');
is $client->response->{status}, 101, 'a session';
$client->expect('binary "ready"');
my $gone = waiting($t, '/websockify?name=nobody');
await 'another name', sub { $t->nginx->error_log =~ /nobody.test" could not be resolved/ };
$gone->close;
$t->nginx->await_access_log(qr/^499 /m);
pass 'who leaves is not waited for';
--- error_log
could not be resolved

=== TEST 10: a worker that goes: the wait goes on, until the shutdown's time is over
--- main_config
worker_shutdown_timeout 1s;
--- steps
my @clients = map { waiting($t) } 1 .. 3;
await_failures($t, 6);
my @old = $t->nginx->reload;
$t->nginx->await_worker_end(@old);
pass 'the worker has ended';
$_->saw_end for @clients;

=== TEST 11: and a target that comes meanwhile
--- steps
my $client = waiting($t);
await_failures($t, 2);
my @old = $t->nginx->reload;
$t->targets->listen('vnc');
is $client->response->{status}, 101, 'a session in the old worker';
$client->expect('binary "ready"');
$client->close;
$t->nginx->await_worker_end(@old);
pass 'which then ends';

=== TEST 12: frames that came early wait too
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake('GET /websockify') . join '', WebsockifyTest::Frame::parse_frames('binary "early"'));
await_failures($t, 2);
$t->targets->listen('vnc');
is $client->response->{status}, 101, 'a session';
$client->expect('binary "ready"');
$client->expect('binary "early"');

=== TEST 13: with a Close in place of a status: accepted at once, pinged, not read, told at the end
--- config
location /websockify { websockify_pass %%vnc%%; websockify_connect_retry 1s; websockify_error_mode close; websockify_ping_interval 100ms; }
--- steps
my $client = $t->client;
$client->send('binary "hello"');
$client->expect('ping ""') for 1 .. 5;
my $frame;
1 while ($frame = $client->frame or die "no Close\n") && $frame->{opcode} == 9;
is_deeply [ $frame->{opcode}, unpack 'n a*', $frame->{payload} ], [ 8, 1013, 'target is not there yet' ], 'a Close';
$client->send('close 1013');
is $client->saw_end, 'end', 'the end';
$t->nginx->await_access_log(qr/^502 \S+ 502 [1-9]\S* 1013$/m);
pass 'the log says why';
--- no_error_log
header already sent

=== TEST 14: and connected after all
--- config
location /websockify { websockify_pass %%vnc%%; websockify_connect_retry 20s; websockify_error_mode close; websockify_ping_interval 100ms; websockify_ping_timeout 5s; }
--- steps
my $client = $t->client('/websockify', early => 'binary "early"');
$client->send('binary " later" & ping "x"');
$client->expect('ping ""');
await_failures($t, 3);
$t->targets->listen('vnc');
my @frames;
push @frames, $client->frame until @frames && $frames[-1]{opcode} == 10;
my $heard = join '', map { $_->{payload} } grep { $_->{opcode} == 2 } @frames;
$heard .= $client->frame->{payload} while length $heard < length 'readyearly later';
is $heard, 'readyearly later', 'what was said meanwhile';
$client->send('close 1000');
$client->expect('close 1000');
$client->close;
$t->nginx->await_access_log(qr/^101 \S+ 101 \S+ 1000$/m);
pass 'the log says what it would have said';

=== TEST 15: and a client that leaves meanwhile
--- config
location /websockify { websockify_pass %%vnc%%; websockify_connect_retry 20s; websockify_error_mode close; }
--- steps
my @clients = map { $t->client } 1 .. 2;
$clients[0]->send('binary "left unread"');
await_failures($t, 4);
$_->close for @clients;
await 'both to be logged', sub { (() = $t->nginx->access_log =~ /^\d+ /mg) == 2 };
$t->targets->listen('vnc');
$t->client->expect('binary "ready"');
pass 'nobody waits';
--- target_connections
vnc: 1

=== TEST 16: and a name that is never known, and a target that is not permitted
--- dns
other.test A 127.0.0.1
denied.test A 127.0.0.1
--- config
resolver %%DNS%% ipv6=off;
websockify_error_mode close;
location /websockify { websockify_pass $arg_name.test:%%vnc_port%%; websockify_allow all; websockify_connect_retry 300ms; }
location /deny { websockify_pass $arg_name.test:%%vnc_port%%; websockify_deny all; websockify_connect_retry 20s; }
--- steps
my $client = $t->client('/websockify?name=nobody');
$client->expect('close 1013 "target is not there yet"');
my $denied = $t->client('/deny?name=denied');
$denied->expect('close 4403 "forbidden"');
$_->send('close 1000'), is $_->saw_end, 'end', 'the end' for $client, $denied;
--- no_error_log
header already sent
--- error_log
could not be resolved
is refused by "websockify_deny"

=== TEST 17: and a worker that goes: come again
--- main_config
worker_shutdown_timeout 1s;
--- dns
other.test A 127.0.0.1
--- config
websockify_connect_retry 20s; websockify_error_mode close;
location /websockify { websockify_pass %%vnc%%; }
location /named { resolver %%DNS%% ipv6=off; websockify_pass $arg_to:1; }
--- steps
my @clients = map { $t->client } 1 .. 3;
await_failures($t, 6);
push @clients, $t->client('/named?to=nobody.test');
$t->nginx->await_log(qr/could not be resolved/);
$t->nginx->await_worker_end($t->nginx->reload);
$_->expect('close 1013 "service unavailable"') for @clients;
pass 'the worker has ended';
--- error_log
could not be resolved
connect() failed

=== TEST 18: a target that does not answer at all
--- targets
vnc: never accepts
--- config
location /websockify { websockify_pass %%vnc%%; websockify_connect_retry 500ms; websockify_connect_timeout 100ms; }
--- steps
is waiting($t)->response->{status}, 504, 'the last answer';
my $failures = () = $t->nginx->error_log =~ /upstream timed out/g;
cmp_ok $failures, '>=', 2, 'several attempts';
--- error_log
upstream timed out
