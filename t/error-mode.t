# `websockify_error_mode close`: a valid handshake that is refused or fails is answered with 101 and a Close.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Http2 qw(http2_get);

defaults(
    targets     => 'vnc: echoes',
    http_config => 'limit_conn_zone $uri zone=conn:1m; limit_req_zone $uri zone=req:1m rate=1r/m;',
    log_format  => '$uri $status $websockify_close_code',
);
run_tests;

# What a client is told, and that nothing else comes.
sub told ($t, $path, %option) {
    my $client = $t->client($path, %option);
    my $frame  = $client->frame or return 'nothing';
    $client->send('close ' . unpack 'n', $frame->{payload});
    my $end = $client->saw_end;
    $client->close;
    return join ' ', $frame->{opcode} == 8 ? () : "opcode $frame->{opcode}", unpack('n a*', $frame->{payload}), $end;
}

sub status_of ($t, $request, $changes = '') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake($request, $changes));
    my $status = $client->response->{status};
    $client->close;
    return $status;
}

__DATA__

=== TEST 1: each status has its code, whoever refuses
--- targets
vnc: echoes
down: refuses
hole: never accepts
--- config
websockify_error_mode close;
location /basic { auth_basic "who"; auth_basic_user_file %%PREFIX%%/nobody; websockify_pass %%vnc%%; }
location /deny { deny all; websockify_pass %%vnc%%; }
location /ask { auth_request /no; websockify_pass %%vnc%%; }
location /who { auth_request /name; websockify_pass %%vnc%%; }
location = /no { internal; return 403; }
location = /name { internal; return 401; }
location /conn { limit_conn conn 1; websockify_pass %%vnc%%; }
location /req { limit_req zone=req; limit_req_status 429; websockify_pass %%vnc%%; }
location /return { return 404; websockify_pass %%vnc%%; }
location /teapot { return 418; }
location /down { websockify_pass %%down%%; }
location /hole { websockify_pass %%hole%%; websockify_connect_timeout 50ms; }
location /empty { websockify_pass $arg_nothing; }
location /name.invalid { websockify_pass name.invalid$arg_port; }
--- steps
open my $file, '>', $t->nginx->prefix . '/nobody';
close $file;
is told($t, '/basic'),  '4401 authorization required end', 'auth_basic';
is told($t, '/deny'),   '4403 forbidden end', 'deny';
is told($t, '/ask'),    '4403 forbidden end', 'auth_request: 403';
is told($t, '/who'),    '4401 authorization required end', 'auth_request: 401';
is told($t, '/return'), '4404 not found end', 'return 404';
is told($t, '/nobody'), '4404 not found end', 'no such file';
is told($t, '/teapot'), '1011 internal error end', 'another status';
my ($held, $one) = ($t->client('/conn'), $t->client('/req'));
is told($t, '/conn'),   '1013 service unavailable end', 'limit_conn';
is told($t, '/req'),    '1013 too many requests end', 'limit_req';
is told($t, '/down'),   '1011 target is not there end', 'a target that refuses';
is told($t, '/hole'),   '1011 target does not answer end', 'a target that does not answer';
is told($t, '/empty'),  '1011 internal error end', 'no target';
is told($t, '/name.invalid'), '1011 target is not there end', 'no resolver';
$t->nginx->await_access_log(qr{^\Q$_\E$}m), pass "the log says: $_" for '/basic 401 4401', '/deny 403 4403', '/ask 403 4403',
    '/return 404 4404', '/conn 503 1013', '/req 429 1013', '/down 502 1011', '/hole 504 1011', '/empty 500 1011', '/teapot 418 1011';
--- error_log
no user/password was provided
access forbidden
limiting connections
limiting requests
connect() failed
upstream timed out
empty: no target
no resolver defined
qr/No such file|open\(\)/

=== TEST 2: the answer is that of a valid handshake
--- config
websockify_error_mode close;
location /websockify { deny all; add_header X-Seen yes always; websockify_pass %%vnc%%; }
--- handshake
Sec-WebSocket-Protocol: chat, binary
--- response_headers
Sec-WebSocket-Protocol: binary
!WWW-Authenticate
!Content-Type
X-Seen: yes
--- dialogue
client gets close 4403 "forbidden"
client sends close 4403
client sees end
--- target_connections
vnc: 0
--- error_log
access forbidden

=== TEST 3: frames that came with the handshake, and no Close in answer
--- config
websockify_error_mode close;
location /websockify { deny all; websockify_pass %%vnc%%; }
--- steps
my $client = $t->client('/websockify', early => 'binary "early" & ping "x"');
$client->send('binary pattern(100_000)');
$client->expect('close 4403 "forbidden"');
is $client->saw_end, 'end', 'no reset has taken the Close away';
--- error_log
access forbidden

=== TEST 4: what is no valid handshake gets a status
--- config
websockify_error_mode close;
location /websockify { deny all; websockify_pass %%vnc%%; }
location /open { websockify_pass %%vnc%%; }
--- steps
is status_of($t, 'GET /websockify', $_), 403, $_ for '-Upgrade', '-Sec-WebSocket-Key', 'Sec-WebSocket-Version: 8', 'Connection: close',
    'Content-Length: 1', 'Sec-WebSocket-Protocol: chat';
is status_of($t, 'POST /websockify'), 403, 'POST';
is status_of($t, 'GET /websockify HTTP/1.0'), 403, 'HTTP/1.0';
is status_of($t, 'GET /open', 'Sec-WebSocket-Version: 8'), 426, 'our own refusal';
--- error_log
access forbidden

=== TEST 5: nor does anything without the directive, which is inherited and replaced
--- config
location /plain { deny all; websockify_pass %%vnc%%; }
location /close { websockify_error_mode close; deny all; websockify_pass %%vnc%%; location /close/http { websockify_error_mode http; deny all; } location /close/close { deny all; } }
location /if { websockify_error_mode close; if ($arg_x) { return 403; } websockify_pass %%vnc%%; }
--- steps
is status_of($t, 'GET /plain'), 403, 'http by default';
is status_of($t, 'GET /close/http'), 403, 'replaced';
is told($t, '/close/close'), '4403 forbidden end', 'inherited';
is told($t, '/if?x=1'), '4403 forbidden end', 'in an if';
$t->client('/if');
pass 'a session';
--- error_log
access forbidden

=== TEST 6: an error_page anywhere, a file, another status, or another target
--- targets
vnc: echoes
down: refuses
--- config
error_page 403 /403.html;
error_page 404 =200 /404.html;
location /file { websockify_error_mode close; deny all; websockify_pass %%vnc%%; }
location /nowhere { websockify_error_mode close; error_page 403 /there/is/none; deny all; websockify_pass %%vnc%%; }
location /good { websockify_error_mode close; return 404; }
location /down { websockify_error_mode close; error_page 502 = @spare; websockify_pass %%down%%; }
location /both { websockify_error_mode close; error_page 502 = @none; websockify_pass %%down%%; }
location @spare { websockify_pass %%vnc%%; }
location @none { websockify_pass %%down%%; }
location /page { error_page 403 /refused; deny all; websockify_pass %%vnc%%; }
location /refused { websockify_error_mode close; return 403; }
--- steps
for my $page (403, 404) {
    open my $file, '>', $t->nginx->prefix . "/html/$page.html";
    print {$file} 'page ' x 20_000;
    close $file;
}
is told($t, '/file'), '4403 forbidden end', 'a file';
is told($t, '/nowhere'), '4404 not found end', 'a file that is not there, which is what nginx says then';
is status_of($t, 'GET /good'), 200, 'no error any more';
my $client = $t->client('/down');
$client->send('binary "spare"');
$client->expect('binary "spare"');
pass 'another target';
is status_of($t, 'GET /both'), 502, 'another target that fails too: where error_page has an "=", its location answers for itself';
is told($t, '/page'), '4403 forbidden end', 'the mode of the page';
--- error_log
access forbidden
connect() failed
qr/No such file|open\(\)/

=== TEST 7: errors of other requests on the same connection, and of subrequests, are theirs
--- config
websockify_error_mode close;
location /websockify { auth_request /ask; websockify_pass %%vnc%%; }
location = /ask { internal; if ($arg_x) { return 403; } return 204; }
location /none { return 404; }
--- steps
my $client = $t->connect;
$client->send_bytes(WebsockifyTest::Client::request_bytes('GET /none', 'Host: localhost'));
is $client->response->{status}, 404, 'a plain request';
$client->send_bytes($t->handshake('GET /websockify'));
is $client->response->{status}, 101, 'then a session';
$client->send('binary "hello"');
$client->expect('binary "hello"');

=== TEST 8: over TLS
--- tls
--- config
websockify_error_mode close;
location /websockify { deny all; websockify_pass %%vnc%%; }
--- steps
is told($t, '/websockify'), '4403 forbidden end', 'the same';
--- error_log
access forbidden

=== TEST 9: HTTP/2 has no 101
--- config
listen 127.0.0.1:%%H2_PORT%% http2;
websockify_error_mode close;
location /websockify { deny all; websockify_pass %%vnc%%; }
--- steps
my %header = map { @$_ } http2_get($t->connect(port => $t->port('H2_PORT'))->stream, '/websockify',
    [ upgrade => 'websocket' ], [ 'sec-websocket-key' => WebsockifyTest::Client::KEY ], [ 'sec-websocket-version' => 13 ]);
# From 1.31.0 on nginx itself takes no such header over HTTP/2.
is $header{':status'}, WebsockifyTest::Nginx::is_at_least('1.31.0') ? 400 : 403, 'a status';
--- error_log
qr/access forbidden|client sent "Upgrade" header/
