# What nobody has configured: each default of the contract's section 3 that is a time, at work.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;

use constant SPEED => 20;

run_tests;

# Seconds of nginx's since `$start`, which must be these or, because this machine has other things to do, some more.
sub took ($start, $seconds, $what, $more = 60) {
    my $took = SPEED * (time - $start);
    ok $took > $seconds - 1 && $took < $seconds + $more, sprintf '%s: after %.1f s', $what, $took;
}

__DATA__

=== TEST 1: connecting, sending, reading: 60s each; a ping after 30s, and 20s for its pong
--- speed: 20
--- targets
hole: never accepts
full (rcvbuf 4096): pauses, swallows
talks: streams 24_000_000, swallows
vnc: swallows
--- config
client_header_timeout 1h;
location /connect { websockify_pass %%hole%%; }
location /full    { websockify_pass %%full%%; websockify_read_timeout 1h; websockify_ping_interval 0; }
location /talks   { websockify_pass %%talks%%; websockify_read_timeout 1h; websockify_ping_interval 0; }
location /silent  { websockify_pass %%vnc%%; }
location /read    { websockify_pass %%vnc%%; websockify_ping_interval 0; }
--- steps
my ($silent, $silent_since) = ($t->client('/silent'), time);
my ($reading, $read_since)  = ($t->client('/read'), time);
my ($connecting, $connects_since) = ($t->connect, time);
$connecting->send_bytes($t->handshake('GET /connect'));
my $deaf = $t->client('/talks', rcvbuf => 4096);
$deaf->stream->{reading} = 0;
my $sending    = $t->client('/full');
my ($frame) = WebsockifyTest::Frame::parse_frames('binary mask 00000000 pattern(24_000_000)');
my $taken      = $sending->stream->write_until_full($frame, 0.2);
my $full_since = time - 0.2;
cmp_ok $taken, '<', 24_000_000, 'the target is full';

$silent->expect('ping qr/./s');
took($silent_since, 30, 'a ping');
$silent->expect('close 1001 "no pong"');
took($silent_since, 50, 'no pong');
$reading->expect('close 1011 "timed out"');
took($read_since, 60, 'the read timeout');
is $connecting->response->{status}, 504, 'the connect timeout';
took($connects_since, 60, 'the connect timeout');
$sending->expect('close 1011 "target timed out"');
# The kernel gets rid of a little after a while yet, and who takes something has as long again.
took($full_since, 60, "the target's send timeout", 120);
$t->await('talks', 'be released', sub ($report) { !grep { $_->{open} } $report->{connections}->@* });
took($full_since, 60, "the client's send timeout", 120);
--- error_log
client timed out: it did not answer a ping
neither sent anything
target timed out: it took no data
client timed out: it took no data
upstream timed out (110: Connection timed out) while connecting

=== TEST 2: the client's answer to our Close: 5s; no limit of idleness, nor of a session's life
--- speed: 20
--- targets
ends: half-closes, then swallows
vnc: echoes
--- config
client_header_timeout 1h;
location /ends { websockify_pass %%ends%%; }
location /vnc  { websockify_pass %%vnc%%; websockify_ping_interval 0; websockify_read_timeout 1h; }
--- steps
my ($client, $since) = ($t->client('/ends'), time);
my $idle = $t->client('/vnc');
$client->expect('close 1000 "target closed"');
$client->saw_end;
took($since, 5, 'the end');
Time::HiRes::sleep 5;
$idle->send('binary "here"');
$idle->expect('binary "here"');
took($since, 105, 'still here');
