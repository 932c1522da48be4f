# BEHAVIOUR.md section 1: the opening handshake, and each request that is not one.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Http2 qw(http2_get);

defaults(
    targets => 'vnc: sends "RFB 003.008\n", echoes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# Each of the handshakes (changed as in `--- handshake`) has to be answered `$status`, on a connection of its own.
sub all_answered ($t, $status, @changes) {
    for my $change (@changes) {
        my $client = $t->connect;
        $client->send_bytes($t->handshake('GET /websockify', $change));
        is $client->response->{status}, $status, "$status: " . ($change =~ s/\n/ | /gr || 'unchanged');
        $client->close;
    }
}

__DATA__

=== TEST 1: the handshake of RFC 6455 section 1.3
--- handshake
--- response_headers
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
!Sec-WebSocket-Protocol
!Sec-WebSocket-Version

=== TEST 2: the original module's handshake, with the Connection header it did not ask for
--- handshake
Origin: http://0
Sec-WebSocket-Key: n2wfgJF+qto2ahU4+aoNkQ==
Sec-WebSocket-Protocol: base64
--- response_headers
Connection: upgrade
Sec-WebSocket-Accept: avyE+tn9ibLdRUFx8CXeJlSusVA=
Sec-WebSocket-Protocol: base64
Upgrade: websocket

=== TEST 3: the status line, byte for byte
--- handshake
--- steps
is $client->{response}{line}, 'HTTP/1.1 101 Switching Protocols', 'the line';

=== TEST 4: names match without regard to case, tokens in lists and repeated headers
--- steps
all_answered($t, 101,
    '', 'Upgrade: WebSocket', "Upgrade: h2c, websocket", "Upgrade: h2c\n+Upgrade: websocket", 'Upgrade: websocket,',
    'Connection: upgrade', 'Connection: keep-alive, Upgrade', "Connection: keep-alive\n+Connection: UPGRADE",
    "-sec-websocket-key\nSEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==", 'X-Sec-WebSocket-Key: another',
    'Sec-WebSocket-Key-Else: another', 'User-Agent: ' . 'x' x 2000);

=== TEST 5: method other than GET: 405, Allow: GET
--- request: POST /websockify
--- handshake
Content-Length: 0
--- error_code: 405
--- response_headers
Allow: GET
!Sec-WebSocket-Accept
--- target_connections
vnc: 0

=== TEST 6: method other than GET: those of every kind
--- steps
for my $method (qw(PUT DELETE OPTIONS PATCH PROPFIND)) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("$method /websockify"));
    is $client->response->{status}, 405, $method;
    is_deeply [ $client->header('Allow') ], ['GET'], 'Allow: GET';
    $client->close;
}
my $client = $t->connect;
$client->send_bytes($t->handshake('HEAD /websockify'));
is $client->stream->read_until('a status', sub ($in) { $$in =~ /\AHTTP\S+ (\d+)/ && $1 }), 405, 'HEAD';
--- target_connections
vnc: 0

=== TEST 7: no `Upgrade` header: 426, `Upgrade: websocket`, `Connection: upgrade`, `Sec-WebSocket-Version: 13`
--- handshake
-Upgrade
--- error_code: 426
--- response_headers
Upgrade: websocket
Connection: qr/\bupgrade\b/
Sec-WebSocket-Version: 13
!Sec-WebSocket-Accept
--- target_connections
vnc: 0

=== TEST 8: a plain GET, as by a person who typed the address (the original's "bad handshake header")
--- request: GET /websockify
--- error_code: 426
--- response_headers
Upgrade: websocket
Sec-WebSocket-Version: 13
--- target_connections
vnc: 0

=== TEST 9: no `Upgrade` header holding `websocket`
--- steps
all_answered($t, 426, 'Upgrade: h2c', 'Upgrade: websockets', 'Upgrade: web, socket', 'Upgrade: xwebsocket', 'Upgrade:');
--- target_connections
vnc: 0

=== TEST 10: HTTP/1.0: 426
--- request: GET /websockify HTTP/1.0
--- handshake
--- error_code: 426
--- target_connections
vnc: 0

=== TEST 11: over HTTP/2: 426 with `Sec-WebSocket-Version: 13` only
--- config
listen 127.0.0.1:%%H2_PORT%% http2;
location /websockify { websockify_pass %%vnc%%; }
--- steps
my %answer = map { @$_ } http2_get($t->connect(port => $t->port('H2_PORT'))->stream, '/websockify',
    [ 'sec-websocket-version', '13' ], [ 'sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==' ]);
is $answer{':status'}, 426, 'status';
is $answer{'sec-websocket-version'}, 13, 'Sec-WebSocket-Version';
ok !exists $answer{$_}, "no $_" for qw(upgrade connection);
--- target_connections
vnc: 0

=== TEST 12: `Sec-WebSocket-Version` present and not 13: 426, `Sec-WebSocket-Version: 13`
--- handshake
Sec-WebSocket-Version: 8
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- target_connections
vnc: 0

=== TEST 13: other versions that are not 13
--- steps
all_answered($t, 426, map { "Sec-WebSocket-Version: $_" } qw(0 7 12 14 130 131 013x x));
--- target_connections
vnc: 0

=== TEST 14: no `Connection` token `upgrade`, no or two keys, a key not base64 of 16 bytes, version missing: 400
--- steps
my $key = 'Sec-WebSocket-Key';
all_answered($t, 400,
    '-Connection', 'Connection: keep-alive', 'Connection: upgraded', 'Connection: not-upgrade', 'Connection: up grade',
    "-$key", "+$key: dGhlIHNhbXBsZSBub25jZQ==", "$key: dGhlIHNhbXBsZSBub25jZQ=", "$key: dGhlIHNhbXBsZSBub25jZQ",
    "$key: dGhlIHNhbXBsZSBub25j", "$key: dGhlIHNhbXBsZSBub25jZWU=", "$key: dGhlIHNhbXBsZSBub25jZWVl",
    "$key: dGhlIHNhbXBsZSBub25j*Q==", "$key: dGhlIHNhbXBsZSBub25j ZQ==", "$key: dGhlIHNhbXBsZSBu-_5jZQ==",
    "$key:", "$key: " . 'A' x 500, "-$key\n${key}2: dGhlIHNhbXBsZSBub25jZQ==", '-Sec-WebSocket-Version');
--- target_connections
vnc: 0

=== TEST 15: subprotocols offered: the first of our list (`binary base64`) that the client offered
--- handshake
Sec-WebSocket-Protocol: base64, binary
--- response_headers
Sec-WebSocket-Protocol: binary

=== TEST 16: subprotocols offered in two headers are one list, answered in one header
--- handshake
Sec-WebSocket-Protocol: base64
+Sec-WebSocket-Protocol: chat, binary
--- response_headers
Sec-WebSocket-Protocol: binary

=== TEST 17: an acceptable subprotocol among others
--- handshake
Sec-WebSocket-Protocol: mqtt ,base64,  binary2
--- response_headers
Sec-WebSocket-Protocol: base64

=== TEST 18: subprotocols offered, none acceptable: 400
--- handshake
Sec-WebSocket-Protocol: unsupported
--- error_code: 400
--- response_headers
!Sec-WebSocket-Accept
!Sec-WebSocket-Protocol
--- target_connections
vnc: 0

=== TEST 19: a subprotocol is not found inside another's name
--- steps
all_answered($t, 400, map { "Sec-WebSocket-Protocol: $_" } 'binary2', 'xbinary', 'base64url, bin', 'mqtt, binary.v1');
--- target_connections
vnc: 0

=== TEST 20: none offered (today's noVNC): accepted, none answered, binary frames
--- dialogue
client gets binary "RFB 003.008\n"
client sends binary "RFB 003.008\n"
client gets binary "RFB 003.008\n"
vnc gets "RFB 003.008\n"
--- response_headers
!Sec-WebSocket-Protocol

=== TEST 21: extensions offered: none accepted, none answered
--- handshake
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
--- dialogue
client gets binary "RFB 003.008\n"
--- response_headers
!Sec-WebSocket-Extensions

=== TEST 22: frames that came in the same packet as the request are not lost
--- targets
vnc: echoes
--- early_frames
binary "early" & ping "bird" & text "worm"
--- dialogue
vnc gets "earlyworm"

=== TEST 23: those that fill more than the buffer for the request's header
--- config
client_header_buffer_size 1k;
location /websockify { websockify_pass %%vnc%%; }
--- targets
vnc: swallows
--- early_frames
binary pattern(40_000) & binary "end"
--- dialogue
vnc gets pattern(40_000) . "end"

=== TEST 24: frames and a Close in the same packet as the request
--- targets
vnc: swallows
--- early_frames
binary "all I have" & close 1000 "bye"
--- dialogue
client gets close 1000 qr/^(bye)?$/
client sees end
vnc gets "all I have"
vnc sees end

=== TEST 25: a frame whose first half came with the request
--- targets
vnc: echoes
--- raw_request eval
WebsockifyTest::Client::handshake_bytes('GET /websockify') . substr((WebsockifyTest::Frame::parse_frames('binary "halves"'))[0], 0, 9)
--- error_code: 101
--- steps
$t->target_gets('vnc', 'hal');
$client->send_bytes(substr((WebsockifyTest::Frame::parse_frames('binary "halves"'))[0], 9));
$t->target_gets('vnc', 'halves');
$client->expect('binary "halves"');

=== TEST 26: a request that comes byte by byte
--- steps
my $client = $t->connect;
$client->send_bytes_in_pieces(1, $t->handshake . join '', WebsockifyTest::Frame::parse_frames('binary "slow"'));
is $client->response->{status}, 101, 'a session';
$client->expect('binary "RFB 003.008\n"');
$client->expect('binary "slow"');

=== TEST 27: a target that waits for the client
--- targets
redis: awaits "PING\r\n", sends "+PONG\r\n", swallows
--- config
location /websockify { websockify_pass %%redis%%; }
--- dialogue
client sends binary "PING\r\n"
client gets binary "+PONG\r\n"

=== TEST 28: a target that speaks first, 100 times at once
--- steps
my @clients = map { $t->connect } 1 .. 100;
$_->send_bytes($t->handshake) for @clients;
is scalar(grep { $_->response->{status} == 101 } @clients), 100, 'a hundred sessions';
is scalar(grep { eval { $_->expect('binary "RFB 003.008\n"') } } @clients), 100, 'a hundred greetings';
--- target_connections
vnc: 100

=== TEST 29: a target that speaks at length before it is asked
--- targets
vnc: streams 1_000_000, swallows
--- dialogue
client gets binary pattern(1_000_000)

=== TEST 30: after another request on the same connection
--- config
location /websockify { websockify_pass %%vnc%%; }
location /page { return 200 "page\n"; }
--- raw_request eval
"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"
--- steps
$client->send_bytes($t->handshake);
is $client->response->{status}, 101, 'a session';
$client->expect('binary "RFB 003.008\n"');

=== TEST 31: pipelined behind another request, frames and all
--- config
location /websockify { websockify_pass %%vnc%%; }
location /page { return 200 "page\n"; }
--- raw_request eval
"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n" . WebsockifyTest::Client::handshake_bytes('GET /websockify')
    . join '', WebsockifyTest::Frame::parse_frames('binary "piped"')
--- steps
is $client->response->{status}, 101, 'a session';
$client->expect('binary "RFB 003.008\n"');
$client->expect('binary "piped"');

=== TEST 32: a refused handshake may be followed by a better one on the same connection
--- handshake
Sec-WebSocket-Version: 8
--- error_code: 426
--- steps
$client->send_bytes($t->handshake);
is $client->response->{status}, 101, 'a session';

=== TEST 33: client gone before the 101: 499, nothing delivered
--- targets
hole: never accepts
--- config
location /websockify { websockify_pass %%hole%%; }
--- log_format: status=$status
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake . join '', WebsockifyTest::Frame::parse_frames('binary "lost"'));
$client->stream->await_taken;
$client->close;
$t->nginx->await_access_log(qr/^status=499$/m);
--- target_connections
hole: 0

=== TEST 34: client gone while the target's name is being resolved: 499, no connection
--- dns
slow.test silent
--- config
resolver %%DNS%%;
location /websockify { websockify_pass slow.test:$arg_port; }
--- log_format: status=$status
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake('GET /websockify?port=' . $t->targets->port('vnc')));
$client->stream->await_taken;
$client->reset;
$t->nginx->await_access_log(qr/^status=499$/m);
--- target_connections
vnc: 0

=== TEST 35: `error_page` works for each refusal
--- config
error_page 400 404 405 426 502 504 @sorry;
location @sorry { return 200 "sorry: $status\n"; }
location /websockify { websockify_pass %%vnc%%; }
location /down { websockify_pass %%down%%; }
location /hole { websockify_pass %%hole%%; websockify_connect_timeout 50ms; }
--- targets
vnc:  echoes
down: refuses
hole: never accepts
--- steps
my sub answer ($request, $changes = '') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake($request, $changes));
    my $response = $client->response;
    $client->close;
    return "$response->{status} $response->{body}";
}
like answer('GET /websockify', '-Upgrade'),            qr/^426 sorry/, 'status 426';
like answer('GET /websockify', '-Sec-WebSocket-Key'),  qr/^400 sorry/, 'status 400';
like answer('DELETE /websockify'),                     qr/^405 sorry/, 'status 405';
like answer('GET /websockify', 'Sec-WebSocket-Protocol: x'), qr/^400 sorry/, 'status 400 for a subprotocol';
like answer('GET /down'),                              qr/^502 sorry/, 'status 502';
like answer('GET /hole'),                              qr/^504 sorry/, 'status 504';
--- error_log eval
[ qr/\[error\] .*connect\(\) failed/, qr/\[error\] .*timed out/ ]

=== TEST 36: a page for those who come with a browser's address bar
--- config
location /websockify { error_page 426 = /about.html; websockify_pass %%vnc%%; }
location = /about.html { return 200 "this is a WebSocket\n"; }
--- request: GET /websockify
--- error_code: 200
--- response_body: this is a WebSocket

=== TEST 37: a subrequest by auth_request: 500 and a line in the error log, never a tunnel
--- config
location / { auth_request /websockify; }
location /websockify { websockify_pass %%vnc%%; }
--- request: GET /index.html
--- handshake
--- error_code: 500
--- error_log eval
[ qr/\[error\] .*subrequest/, qr/auth request unexpected status: 500/ ]
--- target_connections
vnc: 0

=== TEST 38: a subrequest by mirror: a line in the error log, never a tunnel
--- config
location / { mirror /websockify; return 200; }
location /page { mirror /websockify; root %%PREFIX%%; try_files /nginx.conf =404; }
location /websockify { websockify_pass %%vnc%%; }
--- request: GET /page
--- handshake
--- error_code: 200
--- error_log
qr/\[error\] .*subrequest/
--- target_connections
vnc: 0

=== TEST 39: a subrequest by SSI: a line in the error log, never a tunnel
--- config
location /page {
    ssi on; default_type text/html;
    root %%PREFIX%%; try_files /page.html =404;
}
location /websockify { websockify_pass %%vnc%%; }
--- steps
open my $page, '>', $t->nginx->prefix . '/page.html' or die $!;
print {$page} 'before <!--# include virtual="/websockify" --> after';
close $page;
my $client = $t->connect;
$client->send_bytes($t->handshake('GET /page'));
my $response = $client->response;
is $response->{status}, 200, 'the page';
like $response->{body}, qr/before .* after/s, 'is whole';
--- error_log
qr/\[error\] .*subrequest/
--- target_connections
vnc: 0

=== TEST 40: a post_action on the location: a line in the error log, never a tunnel
--- config
location /page { root %%PREFIX%%; try_files /nginx.conf =404; post_action /websockify; }
location /websockify { websockify_pass %%vnc%%; }
--- request: GET /page
--- handshake
--- error_code: 200
--- error_log
qr/\[error\] .*post_action/
--- target_connections
vnc: 0

=== TEST 41: after an internal redirect
--- config
location /old { rewrite ^ /websockify last; }
location /try { try_files /nothing @websockify; }
location @websockify { websockify_pass %%vnc%%; }
location /websockify { websockify_pass %%vnc%%; }
--- steps
$t->client($_)->expect('binary "RFB 003.008\n"') for qw(/old /try);
pass 'both greeted';

=== TEST 42: the query string and the path do not matter
--- config
location / { websockify_pass %%vnc%%; }
--- request: GET /a/b%20c?token=x&y
--- dialogue
client gets binary "RFB 003.008\n"

=== TEST 43: nginx's own access checks come first
--- config
location /websockify { deny all; websockify_pass %%vnc%%; }
--- handshake
--- error_code: 403
--- error_log: access forbidden by rule
--- target_connections
vnc: 0
