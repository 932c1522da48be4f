# Pings and the timeouts of a whole session (BEHAVIOUR.md sections 2 and 3). Waits here are what is tested.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;

defaults(targets => 'vnc: echoes');
run_tests;

# Answers `$count` pings.
sub answer_pings ($client, $count) {
    for (1 .. $count) {
        my $ping = $client->frame;
        is $ping->{opcode}, 9, 'a ping';
        $client->send_bytes(WebsockifyTest::Frame::encode(opcode => 10, payload => $ping->{payload}));
    }
}

__DATA__

=== TEST 1: websockify_ping_interval: a silent client is pinged, and its pong is a sign of life
Longer than the read timeout: "it does not end the idle session of a live client".
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 300ms; websockify_read_timeout 2s; }
--- steps
my $client = $t->client;
my $start = time;
answer_pings($client, 1) while time - $start < 3;
$client->send('binary "still here"');
$client->expect('binary "still here"');

=== TEST 2: no pong in time: 1001 as best effort
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 100ms; websockify_ping_timeout 200ms; }
--- steps
my $start  = time;
my $client = $t->client;
$client->expect('ping qr/./s');
$client->expect('close 1001 "no pong"');
cmp_ok time - $start, '>', 0.25, 'not before its time';
is $client->saw_end, 'end', 'and no reset';
$t->target_sees('vnc', 'end');
--- error_log
client timed out: it did not answer a ping

=== TEST 3: any bytes of the client's are a sign of life
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 100ms; websockify_ping_timeout 3s; }
--- steps
my $client = $t->client;
for my $n (1 .. 4) {
    $client->expect('ping qr/./s');
    $client->send("binary \"$n\"");
    $client->expect("binary \"$n\"");
}

=== TEST 4: websockify_ping_interval 0: no ping, and the read timeout ends an idle session, as the original's did
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 0; websockify_read_timeout 300ms; }
--- dialogue
client gets close 1011 "timed out"
client sees end
--- error_log
client and target timed out

=== TEST 5: websockify_ping_timeout 0: pings go on, nobody is given up for want of a pong
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 50ms; websockify_ping_timeout 0; }
--- steps
my $client = $t->client;
$client->expect('ping qr/./s') for 1 .. 5;
$client->send('binary "x"');
$client->expect('binary "x"');

=== TEST 6: a talking client is not pinged
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 1s; }
--- steps
my $client = $t->client;
my $start  = time;
while (time - $start < 1.5) {
    $client->send('binary "x"');
    $client->expect('binary "x"');
}

=== TEST 7: a ping goes out between the target's frames, never inside one
--- targets
vnc: streams 3_000_000, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 20ms; websockify_ping_timeout 0; }
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
my ($data, $pings) = ('', 0);
while (length $data < 3_000_000 || !$pings) {
    my $frame = $client->frame;
    if    ($frame->{opcode} == 9) { $pings++ }
    elsif ($frame->{opcode} == 2) { $data .= $frame->{payload} }
    else                          { last }
}
ok $data eq pattern(3_000_000), 'byte for byte';
ok $pings, 'and pinged';

=== TEST 8: websockify_idle_timeout: no payload either way, pongs do not count: 1000 idle
--- config
location /websockify { websockify_pass %%vnc%%; websockify_idle_timeout 1500ms; websockify_ping_interval 100ms; }
--- steps
my $client = $t->client;
answer_pings($client, 3);
while ((my $frame = $client->frame)->{opcode} != 8) {
    $client->send_bytes(WebsockifyTest::Frame::encode(opcode => 10, payload => $frame->{payload}));
}
pass 'closed';
$client->send('close 1000');
is $client->saw_end, 'end', 'and no reset';
--- error_log
session timed out: no payload

=== TEST 9: the code and the reason of an idle session's end; what the client still sends reaches the target
--- targets
vnc: swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_idle_timeout 200ms; }
--- dialogue
client gets close 1000 "idle"
client sends binary "late" & close 1000
client sees end
vnc gets "late"
vnc sees end
--- error_log
session timed out: no payload

=== TEST 10: payload either way keeps a session from being idle
--- config
location /websockify { websockify_pass %%vnc%%; websockify_idle_timeout 1s; }
--- steps
my $client = $t->client;
for (1 .. 5) {
    select undef, undef, undef, 0.4;
    $client->send('binary "x"');
    $client->expect('binary "x"');
}

=== TEST 11: websockify_session_timeout: longest life, also of a busy session: 1000 where the value is fixed
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout 400ms; }
--- steps
my $start  = time;
my $client = $t->client;
my $frame;
do {
    $client->send('binary "x"');
    $frame = $client->frame;
} while $frame->{opcode} == 2;
is $frame->{opcode}, 8, 'closed';
is $frame->{payload}, "\x03\xE8session timeout", 'code and reason';
cmp_ok time - $start, '>', 0.35, 'not before its time';
--- error_log
session timed out: it lasted

=== TEST 12: websockify_max_frame_size: frame too big: 1009, before its payload
--- config
location /websockify { websockify_pass %%vnc%%; websockify_max_frame_size 1k; }
--- dialogue
client sends binary pattern(1024)
client gets binary pattern(1024)
client sends binary declares 1025 ""
client gets close 1009 "too big frame"
client sees end
--- error_log
client sent too big frame

=== TEST 13: websockify_max_frame_size: a message of many frames may be longer
--- config
location /websockify { websockify_pass %%vnc%%; websockify_max_frame_size 4; }
--- dialogue
client sends binary more "four" & continuation more "five" & ping "longer than four" & continuation "six"
client gets pong "longer than four"
client sends binary "x"
--- steps
$t->target_gets('vnc', 'fourfivesixx');

=== TEST 14: a connection that waits in the middle of a frame header is pinged, and given up
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 100ms; websockify_ping_timeout 100ms; }
--- dialogue
client sends bytes 82 FE 00
client gets ping qr/./s
client gets close 1001 "no pong"
client sees end
vnc sees end
--- error_log
client timed out: it did not answer a ping

=== TEST 15: pings and timeouts of levels: the inner one counts
--- http_config
websockify_ping_interval 1h; websockify_idle_timeout 1h; websockify_session_timeout 1h; websockify_max_frame_size 1;
--- config
websockify_max_frame_size 0; websockify_idle_timeout 1s;
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout 0; }
--- dialogue
client sends binary "longer than one"
client gets binary "longer than one"
client gets close 1000 "idle"
--- error_log
session timed out: no payload
