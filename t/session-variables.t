# The variables of BEHAVIOUR.md section 3, in the access log: what they say however a session ended.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(
    targets    => 'vnc: swallows',
    config     => 'location /websockify { websockify_pass %%vnc%%; }',
    log_format => join ' ', '$status', map { "$_=\$websockify_$_" } qw(
        target subprotocol bytes_received bytes_sent frames_received frames_sent close_code close_by
    ),
);
run_tests;

# The values of `log_format '$websockify_session_id'`, as they are logged once `$count` sessions have ended.
sub ids ($t, $count) {
    my @ids;
    WebsockifyTest::Util::await("$count lines", sub { (@ids = $t->nginx->access_log =~ /^(.*)$/mg) >= $count });
    return @ids;
}

__DATA__

=== TEST 1: a session that the client ends
--- targets
vnc: sends "RFB 003.008\n", swallows
--- dialogue
client gets binary "RFB 003.008\n"
client sends binary "one" & binary more "tw" & ping & continuation "o"
vnc gets "onetwo"
client sends close 4123 "bye"
client gets pong
client gets close 4123
client sees end
--- access_log
101 target=%%vnc%% subprotocol=- bytes_received=6 bytes_sent=12 frames_received=3 frames_sent=1 close_code=4123 close_by=client

=== TEST 2: payload is counted as the target has it, the subprotocol is the one that was answered
--- targets
vnc: sends "hello", swallows
--- handshake
Sec-WebSocket-Protocol: mqtt, base64
--- dialogue
client gets base64 "hello"
client sends text "d29ybGRz"
vnc gets "worlds"
client sends close
client gets close
--- access_log
101 target=%%vnc%% subprotocol=base64 bytes_received=6 bytes_sent=5 frames_received=1 frames_sent=1 close_code=1005 close_by=client

=== TEST 3: a client that leaves without a Close
--- dialogue
client sends binary "x"
client leaves
vnc sees end
--- access_log
frames_received=1 frames_sent=0 close_code=1006 close_by=client

=== TEST 4: a fault of the client
--- dialogue
client sends binary unmasked "x"
client gets close 1002 "unmasked frame"
--- access_log
close_code=1002 close_by=client

=== TEST 5: the target ends its stream
--- targets
vnc: sends "bye", closes
--- dialogue
client gets binary "bye"
client gets close 1000 "target closed"
client sends close 1000
client sees end
--- access_log
bytes_sent=3 frames_received=0 frames_sent=1 close_code=1000 close_by=target

=== TEST 6: a timeout
--- config
location /websockify { websockify_pass %%vnc%%; websockify_idle_timeout 100ms; }
--- dialogue
client gets close 1000 "idle"
client sends close 1000
client sees end
--- access_log
close_code=1000 close_by=timeout

=== TEST 7: the worker's shutdown
--- main_config
worker_shutdown_timeout 100ms;
--- dialogue
client sends binary "x"
vnc gets "x"
--- steps
my @old = $t->nginx->reload;
$client->expect('close 1001 "server is shutting down"');
$t->nginx->await_worker_end(@old);
like $t->nginx->access_log, qr/^101 .*bytes_received=1 .*close_code=1001 close_by=shutdown$/m, 'logged';

=== TEST 8: a handshake that is refused is no session
--- handshake
-Sec-WebSocket-Key
--- error_code: 400
--- access_log
400 target=- subprotocol=- bytes_received=- bytes_sent=- frames_received=- frames_sent=- close_code=- close_by=-

=== TEST 9: a target that refuses: its name, and nothing else
--- targets
vnc: refuses
--- handshake
--- error_code: 502
--- error_log: connect() failed
--- access_log
502 target=%%vnc%% subprotocol=- bytes_received=- bytes_sent=- frames_received=- frames_sent=- close_code=- close_by=-

=== TEST 10: a target that is none
--- config
location /websockify { websockify_pass $arg_to:0; }
--- request: GET /websockify?to=desk
--- handshake
--- error_code: 500
--- error_log: invalid port in target
--- access_log
500 target=desk:0 subprotocol=-

=== TEST 11: the target as the configuration names it, with what its variables came to
--- http_config
upstream desktops { server %%vnc%%; }
map $arg_desk $group { a desktops; }
--- config
location /group { websockify_pass desktops; }
location /map   { websockify_pass $group; }
location /parts { websockify_pass 127.0.0.1:$arg_port; }
--- steps
$t->client($_)->send('close') for '/group', '/map?desk=a', "/parts?port=" . $t->targets->port('vnc');
$t->nginx->await_access_log(qr/(?:.*\n){3}/);
is join(' ', sort $t->nginx->access_log =~ /target=(\S+)/g),
    join(' ', sort 'desktops', 'desktops', $t->targets->address('vnc')), 'their targets';

=== TEST 12: an internal redirect takes nothing away
--- targets
vnc: refuses
--- config
location /websockify { websockify_pass %%vnc%%; error_page 502 /sorry; }
location /sorry { return 503 $websockify_target; }
--- handshake
--- error_code: 502
--- response_body: %%vnc%%
--- error_log: connect() failed
--- access_log
502 target=%%vnc%%

=== TEST 13: after a redirect to another target, the last session counts
--- targets
gone: refuses
vnc: swallows
--- config
location /websockify { websockify_pass %%gone%%; error_page 502 = @spare; }
location @spare { websockify_pass %%vnc%%; }
--- dialogue
client sends binary "x" & close 1000
client gets close 1000
--- error_log: connect() failed
--- access_log
101 target=%%vnc%% subprotocol=- bytes_received=1

=== TEST 14: a value that was asked for before is not the one that is logged
--- http_config
limit_conn_zone $websockify_target$websockify_bytes_received zone=targets:1m;
--- config
set $early $websockify_close_by$websockify_bytes_sent$websockify_subprotocol;
limit_conn targets 1;
add_header X-Received "$websockify_bytes_received,$websockify_close_by" always;
add_header X-Target $websockify_target always;
location /websockify { websockify_pass %%vnc%%; }
--- handshake
Sec-WebSocket-Protocol: binary
--- response_headers
X-Received: ,
X-Target: %%vnc%%
--- dialogue
client sends binary "12345"
vnc gets "12345"
client sends close 1000
client gets close 1000
--- access_log
101 target=%%vnc%% subprotocol=binary bytes_received=5 bytes_sent=0 frames_received=1 frames_sent=0 close_code=1000 close_by=client

=== TEST 15: the round trip of a ping, in seconds
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 10ms; }
--- log_format: rtt=$websockify_rtt
--- steps
my $client = $t->client;
my $ping = $client->frame;
is $ping->{opcode}, 9, 'a ping';
$client->send_bytes(WebsockifyTest::Frame::encode(opcode => 10, payload => $ping->{payload}));
$client->send('close 1000');
$client->close;
$t->nginx->await_access_log(qr/^rtt=\d+\.\d{3}$/m);

=== TEST 16: nobody was pinged
--- log_format: rtt=$websockify_rtt
--- dialogue
client sends close 1000
client gets close 1000
client sees end
--- access_log
qr/^rtt=-$/

=== TEST 17: a session's id is its own, whatever the worker, also after a reload
--- workers: 3
--- log_format: $websockify_session_id
--- steps
for my $round (1 .. 2) {
    my @clients = map { $t->client } 1 .. 30;
    for (@clients) { $_->send('close'); $_->close }
    ids($t, 30 * $round);
    $t->nginx->reload;
}
my @ids = ids($t, 60);
is grep({ /\A[0-9a-f]{16}\z/ } @ids), 60, 'sixty ids';
my %count;
$count{$_}++ for @ids;
is keys %count, 60, 'of their own';

=== TEST 18: the id of a session is at hand while it is opened
--- config
add_header X-Session $websockify_session_id always;
location /websockify { websockify_pass %%vnc%%; }
--- log_format: $websockify_session_id
--- steps
my $client = $t->client;
my ($id) = $client->header('X-Session');
$client->send('close');
like scalar $t->nginx->await_access_log(qr/^(.+)$/m), qr/\A$id\z/, 'and the same in the end';
