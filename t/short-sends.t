# A PROXY header that does not go out at once: the kernel takes a few bytes of it, then none, then a few again. The target
# says something for each piece, which makes epoll look again at a connection that has been writable all the time.

use v5.36;
use lib 't/lib';
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Nginx;
use WebsockifyTest::Preload;

plan skip_all => 'the sanitizer wants to be the first that is preloaded' if $ENV{ASAN_OPTIONS};
$ENV{TEST_NGINX_BINARY} = join ' ', 'env', 'LD_PRELOAD=' . WebsockifyTest::Preload::library('short-send'),
    WebsockifyTest::Nginx::binary();

run_tests;

__DATA__

=== TEST 1: it is sent to its end, and the client's bytes come behind it
--- targets
vnc: echoes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_proxy_protocol on; }
--- log_format: $status $upstream_connect_time
--- early_frames
binary "early"
--- dialogue
client gets binary qr/\APROXY TCP4 /
--- steps
$client->send('binary " and late"');
my $got = $t->await('vnc', 'get all', sub ($report) { my $c = $report->{connections}[0]; $c->{received} =~ /late\z/ && $c });
like $got->{received}, qr/\APROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nearly and late\z/, 'in order, once';

=== TEST 2: a target that stops taking it in the middle: 504
--- targets
mute: swallows
--- config
location /websockify { websockify_pass %%mute%%; websockify_proxy_protocol on; websockify_send_timeout 300ms; }
--- handshake
--- error_code: 504
--- error_log
qr/\[error\] .*upstream timed out .*while sending request to upstream/

=== TEST 3: TLS begins when all of it has gone
--- targets
chatty: echoes 60, swallows
--- config
location /websockify { websockify_pass %%chatty%%; websockify_proxy_protocol on; websockify_ssl on; websockify_connect_timeout 1s; }
--- handshake
--- error_code: 502
--- error_log
qr/\[error\] .*SSL_do_handshake\(\) failed .*while SSL handshaking to upstream/
--- steps
my $got = $t->targets->report('chatty')->{connections}[0]{received};
like $got, qr/\APROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n\x16\x03/, 'the line, and then a ClientHello';
