# What stands around a location: realip, error_page, access_log, HTTP/2 on the same listener, map, geo.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Http2 qw(http2_get);
use WebsockifyTest::Util qw(slurp);

require_perl_modules('IO::Socket::SSL');

defaults(targets => 'vnc: sends "hello", swallows');
run_tests;

# Over one listener with TLS: a page by HTTP/2, a session by HTTP/1.1, and a handshake by HTTP/2, which is refused.
sub both_protocols ($t) {
    my %tls = (SSL_alpn_protocols => [qw(h2 http/1.1)]);
    my $page = $t->connect(port => $t->port('H2_PORT'), tls => {%tls});
    is $page->stream->{socket}->alpn_selected, 'h2', 'a browser is offered HTTP/2';
    is +(http2_get($page->stream, '/page'))[0][1], 200, 'the page';
    my $session = $t->client('/websockify', port => $t->port('H2_PORT'), tls => { SSL_alpn_protocols => ['http/1.1'] });
    $session->expect('binary "hello"');
    my $refused = $t->connect(port => $t->port('H2_PORT'), tls => {%tls});
    my %answer = map { @$_ } http2_get($refused->stream, '/websockify', [ 'sec-websocket-version', 13 ]);
    is $answer{':status'}, 426, 'no session over HTTP/2';
}

__DATA__

=== TEST 1: realip: the client's address in the log of its session
--- config
set_real_ip_from 127.0.0.1;
real_ip_header X-Forwarded-For;
real_ip_recursive on;
location /websockify { websockify_pass %%vnc%%; }
--- handshake
X-Forwarded-For: 203.0.113.9, 192.0.2.7, 127.0.0.1
--- log_format: $remote_addr $realip_remote_addr $status
--- dialogue
client gets binary "hello"
client sends binary unmasked "x"
client gets close 1002 qr/mask/
client sees end
--- access_log
192.0.2.7 127.0.0.1 101
--- error_log
qr/\[info\] .*client sent unmasked frame.*, client: 192\.0\.2\.7, /

=== TEST 2: realip from the PROXY protocol of what is in front
--- http_config
server {
    listen 127.0.0.1:%%BEHIND_PORT%% proxy_protocol;
    set_real_ip_from 127.0.0.1;
    real_ip_header proxy_protocol;
    location /websockify { websockify_pass %%vnc%%; websockify_proxy_protocol on; }
}
--- steps
my $client = $t->connect(port => $t->port('BEHIND_PORT'));
$client->send_bytes("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n" . $t->handshake);
is $client->response->{status}, 101, 'a session';
$client->expect('binary "hello"');
$client->send('binary "x"');
$t->target_gets('vnc', "PROXY TCP4 192.0.2.7 127.0.0.1 4711 ${\$t->port('BEHIND_PORT')}\r\nx");
pass 'and it is passed on';

=== TEST 3: error_page: a page, another status, another target
--- targets
down:  refuses
spare: sends "spare", swallows
--- config
location /page  { error_page 502 /sorry.html; websockify_pass %%down%%; }
location /other { error_page 502 =503 /sorry.html; websockify_pass %%down%%; }
location /spare { error_page 502 504 = @spare; websockify_pass %%down%%; }
location = /sorry.html { default_type text/plain; return 200 "later"; }
location @spare { websockify_pass %%spare%%; }
--- steps
my $page = $t->answer('/page');
is $page->{status}, 502, 'a page';
is $page->{body}, 'later', 'its text';
is $t->status_of('/other'), 503, 'another status';
$t->client('/spare', early => 'binary "x"')->expect('binary "spare"');
$t->target_gets('spare', 'x');
pass 'another target, which is told what came early';
--- error_log
connect() failed

=== TEST 4: access_log with if=: only what failed, and only what was a session
--- targets
vnc:  sends "hello", swallows
down: refuses
--- http_config
map $status $failed  { default 1; 101 0; }
map $status $session { default 0; 101 1; }
--- config
access_log %%PREFIX%%/logs/failed.log combined if=$failed;
access_log %%PREFIX%%/logs/sessions.log combined if=$session;
location /websockify { websockify_pass %%vnc%%; }
location /down { websockify_pass %%down%%; }
--- steps
my $client = $t->client;
$client->expect('binary "hello"');
$client->send('close 1000');
$client->saw_end;
is $t->status_of('/down'), 502, 'refused';
my ($failed, $sessions) = map { $t->nginx->prefix . "/logs/$_.log" } qw(failed sessions);
WebsockifyTest::Util::await('both logs', sub { -s $failed && -s $sessions });
like slurp($failed), qr{\A\S+ .*"GET /down HTTP/1\.1" 502 .*\n\z}, 'the one that failed';
like slurp($sessions), qr{\A\S+ .*"GET /websockify HTTP/1\.1" 101 .*\n\z}, 'the session';
--- error_log
connect() failed

=== TEST 5: a listener with HTTP/2
--- config
listen 127.0.0.1:%%H2_PORT%% ssl http2; ssl_certificate %%CERT%%; ssl_certificate_key %%KEY%%;
location = /page { return 200 "page"; }
location /websockify { websockify_pass %%vnc%%; }
--- steps
both_protocols($t);

=== TEST 6: `http2 on`
--- needs_nginx: 1.25.1
--- config
listen 127.0.0.1:%%H2_PORT%% ssl; http2 on; ssl_certificate %%CERT%%; ssl_certificate_key %%KEY%%;
location = /page { return 200 "page"; }
location /websockify { websockify_pass %%vnc%%; }
--- steps
both_protocols($t);

=== TEST 7: map and geo choose
--- targets
near: sends "near", swallows
far:  sends "far", swallows
--- http_config
geo $where { default far; 192.0.2.0/24 near; }
map $where $desk { near %%near%%; far %%far%%; }
--- config
set_real_ip_from 127.0.0.1;
location /websockify { websockify_pass $desk; websockify_allow 127.0.0.0/8; }
--- steps
$t->client('/websockify', headers => 'X-Real-IP: 192.0.2.7')->expect('binary "near"');
$t->client('/websockify', headers => 'X-Real-IP: 198.51.100.7')->expect('binary "far"');
pass 'by address';
