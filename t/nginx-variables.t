# What nginx's own variables say of a session in the access log, however it ended: bytes as they were on the wire, the
# servers that were tried, and times that fit together.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(
    targets    => 'vnc: sends "hello", swallows',
    config     => 'location /websockify { websockify_pass %%vnc%%; }',
    log_format => join ' ', map { "$_=<\$$_>" } qw(
        status bytes_sent body_bytes_sent request_time request_length connection pipe request_completion
        upstream_addr upstream_status upstream_bytes_sent upstream_bytes_received
        upstream_connect_time upstream_header_time upstream_response_time upstream_response_length
    ),
);
run_tests;

use constant SECONDS => qr/\A\d+\.\d{3}\z/;

# The next line of the log: what its variables say.
sub logged ($t) {
    my $lines = $t->{lines_read}++;
    my $line  = $t->nginx->await_access_log(qr/\A(?:.*\n){$lines}(.*)\n/);
    return { $line =~ /(\w+)=<([^>]*)>/g };
}

# A line of a session that was open: `%expected` of it, and what always holds.
sub session_logged ($t, $client, %expected) {
    # nginx lingers for a client that does not close, and logs then.
    $client->close;
    my $said = logged($t);
    my %is   = (
        status => 101, upstream_addr => $t->targets->address('vnc'), upstream_status => 101,
        upstream_bytes_received => 5, upstream_response_length => 0, pipe => '.', %expected,
    );
    is $said->{$_}, $is{$_}, "\$$_ is $is{$_}" for sort keys %is;
    is $said->{bytes_sent}, $client->stream->{received}, '$bytes_sent: all that the client got';
    times_fit($said);
    return $said;
}

sub times_fit ($said) {
    my @times = map { $said->{$_} } qw(upstream_connect_time upstream_header_time upstream_response_time request_time);
    like $_, SECONDS, 'a time' for @times;
    # $request_time is of another clock.
    cmp_ok $times[$_ - 1], '<=', $times[$_] + ($_ == 3 && 0.01), 'one after the other' for 1 .. $#times;
}

# A session that has got the target's greeting and sent four bytes.
sub begun ($t, $path = '/websockify') {
    my $client = $t->client($path);
    $client->expect('binary "hello"');
    $client->send('binary "1234"');
    $t->target_gets('vnc', '1234') if $t->{block}{sections}{targets} =~ /swallows/;
    return $client;
}

__DATA__

=== TEST 1: the client closes
--- steps
my $client = begun($t);
$client->send('close 1000');
$client->expect('close 1000');
is $client->saw_end, 'end', 'the end';
my $said = session_logged($t, $client, upstream_bytes_sent => 4, request_completion => 'OK');
is $said->{body_bytes_sent}, 2 + 5 + 4, '$body_bytes_sent: the frames';
cmp_ok $said->{request_length}, '>', 100, '$request_length: the handshake';

=== TEST 2: the client leaves without a word, and its connection breaks
--- steps
my $client = begun($t);
$client->close;
session_logged($t, $client, upstream_bytes_sent => 4);
$client = begun($t);
$client->reset;
session_logged($t, $client, upstream_bytes_sent => 4);

=== TEST 3: a protocol fault
--- steps
my $client = begun($t);
$client->send('binary "56" & binary rsv 1 ""');
$client->expect('close 1002 qr/reserved/');
is $client->saw_end, 'end', 'the end';
session_logged($t, $client, upstream_bytes_sent => 6);

=== TEST 4: the target ends, and breaks
--- targets
vnc: sends "hello", awaits "1234", waits, closes
reset: sends "hello", awaits "1234", waits, resets
--- config
location /websockify { websockify_pass %%vnc%%; }
location /reset { websockify_pass %%reset%%; }
--- steps
my $client = begun($t);
$t->targets->tell('vnc');
$client->expect('close 1000 "target closed"');
$client->send('close 1000');
is $client->saw_end, 'end', 'the end';
session_logged($t, $client, upstream_bytes_sent => 4);
$client = begun($t, '/reset');
$t->targets->tell('reset');
$client->expect('close 1011 qr/reset/');
is $client->saw_end, 'end', 'the end';
session_logged($t, $client, upstream_bytes_sent => 4, upstream_addr => $t->targets->address('reset'));
--- error_log: Connection reset

=== TEST 5: timeouts
--- config
location /websockify { websockify_pass %%vnc%%; websockify_idle_timeout 300ms; }
--- steps
my $client = begun($t);
$client->expect('close 1000 "idle"');
$client->send('binary "late" & close 1000');
is $client->saw_end, 'end', 'the end';
my $said = session_logged($t, $client, upstream_bytes_sent => 8);
cmp_ok $said->{$_}, '>=', 0.3, "\$$_" for qw(upstream_response_time request_time);

=== TEST 6: the worker's shutdown
--- main_config
worker_shutdown_timeout 100ms;
--- steps
my $client = begun($t);
my @old = $t->nginx->reload;
$client->expect('close 1001 qr/./');
is $client->saw_end, 'end', 'the end';
session_logged($t, $client, upstream_bytes_sent => 4);

=== TEST 7: what goes to the target in the last moment is counted as well
--- main_config
worker_shutdown_timeout 100ms;
--- targets
vnc: swallows
--- steps
my $client = $t->client;
my $bytes  = (WebsockifyTest::Frame::parse_frames('binary pattern(2_000_000)'))[0];
$t->nginx->reload;
1 while !$client->stream->{ended} && $client->stream->write($bytes) == length $bytes;
my $said = logged($t);
$client->close;
my $got = $t->await('vnc', 'be left', sub ($report) { !$report->{connections}[0]{open} && $report->{connections}[0] });
is $said->{upstream_bytes_sent}, $got->{size}, "$got->{size} bytes";

=== TEST 8: the next server is tried
--- targets
down: refuses
vnc: sends "hello", swallows
--- http_config
upstream group { server %%down%%; server %%vnc%% backup; }
--- config
location /websockify { websockify_pass group; }
--- steps
my $client = begun($t);
$client->send('close');
$client->expect('close');
$client->close;
my $said = logged($t);
is $said->{upstream_addr}, join(', ', map { $t->targets->address($_) } qw(down vnc)), 'both addresses';
is $said->{upstream_status}, '502, 101', 'how each went';
is $said->{upstream_bytes_sent}, '0, 4', 'what each got';
is $said->{upstream_bytes_received}, '0, 5', 'and said';
like $said->{upstream_connect_time}, qr/\A(?:-|0\.\d+), \d+\.\d{3}\z/, 'how long it took';
--- error_log: connect() failed

=== TEST 9: a target that refuses, and one that does not answer
--- targets
down: refuses
hole: never accepts
--- config
websockify_connect_timeout 200ms;
location /down { websockify_pass %%down%%; }
location /hole { websockify_pass %%hole%%; }
--- steps
for ([ down => 502 ], [ hole => 504 ]) {
    my ($name, $status) = @$_;
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /$name"));
    is $client->response->{status}, $status, "status $status";
    my $said = logged($t);
    is $said->{$_}, $status, "\$$_" for qw(status upstream_status);
    is $said->{upstream_addr}, $t->targets->address($name), 'the address';
    is $said->{upstream_bytes_sent}, 0, 'it got nothing';
    like $said->{upstream_response_time}, SECONDS, 'how long it took';
    cmp_ok $said->{upstream_response_time}, '>=', 0.2, 'as long as it may' if $name eq 'hole';
}
--- error_log eval
[ qr/connect\(\) failed/, qr/upstream timed out/ ]

=== TEST 10: a handshake that is refused has not come to an upstream
--- handshake
-Upgrade
--- error_code: 426
--- access_log
status=<426>
upstream_addr=<-> upstream_status=<-> upstream_bytes_sent=<-> upstream_bytes_received=<->

=== TEST 11: a client that leaves before the 101
--- targets
hole: never accepts
--- config
location /websockify { websockify_pass %%hole%%; }
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake);
$client->stream->await_taken;
$client->close;
my $said = logged($t);
is $said->{status}, 499, 'status 499';
is $said->{bytes_sent}, 0, 'nothing was sent';
is $said->{upstream_addr}, $t->targets->address('hole'), 'the address';

=== TEST 12: a connection's number is the one in the error log
--- steps
my $client = begun($t);
$client->send('opcode 3 ""');
$client->expect('close 1002 qr/./');
$client->close;
my $said = logged($t);
like $t->nginx->error_log, qr/ \*$said->{connection} client sent unknown opcode/, 'the same number';
