# websockify_subprotocol and websockify_frame_type: what is negotiated, and what the frames to the client hold.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(
    targets => "vnc: echoes",
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# The subprotocol that a client of these offers is answered with; the status where it is refused.
sub answered ($t, $path, $offers) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path", defined $offers ? "Sec-WebSocket-Protocol: $offers" : ''));
    my $status = $client->response->{status};
    my @names  = $client->header('Sec-WebSocket-Protocol');
    $client->close;
    return $status == 101 ? join('+', @names) : $status;
}

__DATA__

=== TEST 1: the first of the list that the client offered
--- config
location /websockify { websockify_pass %%vnc%%; websockify_subprotocol b a.1 base64; }
--- steps
my %of = ('a.1, b' => 'b', 'b' => 'b', 'x, a.1' => 'a.1', 'base64, a.1' => 'a.1', 'base64' => 'base64',
    'binary' => 400, 'B' => 400, 'a' => 400);
is answered($t, '/websockify', $_), $of{$_}, "of <$_>" for sort keys %of;
is answered($t, '/websockify', undef), '', 'none offered, none answered';

=== TEST 2: any: the client's first
--- config
location /websockify { websockify_pass %%vnc%%; websockify_subprotocol any; }
--- steps
my %of = ('mqtt' => 'mqtt', 'v12.stomp, v11.stomp' => 'v12.stomp', 'base64, binary' => 'base64', 'binary' => 'binary');
is answered($t, '/websockify', $_), $of{$_}, "of <$_>" for sort keys %of;
is answered($t, '/websockify', undef), '', 'none offered, none answered';

=== TEST 3: any: what is no token is never echoed
--- config
location /websockify { websockify_pass %%vnc%%; websockify_subprotocol any; }
--- steps
is answered($t, '/websockify', 'a b'), 400, 'refused';
is answered($t, '/websockify', '"x", mqtt'), 'mqtt', 'passed over';
--- error_log: no acceptable subprotocol

=== TEST 4: only the name base64 is base64
--- config
location /any    { websockify_pass %%vnc%%; websockify_subprotocol any; }
location /listed { websockify_pass %%vnc%%; websockify_subprotocol base64.v2 base64; }
--- steps
for (['/any', 'mqtt'], ['/listed', 'base64.v2']) {
    my $client = $t->client($_->[0], headers => "Sec-WebSocket-Protocol: $_->[1]");
    $client->send('binary "!!"');
    $client->expect('binary "!!"');
}
for ('/any', '/listed') {
    my $client = $t->client($_, headers => 'Sec-WebSocket-Protocol: base64');
    $client->send('text "aGVsbG8="');
    $client->expect('base64 "hello"');
}
pass 'all four';

=== TEST 5: inherited, and replaced as a whole
--- http_config
websockify_subprotocol a;
--- config
location /inherits { websockify_pass %%vnc%%; }
location /replaces { websockify_pass %%vnc%%; websockify_subprotocol b; }
location /any      { websockify_pass %%vnc%%; websockify_subprotocol any; }
--- steps
is answered($t, '/inherits', 'b, a'), 'a', 'inherits';
is answered($t, '/replaces', 'b, a'), 'b', 'replaces';
is answered($t, '/replaces', 'a'), 400, 'as a whole';
is answered($t, '/any', 'c, a'), 'c', 'any';
is answered($t, '/inherits', 'binary'), 400, 'the default is gone';

=== TEST 6: text frames to the client, either type from it
--- config
location /websockify { websockify_pass %%vnc%%; websockify_frame_type text; }
--- dialogue
client sends binary "one"
client gets text "one"
client sends text "two"
client gets text "two"

=== TEST 7: inherited, and replaced
--- config
websockify_frame_type text;
location /text   { websockify_pass %%vnc%%; }
location /binary { websockify_pass %%vnc%%; websockify_frame_type binary; }
--- steps
for my $type (qw(text binary)) {
    my $client = $t->client("/$type");
    $client->send('binary "x"');
    $client->expect(qq($type "x"));
    pass $type;
}

=== TEST 8: a subprotocol does not matter, but for base64
--- config
location /websockify { websockify_pass %%vnc%%; websockify_frame_type text; }
--- steps
my $client = $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: binary');
$client->send('binary "x"');
$client->expect('text "x"');
$client = $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: base64');
$client->send('text "/w=="');
$client->expect('base64 "\xff"');
pass 'base64 of what is no text';

=== TEST 9: a character that is cut waits for its rest, and for nothing else
--- targets
vnc: waits, sends "a\xe2", waits, sends "\x8c", waits, sends "\x98\xf0\x9f\x96", waits, sends "\xa5z", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_frame_type text; }
--- steps
my $client = $t->client;
$t->target_accepts('vnc', 1);
for my $text ("a", undef, "\xe2\x8c\x98", "\xf0\x9f\x96\xa5z") {
    my $sent = ($t->targets->report('vnc')->{connections}[0]{sent} // 0);
    $t->targets->tell('vnc');
    $t->await('vnc', 'speak', sub ($report) { $report->{connections}[0]{sent} > $sent });
    if (defined $text) {
        my $frame = $client->frame;
        is $frame->{opcode}, 1, 'a text frame';
        is $frame->{payload}, $text, 'of whole characters';
    }
    else {
        $client->send('ping "x"');
        $client->expect('pong "x"');
    }
}

=== TEST 10: much text, through small buffers
--- config
location /websockify { websockify_pass %%vnc%%; websockify_frame_type text; websockify_buffer_size 1024; }
--- steps
my $client = $t->client;
my $text   = "\xe2\x8c\x98\xf0\x9f\x96\xa5\xc3\xa9!" x 20_000;
$client->send_bytes(WebsockifyTest::Frame::encode(opcode => 2, payload => $text));
my ($got, $frames) = ('', 0);
while (length $got < length $text) {
    my $frame = $client->frame;
    is $frame->{opcode}, 1, 'text' if $frame->{opcode} != 1;
    my $copy = $frame->{payload};
    utf8::decode($copy) or fail 'a frame of UTF-8';
    $got .= $frame->{payload};
    $frames++;
}
is $got, $text, "all of it in $frames frames";

=== TEST 11: invalid UTF-8: what came before it, then 1011
--- targets
vnc: sends "fine\xff no more", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_frame_type text; }
--- log_format: $websockify_bytes_sent $websockify_close_code $websockify_close_by
--- dialogue
client gets text "fine"
client gets close 1011 "target sent invalid UTF-8"
client sees end
vnc sees end
--- access_log
4 1011 target
--- error_log
qr/\[error\] .*target sent invalid UTF-8, "websockify_frame_type text" takes no other while tunneling, client: .*upstream: "tcp:\/\/127\.0\.0\.1:\d+"/

=== TEST 12: a stream that ends inside a character
--- targets
vnc: sends "fine\xe2\x8c", closes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_frame_type text; }
--- dialogue
client gets text "fine"
client gets close 1011 "target sent invalid UTF-8"
client sees end
--- error_log
target sent invalid UTF-8

=== TEST 13: bad subprotocols
--- config
websockify_subprotocol "a b";
--- emerg: invalid subprotocol "a b"

=== TEST 14: an empty subprotocol
--- config
websockify_subprotocol "";
--- emerg: invalid subprotocol ""

=== TEST 15: a subprotocol twice in a list
--- config
websockify_subprotocol a b a;
--- emerg: duplicate subprotocol "a"

=== TEST 16: any, and something
--- config
websockify_subprotocol any binary;
--- emerg: "any" beside other subprotocols

=== TEST 17: websockify_subprotocol twice
--- config
location / { websockify_subprotocol a; websockify_subprotocol b; }
--- emerg: "websockify_subprotocol" directive is duplicate

=== TEST 18: websockify_subprotocol of nothing
--- config
websockify_subprotocol;
--- emerg: invalid number of arguments in "websockify_subprotocol" directive

=== TEST 19: websockify_frame_type of another name
--- config
websockify_frame_type base64;
--- emerg: invalid value "base64"

=== TEST 20: websockify_frame_type twice
--- config
websockify_frame_type text; websockify_frame_type binary;
--- emerg: "websockify_frame_type" directive is duplicate
