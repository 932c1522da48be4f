# wss: the same sessions through nginx's TLS. The certificate is made when it is needed.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Util qw(pattern_md5);

require_perl_modules('IO::Socket::SSL');

defaults(
    tls     => '',
    targets => 'vnc: sends "RFB 003.008\n", echoes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

__DATA__

=== TEST 1: a session
--- dialogue
client gets binary "RFB 003.008\n"
client sends binary "Hel"
client gets binary "Hel"
client sends ping "x"
client gets pong "x"
client sends close 1000 "bye"
client gets close 1000 qr/^(bye)?$/
client sees end
vnc sees end

=== TEST 2: TLS 1.2 and 1.3
--- config
ssl_protocols TLSv1.2 TLSv1.3;
location /websockify { websockify_pass %%vnc%%; }
--- steps
for my $version (qw(TLSv1_2 TLSv1_3)) {
    my $client = $t->client('/websockify', tls => { SSL_version => $version });
    is $client->stream->{socket}->get_sslversion, $version, $version;
    $client->expect('binary "RFB 003.008\n"');
    $client->send('binary "hello"');
    $client->expect('binary "hello"');
}

=== TEST 3: frames that came in the same record as the request
--- targets
vnc: echoes
--- early_frames
binary "early" & binary " bird"
--- dialogue
client gets binary "early bird"

=== TEST 4: byte by byte
--- targets
vnc: echoes
--- dialogue
client sends byte by byte binary "hello"
client gets binary "hello"
client sends byte by byte ping "x"
client gets pong "x"

=== TEST 5: 20 MiB each way at once
--- targets
vnc: echoes
--- steps
my $result = $t->client->pump(send => 20 << 20, receive => 20 << 20);
is $result->{md5}, pattern_md5(20 << 20), 'byte for byte';

=== TEST 6: much to a client that reads slowly, and the target closes
A range that TLS has seen once must be offered again unmoved.
--- targets
vnc: streams 5_000_000, closes
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
$client->stream->{reading} = 0;
Time::HiRes::sleep 0.1;
$client->stream->{reading} = 1;
my $result = $client->pump(receive => 5_000_000);
is $result->{md5}, pattern_md5(5_000_000), 'byte for byte';
$client->expect('close 1000 "target closed"');
$client->send('close 1000');
is $client->saw_end, 'end', 'the end';

=== TEST 7: base64 over TLS
--- targets
vnc: echoes
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends text "aGVsbG8="
client gets base64 "hello"

=== TEST 8: a client that goes without a word
--- dialogue
client gets binary "RFB 003.008\n"
client sends binary "and gone"
vnc gets "and gone"
client resets
vnc sees end

=== TEST 9: nginx's $scheme and client certificates are there for the taking
--- config
if ($scheme != https) { return 403; }
location /websockify { websockify_pass %%vnc%%; }
--- steps
$t->client->expect('binary "RFB 003.008\n"');
my $plain = $t->connect(tls => undef);
$plain->send_bytes($t->handshake);
is $plain->response->{status}, 403, 'plain is refused';
--- target_connections
vnc: 1
