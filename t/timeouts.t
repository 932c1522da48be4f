# The three timeouts of issue 2, and what must not be taken for silence. Waits here are what is tested.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(sleep time);
use WebsockifyTest;

defaults(targets => 'vnc: swallows');
run_tests;

# Seconds that `$code` takes.
sub seconds ($code) { my $start = time; $code->(); return time - $start }

# A session whose target is full: the client, and how much of `$bytes` was taken.
sub full_session ($t, $bytes) {
    my $client = $t->client;
    my $taken  = $client->stream->write_until_full($bytes, 2);
    cmp_ok $taken, '<', length $bytes, 'the target is full';
    return ($client, $taken);
}

__DATA__

=== TEST 1: websockify_connect_timeout: 504, and not before its time
--- targets
hole: never accepts
--- config
location /websockify { websockify_pass %%hole%%; websockify_connect_timeout 400ms; }
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake);
my $took = seconds(sub { is $client->response->{status}, 504, 'status' });
cmp_ok $took, '>', 0.3, sprintf 'after %.2f s', $took;
--- error_log
timed out

=== TEST 2: websockify_read_timeout: silence: close 1011
--- config
location /websockify { websockify_pass %%vnc%%; websockify_read_timeout 400ms; }
--- steps
my $client = $t->client;
my $took = seconds(sub { $client->expect('close 1011 qr/time/') });
cmp_ok $took, '>', 0.3, sprintf 'after %.2f s', $took;
$client->send('close 1011');
is $client->saw_end, 'end', 'the end';
$t->target_sees('vnc', 'end');
--- error_log
qr/timed out/

=== TEST 3: read from the client is no silence, be it a pong
--- config
location /websockify { websockify_pass %%vnc%%; websockify_read_timeout 2s; }
--- steps
my $client = $t->client;
for (1 .. 9) { sleep 0.3; $client->send($_ % 2 ? 'pong' : 'binary "x"') }
$client->send('ping "x"');
$client->expect('pong "x"');
pass 'open after 2.7 s';

=== TEST 4: read from the target is no silence
--- targets
vnc: waits then sends "1", waits, sends "2", waits, sends "3", waits, sends "4", waits, sends "5", waits, sends "6", waits, sends "7", waits, sends "8", waits, sends "9", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_read_timeout 2s; }
--- steps
my $client = $t->client;
$t->target_accepts('vnc', 1);
for my $n (1 .. 9) { sleep 0.3; $t->targets->tell('vnc'); $client->expect("binary \"$n\"") }
pass 'open after 2.7 s';

=== TEST 5: while the target is full the read timeout stands still and only `send_timeout` counts
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_read_timeout 300ms; websockify_send_timeout 60s; }
--- steps
my ($bytes) = WebsockifyTest::Frame::parse_frames('binary pattern(30_000_000)');
my ($client, $taken) = full_session($t, $bytes);
sleep 1.5;
$t->targets->tell('vnc');
$client->send_bytes(substr $bytes, $taken);
$client->send('close 1000');
$client->expect('close 1000 ""');
$t->await('vnc', 'get everything', sub ($report) { $report->{connections}[0]{size} == 30_000_000 });
pass 'all of it';

=== TEST 6: websockify_send_timeout: a blocked write to the target: close 1011
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_send_timeout 2s; }
--- steps
my ($client) = full_session($t, (WebsockifyTest::Frame::parse_frames('binary pattern(30_000_000)'))[0]);
$client->expect('close 1011 qr/./');
pass 'closed';
--- error_log
timed out

=== TEST 7: websockify_send_timeout: a blocked write to the client ends the session
--- targets
vnc: streams 50_000_000, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_send_timeout 400ms; }
--- log_format: status=$status
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
$client->stream->{reading} = 0;
$t->nginx->await_access_log(qr/^status=101$/m);
pass 'ended';
--- error_log
timed out

=== TEST 8: a slow client that reads is not a blocked one
The kernel calls a socket writable when a third of its buffer is free, so that is kept small here.
--- targets
vnc: streams 3_000_000, closes
--- config
listen 127.0.0.1:%%SMALL_PORT%% sndbuf=32k;
location /websockify { websockify_pass %%vnc%%; websockify_send_timeout 1500ms; websockify_read_timeout 1500ms; }
--- steps
my $client = $t->client('/websockify', port => $t->port('SMALL_PORT'), rcvbuf => 4096);
my $got = 0;
for (1 .. 10) { sleep 0.3; $got += length $client->frame->{payload} }
my $result = $client->pump(receive => 3_000_000 - $got);
is $result->{received} + $got, 3_000_000, 'all of it';
$client->expect('close 1000 "target closed"');
$client->send('close 1000');

=== TEST 9: http, server and location: the nearest counts
--- http_config
websockify_read_timeout 100s;
--- config
websockify_read_timeout 300ms;
location /inherits { websockify_pass %%vnc%%; }
location /own      { websockify_pass %%vnc%%; websockify_read_timeout 100s; }
--- steps
my $own = $t->client('/own');
my $inherits = $t->client('/inherits');
$inherits->expect('close 1011 qr/time/');
$own->send('ping "x"');
$own->expect('pong "x"');
pass 'the one has ended, the other not';
--- error_log
timed out

=== TEST 10: http's counts where nobody else says
--- http_config
websockify_connect_timeout 100ms;
--- targets
hole: never accepts
--- config
location /websockify { location /websockify/inner { websockify_pass %%hole%%; } }
--- request: GET /websockify/inner
--- handshake
--- error_code: 504
--- error_log
timed out

=== TEST 11: and so does the ping timeout: a client that is not read is neither pinged nor given up
--- speed: 20
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- config
client_header_timeout 1h;
location /websockify { websockify_pass %%vnc%%; websockify_send_timeout 1h; }
--- steps
my ($bytes) = WebsockifyTest::Frame::parse_frames('binary pattern(30_000_000)');
my ($client, $taken) = full_session($t, $bytes);
sleep 5;
is length $client->stream->{in}, 0, 'nothing is said in 100 s';
$t->targets->tell('vnc');
$client->send_bytes(substr $bytes, $taken);
$t->await('vnc', 'get everything', sub ($report) { $report->{connections}[0]{size} == 30_000_000 });
$client->send('ping "x"');
$client->expect('pong "x"');
