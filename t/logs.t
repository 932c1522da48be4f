# What the error log is told: a line when a session opens and one when it ends, never a token, a key or payload, and
# nothing above level info for what a client does.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Client;

defaults(
    log_level => 'info',
    targets   => 'vnc: swallows',
    config    => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# Every line of the error log that concerns a connection, as [level, text].
sub lines ($t) { map { [ $_->[0], $_->[1] ] } map { /^\S+ \S+ \[(\w+)\] \S+ \*\d+ (.*)/ ? [ $1, $2 ] : () } split /\n/, $t->nginx->error_log }

# What a client can do wrong before it has a session: [headers as in `--- handshake`], or bytes.
sub bad_requests () {
    my $handshake = \&WebsockifyTest::Client::handshake_bytes;
    my $path = 'GET /websockify';
    return (
        (map { $handshake->($path, $_) }
            '-Upgrade', '-Connection', '-Sec-WebSocket-Key', '-Sec-WebSocket-Version', 'Sec-WebSocket-Version: 8',
            'Sec-WebSocket-Key: x', '+Sec-WebSocket-Key: x', "Sec-WebSocket-Key: \xff\xfe", 'Upgrade: h2c',
            'Sec-WebSocket-Protocol: mqtt', "Sec-WebSocket-Protocol: a\x01b", 'Content-Length: 3', '-Host'),
        (map { $handshake->("$_ /websockify") } qw(POST HEAD PUT OPTIONS DELETE CONNECT)),
        $handshake->("$path HTTP/1.0"), $handshake->("$path HTTP/1.7"), $handshake->("$path?%00%0a\x7f"),
        $handshake->($path, 'Transfer-Encoding: chunked'), "\x16\x03\x01\x02", "GET /websockify\r\n", 'GET',
    );
}

# What it can do wrong with one.
sub bad_frames () {
    return map { WebsockifyTest::Frame::parse_frames($_) }
        'binary unmasked "x"', 'binary rsv 4 "x"', 'opcode 3 "x"', 'opcode 15 ""', 'ping more "x"',
        'ping "' . 'x' x 126 . '"', 'binary length16 "x"', 'binary length64 "x"', 'bytes 82 FF FF FF FF FF FF FF FF FF',
        'continuation "x"', 'binary more "x" & text "y"', 'close body "x"', 'close 999', 'close 1005', 'close 5000',
        'close body "\x03\xe8\xff"', 'bytes ' . 'ff' x 500, 'binary declares 5000 "x"', 'close 1000 & binary "x"';
}

__DATA__

=== TEST 1: a line when it opens, and one when it ends
--- targets
vnc: sends "hello", swallows
--- log_format: $websockify_session_id $connection
--- dialogue
client gets binary "hello"
client sends binary "1234567" & close 4000
client gets close 4000
client sees end
--- steps
$client->close;
my ($id, $number) = $t->nginx->await_access_log(qr/^(\w{16}) (\d+)$/m);
my $target  = $t->targets->address('vnc');
my $context = qr/, client: 127\.0\.0\.1, server: localhost, session: $id, target: "$target", request: "GET \/websockify HTTP\/1\.1", upstream: "tcp:\/\/$target", host: "localhost"$/m;
my $log = $t->nginx->error_log;
like $log, qr/\[info\] \S+ \*$number session opened$context/m, 'it opens';
like $log, qr/\[info\] \S+ \*$number session ended after \d+\.\d{3} s, bytes from\/to client: 7\/5, frames from\/to client: 1\/1, close code: 4000, closed by: client$context/m, 'it ends';

=== TEST 2: each line about a session names it, nginx's own too
--- targets
vnc: refuses
--- log_format: $websockify_session_id
--- request: GET /websockify?token=s3cret
--- handshake
--- error_code: 502
--- error_log
qr/\[error\] .*connect\(\) failed \(111: Connection refused\) while connecting to upstream, client: .*, session: [0-9a-f]{16}, target: "127\.0\.0\.1:\d+", request: "GET \/websockify HTTP\/1\.1", upstream: "tcp:\/\/127\.0\.0\.1:\d+", host: "localhost"$/m

=== TEST 3: tokens, keys and payload never appear
--- http_config
map $arg_token $target { s3cret-token %%vnc%%; s3cret-down 127.0.0.1:1; }
--- config
location /websockify { websockify_pass $target; }
--- steps
my $headers = "Cookie: s3cret-cookie\nAuthorization: Basic s3cret-password\nReferer: http://localhost/?s3cret-referer";
for my $bad ('binary "s3cret-payload" & close 1000 "s3cret-reason"', 'ping "s3cret-ping" & opcode 3 "s3cret-payload"') {
    my $client = $t->client('/websockify?token=s3cret-token', headers => $headers);
    $client->send($bad);
    $client->expect('pong "s3cret-ping"') if $bad =~ /ping/;
    $client->expect('close ' . ($bad =~ /1000/ ? '1000 qr//' : '1002 qr//'));
    $client->close;
}
for my $changes ('-Upgrade', 'Sec-WebSocket-Key: s3cret-key') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake('GET /websockify?token=s3cret-token', "$headers\n$changes"));
    cmp_ok $client->response->{status}, '>=', 400, 'refused';
}
for my $token ('s3cret-down', 's3cret-nobody') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /websockify?token=$token", $headers));
    cmp_ok $client->response->{status}, '>=', 500, 'no target';
}
my $log = $t->nginx->await_log(qr/((?s:.*)session ended(?s:.*)session ended(?s:.*))/);
unlike $t->nginx->error_log, qr/s3cret/, 'nothing of it is in the log';
unlike $t->nginx->error_log, qr/\Q${\WebsockifyTest::Client::KEY}/, 'nor is the key';
--- error_log eval
[ qr/connect\(\) failed/, qr/the value of "websockify_pass" is empty/ ]

=== TEST 4: whatever a client does is no more than info
--- config
location /websockify { websockify_pass %%vnc%%; }
location /base64 { websockify_pass %%vnc%%; websockify_max_frame_size 1000; }
--- steps
my ($requests, $sessions) = (0, 0);
for my $bytes (bad_requests()) {
    my $client = $t->connect;
    $client->send_bytes($bytes);
    $client->stream->await_taken;
    $client->end;
    $client->close;
    $requests++;
}
for my $how (qw(close reset)) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake);
    $client->$how;
}
for my $bytes (bad_frames(), '', 'x') {
    for my $how (qw(close reset)) {
        my $client = $t->client;
        $client->send_bytes($bytes);
        $client->stream->await_taken if $how eq 'reset';
        $client->$how;
        $sessions++;
    }
}
for my $text ('!!!!', 'YQ==YQ==', 'YQ', 'YR==', '=', 'x' x 2000) {
    my $client = $t->client('/base64', headers => 'Sec-WebSocket-Protocol: base64');
    $client->send(qq(text "$text"));
    $client->expect('close ' . (length $text > 1000 ? 1009 : 1007) . ' qr/./');
    $client->close;
    $sessions++;
}
WebsockifyTest::Util::await('all sessions to end', sub { (() = $t->nginx->error_log =~ /session ended/g) >= $sessions });
my @lines = lines($t);
my @loud  = grep { $_->[0] !~ /\A(?:info|debug)\z/ } @lines;
is_deeply \@loud, [], 'nothing is louder';
cmp_ok scalar(grep { $_->[1] =~ /^client sent/ } @lines), '>', 30, 'and what was wrong was said';
cmp_ok $requests, '>', 20, 'requests were tried';

=== TEST 5: a target's failure is one line at error, which names the target
--- targets
vnc: sends "x", waits, resets
--- dialogue
client gets binary "x"
--- steps
$t->targets->tell('vnc');
$client->expect('close 1011 qr/reset/');
$client->close;
$t->nginx->await_log(qr/session ended/);
my @errors = grep { $_->[0] eq 'error' } lines($t);
is @errors, 1, 'one line';
like $errors[0][1], qr/\Arecv\(\) failed \(104: Connection reset by peer\) while tunneling, .*target: "\Q${\$t->targets->address('vnc')}\E"/, 'of this text';
--- error_log: recv() failed

=== TEST 6: no resolver: what to do
--- config
location /websockify { websockify_pass $arg_to; }
--- request: GET /websockify?to=desk.test
--- handshake
--- error_code: 502
--- error_log
qr/\[error\] .*no resolver defined to resolve "desk\.test", a "resolver" directive is missing, client: .*, target: "desk\.test"/

=== TEST 7: nothing is written about sessions where the log's level is above info
--- log_level: notice
--- dialogue
client sends binary "x" & opcode 3 ""
client gets close 1002 "unknown opcode 0x3"
client sees end
vnc sees end
--- no_error_log
session
client

=== TEST 8: what a client writes into a request stays in its line
--- log_level: info
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake("GET /websockify/%0a2026/11/28%2000:00:00%20[alert]/\xff\x80\"x", '-Upgrade'));
$client->response;
unlike $t->nginx->error_log, qr/^2026.{17}alert/m, 'no line of its own';
like $t->nginx->await_log(qr/request: (".*?"), host/), qr/\\xff\\x80/, 'bytes are escaped';
--- error_log
GET /websockify/%0a2026
