# websockify_proxy_protocol: the target is told who the client is. The receivers here are targets that show the bytes, and
# nginx itself, whose HTTP server says what it has understood.

use v5.36;
use lib 't/lib';
use Socket qw(unpack_sockaddr_in);
use WebsockifyTest;
use WebsockifyTest::Client;

require_perl_modules('IO::Socket::SSL');
run_tests;

# The client's own port.
sub port_of_client ($client) { (unpack_sockaddr_in(getsockname $client->stream->{raw}))[0] }

# What the HTTP server behind the tunnel at `$path` has understood of the client.
sub understood ($t, $path) {
    my $client = $t->client($path);
    $client->send('binary "GET / HTTP/1.0\r\n\r\n"');
    my $answer = '';
    while (my $frame = $client->frame) {
        last if $frame->{opcode} == 8;
        $answer .= $frame->{payload};
    }
    return ($client, $answer =~ s/.*\r\n\r\n//sr);
}

__DATA__

=== TEST 1: off by default; a line of text; a target that speaks first
--- targets
vnc: sends "RFB 003.008\n", swallows
--- http_config
websockify_proxy_protocol on;
--- config
location /websockify { websockify_pass %%vnc%%; }
location /off { websockify_pass %%vnc%%; websockify_proxy_protocol off; }
--- steps
my $client = $t->client;
$client->expect('binary "RFB 003.008\n"');
$client->send('binary "hello"');
my $line = sprintf "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", port_of_client($client), $t->port;
$t->target_gets('vnc', $line . 'hello');
my $off = $t->client('/off', early => 'binary "hello"');
$t->target_gets('vnc', 'hello');
pass 'and off';

=== TEST 2: early frames come behind it
--- targets
vnc: awaits "hello", sends "got it", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_proxy_protocol on; }
--- early_frames
binary "hello"
--- dialogue
client gets binary "got it"
--- steps
like $t->targets->report('vnc')->{connections}[0]{received}, qr/\APROXY TCP4 \S+ \S+ \d+ \d+\r\nhello\z/, 'the line, and the payload';

=== TEST 3: version 2
--- targets
vnc: sends "RFB 003.008\n", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_proxy_protocol v2; }
--- steps
my $client = $t->client('/websockify', early => 'binary "hello"');
my $header = "\r\n\r\n\0\r\nQUIT\n\x21\x11" . pack 'n a4 a4 n n', 12, "\x7f\0\0\1", "\x7f\0\0\1", port_of_client($client), $t->port;
$t->target_gets('vnc', $header . 'hello');
pass 'the header, and the payload';

=== TEST 4: the address that realip has found
--- targets
vnc: swallows
--- config
set_real_ip_from 127.0.0.1;
location /v1 { websockify_pass %%vnc%%; websockify_proxy_protocol on; }
location /v2 { websockify_pass %%vnc%%; websockify_proxy_protocol v2; }
--- steps
my $port = $t->port;
$t->client('/v1', headers => 'X-Real-IP: 192.0.2.7', early => 'binary "x"');
$t->target_gets('vnc', "PROXY TCP4 192.0.2.7 127.0.0.1 0 $port\r\nx");
$t->client('/v1', headers => 'X-Real-IP: 2001:db8::7', early => 'binary "x"');
$t->target_gets('vnc', "PROXY TCP6 2001:db8::7 ::ffff:127.0.0.1 0 $port\r\nx");
$t->client('/v2', headers => 'X-Real-IP: 2001:db8::7', early => 'binary "x"');
$t->target_gets('vnc', "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" . pack('H32 H32 n n',
    '20010db8000000000000000000000007', '00000000000000000000ffff7f000001', 0, $port) . 'x');
pass 'each as it should be';

=== TEST 5: a client that came by a unix socket is unknown
--- targets
vnc: swallows
--- http_config
server {
    listen unix:%%PREFIX%%/front.sock;
    location /v1 { websockify_pass %%vnc%%; websockify_proxy_protocol on; }
    location /v2 { websockify_pass %%vnc%%; websockify_proxy_protocol v2; }
}
--- config
location / {
    proxy_pass http://unix:%%PREFIX%%/front.sock;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
}
--- steps
$t->client('/v1')->send('binary "x"');
$t->target_gets('vnc', "PROXY UNKNOWN\r\nx");
$t->client('/v2')->send('binary "x"');
$t->target_gets('vnc', "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0x");
pass 'UNKNOWN, LOCAL';

=== TEST 6: a unix socket as the target, which is connected at once
--- targets
un (unix): sends "hello", swallows
--- config
location /websockify { websockify_pass %%un%%; websockify_proxy_protocol on; }
--- early_frames
binary "early"
--- dialogue
client gets binary "hello"
--- steps
like $t->targets->report('un')->{connections}[0]{received}, qr/\APROXY TCP4 .*\r\nearly\z/, 'in front';

=== TEST 7: in front of TLS, and understood by nginx
--- http_config
server {
    listen 127.0.0.1:%%PLAIN_PORT%% proxy_protocol;
    listen 127.0.0.1:%%SECURE_PORT%% ssl proxy_protocol;
    listen unix:%%PREFIX%%/back.sock ssl proxy_protocol;
    ssl_certificate %%TLS%%/desk.pem; ssl_certificate_key %%TLS%%/desk.key;
    location / { return 200 "$https $proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port"; }
}
--- config
location /plain/v1  { websockify_pass 127.0.0.1:%%PLAIN_PORT%%; websockify_proxy_protocol on; }
location /plain/v2  { websockify_pass 127.0.0.1:%%PLAIN_PORT%%; websockify_proxy_protocol v2; }
location /secure/v1 { websockify_pass 127.0.0.1:%%SECURE_PORT%%; websockify_proxy_protocol on; websockify_ssl on; }
location /secure/v2 { websockify_pass 127.0.0.1:%%SECURE_PORT%%; websockify_proxy_protocol v2; websockify_ssl on; }
location /unix      { websockify_pass unix:%%PREFIX%%/back.sock; websockify_proxy_protocol v2; websockify_ssl on; }
location /verified  {
    websockify_pass localhost:%%SECURE_PORT%%; websockify_proxy_protocol on; websockify_ssl on;
    websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem;
}
--- steps
for my $path (qw(/plain/v1 /plain/v2 /secure/v1 /secure/v1 /secure/v2 /unix /verified)) {
    my ($client, $said) = understood($t, $path);
    my $https = $path =~ /plain/ ? '' : 'on';
    is $said, join(' ', $https, '127.0.0.1', port_of_client($client), '127.0.0.1', $t->port), "$path: $said";
}

=== TEST 8: each server that is tried is told
--- targets
plain: awaits "\n", closes
down: refuses
--- http_config
upstream group { server %%plain%%; server %%down%%; server 127.0.0.1:%%SECURE_PORT%%; }
server {
    listen 127.0.0.1:%%SECURE_PORT%% ssl proxy_protocol;
    ssl_certificate %%TLS%%/desk.pem; ssl_certificate_key %%TLS%%/desk.key;
    location / { return 200 "$proxy_protocol_addr $proxy_protocol_port"; }
}
--- config
location /websockify { websockify_pass group; websockify_proxy_protocol on; websockify_ssl on; }
--- log_format: $status $upstream_addr $upstream_status $upstream_connect_time
--- steps
my ($client, $said) = understood($t, '/websockify');
is $said, '127.0.0.1 ' . port_of_client($client), 'the third has understood';
like $t->targets->report('plain')->{connections}[0]{received}, qr/\APROXY TCP4 .*\r\n/, 'the first was told too';
--- error_log
qr/\[error\] .*while SSL handshaking to upstream/
connect() failed
--- access_log
qr/^101 \S+, \S+, \S+ 502, 502, 101 -, \S+, \d\.\d+$/m

=== TEST 9: a target that does not answer in TLS: 504 after websockify_connect_timeout
Guards: the time for the header counted for the handshake as well.
--- targets
mute: swallows
--- config
location /websockify {
    websockify_pass %%mute%%; websockify_proxy_protocol on; websockify_ssl on;
    websockify_connect_timeout 200ms; websockify_send_timeout 1h;
}
--- handshake
--- error_code: 504
--- error_log
qr/\[error\] .*upstream timed out .*while SSL handshaking to upstream/

=== TEST 10: a target that refuses
--- targets
down: refuses
--- config
location /websockify { websockify_pass %%down%%; websockify_proxy_protocol on; }
--- handshake
--- error_code: 502
--- error_log
connect() failed (111: Connection refused) while connecting to upstream

=== TEST 11: a target that is still starting is told when it is up, once
--- targets
vnc: refuses then sends "hello", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_proxy_protocol on; websockify_connect_retry 20s; }
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake);
WebsockifyTest::Util::await('a failure', sub { $t->nginx->error_log =~ /connect\(\) failed/ });
$t->targets->listen('vnc');
is $client->response->{status}, 101, 'a session';
$client->send('binary "x"');
$t->target_gets('vnc', sprintf "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nx", port_of_client($client), $t->port);
pass 'the line, once';
--- error_log
connect() failed
