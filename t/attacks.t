# What somebody may try against a location, and what holds. SECURITY.md names these tests by their numbers.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Proc;

defaults(targets => "vnc: sends \"hello\", swallows\nsecret: sends \"secret\", swallows", log_level => 'info');
run_tests;

# The status that answers a handshake with these headers changed.
sub status ($t, $path, @headers) { $t->status_of($path, headers => join "\n", @headers) }

sub port ($t, $target) { $t->targets->port($target) }

# All lines of the error log begin as nginx begins them.
sub lines_are_nginxs ($t) {
    my $log = WebsockifyTest::Util::slurp($t->nginx->prefix . '/logs/error.log');
    my @odd = grep { !m{\A\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+\#\d+: [\x20-\x7e]*\z} } split /\n/, $log;
    is("@odd", '', 'each line of the error log is one of nginx\'s, in printable characters');
}

__DATA__

=== TEST 1: a page of another site, with the visitor's own cookie and password
--- config
location /websockify {
    if ($cookie_session != "alice") { return 401; }
    websockify_origin https://desktop.example none;
    websockify_pass %%vnc%%;
}
--- steps
my @alice = '+Cookie: session=alice';
is status($t, '/websockify', @alice, "+Origin: $_"), 403, $_ for 'https://evil.example', 'null',
    'https://desktop.example.evil.example', 'https://desktop.example:8443', 'http://desktop.example', 'https://evil.example/https://desktop.example';
is status($t, '/websockify', @alice, '+Origin: https://desktop.example'), 101, 'her own page';
--- target_connections
vnc: 1

=== TEST 2: a name of somebody else's that leads here: `same` would let it pass, a default server does not
--- http_config
server { listen 127.0.0.1:%%SAME_PORT%% default_server; return 444; }
server {
    listen 127.0.0.1:%%SAME_PORT%%;
    server_name desktop.example;
    location /websockify { websockify_origin same; websockify_pass %%vnc%%; }
}
--- steps
for my $host ('evil.example', 'desktop.example') {
    my $client = $t->connect(port => $t->port('SAME_PORT'));
    $client->send_bytes($t->handshake('GET /websockify', "Host: $host\n+Origin: http://$host"));
    if ($host =~ /evil/) { $client->saw_end; pass 'closed without an answer' }
    else { is $client->response->{status}, 101, 'the right name' }
}
--- target_connections
vnc: 1

=== TEST 3: addresses that are to look like another one
What the client writes is the target, which nobody should configure; and the rules hold.
--- dns
inside.test A 127.0.0.1
both.test   A 127.0.0.9, 127.0.0.1
--- config
resolver %%DNS%% ipv6=off;
location = /websockify {
    websockify_allow 127.0.0.2:%%vnc_port%%;
    websockify_pass $arg_to;
}
--- steps
my $port = port($t, 'secret');
for my $to (
    "127.0.0.1:$port", "127.1:$port", "2130706433:$port", "0x7f000001:$port", "0177.0.0.1:$port", "0:$port", "0.0.0.0:$port",
    "[::]:$port", "[::1]:$port", "[::ffff:127.0.0.1]:$port", "[::ffff:7f00:1]:$port", "[0:0:0:0:0:ffff:7f00:0001]:$port",
    "[64:ff9b::7f00:1]:$port", "[::127.0.0.1]:$port", "inside.test:$port", "INSIDE.test.:$port", "both.test:$port",
    "127.0.0.2:$port", "127.0.0.2\@127.0.0.1:$port", "127.0.0.1:$port/127.0.0.2", "127.0.0.1:$port#127.0.0.2",
    "127.0.0.1:$port?127.0.0.2", "127.0.0.2:${\port($t, 'vnc')}\@127.0.0.1:$port", "127.0.0.1%00.127.0.0.2:$port", " 127.0.0.1:$port",
    "127.0.0.1%0d%0a:$port", "http://127.0.0.1:$port", "unix:/run/docker.sock", "unix:/proc/self/environ", "//127.0.0.1:$port",
    "127.0.0.1:${\($port + 65536)}", "127.0.0.1:-1", "localhost:$port",
) {
    my $at = $to =~ s/ /%20/gr =~ s/#/%23/gr;
    like status($t, "/websockify?to=$at"), qr/\A(?:403|500|502)\z/, $to;
}
--- error_log eval
[ 'is refused', 'could not be resolved', 'of "websockify_pass"' ]
--- target_connections
secret: 0

=== TEST 4: a path that leads out of where sockets are
--- targets
secret (unix): sends "secret", swallows
--- config
location /websockify {
    websockify_allow unix:/run/vnc;
    websockify_pass unix:/run/vnc/$arg_desktop.sock;
}
--- steps
my $up = '../../..' . $t->targets->address('secret') =~ s/\Aunix:|\.sock\z//gr;
is status($t, "/websockify?desktop=$_"), 403, $_ for $up, './' . $up, '../vnc/' . $up, '//etc/x', '../vnc-secret/x';
--- error_log
is refused: it matches no "websockify_allow"
--- target_connections
secret: 0

=== TEST 5: what is refused is refused without a word about it
--- dns
inside.test A 127.0.0.1
--- config
resolver %%DNS%% ipv6=off;
websockify_deny all;
location /websockify { websockify_pass $arg_to; }
--- steps
my %answers;
for my $to ('127.0.0.1:' . port($t, 'secret'), '127.0.0.1:1', '10.9.8.7:5900', 'unix:/nowhere', 'inside.test:1') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /websockify?to=$to"));
    my $answer = $client->response;
    $answers{ join "\n", $answer->{line}, $answer->{body}, map { "@$_" } grep { $_->[0] ne 'Date' } $answer->{headers}->@* }++;
    $client->close;
}
is keys %answers, 1, 'an open port, a closed one, nobody, a socket and a name: the same answer';
unlike((keys %answers)[0], qr/127|10\.9|nowhere|inside|deny|rule/, 'and nothing of the target in it');
--- error_log
is refused by "websockify_deny"

=== TEST 6: lines and colours for the error log, in everything that a client may send
--- config
location /websockify { websockify_origin same none; websockify_pass %%vnc%%; }
location ~ "(?s)^/to/(?<where>.*)$" { websockify_deny 127.0.0.9; websockify_pass $where; }
location ~ "(?s)^/for/(?<for>.*)$" { websockify_session_timeout $for; websockify_pass %%vnc%%; }
--- steps
my $evil = "x\x1b[31m\x08\x7f\xff\xe2\x80\xae";
my $line = '%0a2026/11/28%2000:00:00%20[alert]%20forged%0d%1b[31m';
is status($t, '/websockify', "+Origin: $evil"), 403, 'Origin';
is status($t, '/websockify', "+Sec-WebSocket-Protocol: $evil"), 400, 'subprotocol';
is status($t, '/websockify', "Sec-WebSocket-Key: $evil"), 400, 'key';
is status($t, '/websockify', "Upgrade: $evil"), 426, 'Upgrade';
is status($t, '/websockify', "+User-Agent: $evil", "+X-Forwarded-For: $evil", '-Connection'), 400, 'others';
is status($t, "/to/127.0.0.9:1$line"), 500, 'the target';
is status($t, "/to/unix:/$line"), 500, 'a path';
is status($t, "/for/$line"), 500, 'a time';
my $client = $t->client;
$client->expect('binary "hello"');
$client->send(qq{close 1002 "bye\\n2026/11/28 00:00:00 [alert] forged \\x1b[31m"});
$client->saw_end;
lines_are_nginxs($t);
--- error_log eval
[ 'control character in target', 'of "websockify_session_timeout" is no time' ]
--- no_error_log eval
qr/^2026\S+ \S+ \[alert\]/m

=== TEST 7: headers that claim another client, another scheme, another target
--- http_config
map $http_x_desktop $target { default %%vnc%%; }
--- config
location /websockify {
    allow 127.0.0.2; deny all; error_page 403 = @denied;
    websockify_pass $target;
}
location @denied { return 403 "$remote_addr"; }
location /origin { websockify_origin same; websockify_pass %%vnc%%; }
location /target { websockify_allow all; websockify_pass $target; }
--- steps
my $secret = '127.0.0.1:' . port($t, 'secret');
my @claims = ('+X-Forwarded-For: 127.0.0.2', '+X-Real-IP: 127.0.0.2', '+Forwarded: for=127.0.0.2;proto=https;host=evil.example',
    '+X-Forwarded-Proto: https', '+X-Forwarded-Host: evil.example', "+X-Target: $secret", "+X-Desktop: $secret",
    "+Websockify-Target: $secret", '+X-Original-URL: /target', '+X-Accel-Redirect: /target');
is status($t, '/websockify', @claims), 403, 'the address is the connection\'s';
is status($t, '/origin', @claims, '+Origin: http://evil.example'), 403, 'the host is Host';
is status($t, "/target?websockify_target=$secret", @claims), 101, 'the target is the map\'s';
--- error_log
access forbidden by rule
--- target_connections
vnc: 1
secret: 0

=== TEST 8: nothing of the request goes to the target, and nothing in it becomes a header of the answer
--- config
location /websockify { websockify_pass %%vnc%%; }
--- request: GET /websockify?x=%0d%0aSet-Cookie:%20x
--- handshake
+Sec-WebSocket-Protocol: x%0d%0aSet-Cookie: y
+Sec-WebSocket-Protocol: binary
+Sec-WebSocket-Accept: forged
+Sec-WebSocket-Extensions: permessage-deflate
--- response_headers
!Set-Cookie
!Sec-WebSocket-Extensions
Sec-WebSocket-Protocol: binary
--- dialogue
client gets binary "hello"
client sends binary "payload" & close 1000
client gets close 1000 ""
client sees end
vnc sees end
--- steps
is $t->targets->report('vnc')->{connections}[0]{received}, 'payload', 'the target has the payload, and nothing else';

=== TEST 9: a handshake that fails does not open a way past nginx's rules
What comes behind it on the connection is HTTP again, and is held to the rules; it is not for the target. After a 400
nginx closes the connection.
--- config
location /websockify { websockify_pass %%vnc%%; }
location /internal { internal; return 200 "secret"; }
location /public { return 200 "public"; }
--- steps
for my $wrong ("Sec-WebSocket-Version: 12", "Upgrade: h2c", "Sec-WebSocket-Key: short", "+Content-Length: 5", "+Transfer-Encoding: chunked",
    "Connection: keep-alive") {
    my $client = $t->connect;
    my $body = $wrong =~ /Length/ ? 'hello' : $wrong =~ /chunked/ ? "5\r\nhello\r\n0\r\n\r\n" : '';
    my $next = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    $client->send_bytes($t->handshake('GET /websockify', $wrong) . $body . sprintf($next, '/internal') . sprintf($next, '/public'));
    my $status = $client->response->{status};
    like $status, qr/\A4\d\d\z/, "$wrong: refused";
    if ($status == 400) { $client->close; next }
    is $client->response->{status}, 404, 'behind it: what is internal stays so';
    is $client->response->{body}, 'public', 'and what is public is answered by nginx';
    $client->close;
}
--- target_connections
vnc: 0

=== TEST 10: a request hidden behind a handshake that succeeds is none
--- config
location /websockify { websockify_pass %%vnc%%; }
location /internal { internal; return 200 "secret"; }
--- steps
for my $closed (0, 1) {
    my $client = $t->connect;
    my ($close) = $closed ? WebsockifyTest::Frame::parse_frames('close 1000') : '';
    $client->send_bytes($t->handshake('GET /websockify') . $close . "GET /internal HTTP/1.1\r\nHost: localhost\r\n\r\n");
    is $client->response->{status}, 101, 'a session';
    my $frame;
    do { $frame = $client->frame } until $frame->{opcode} == 8;
    is unpack('n', $frame->{payload}), $closed ? 1000 : 1002, 'which ends with it';
    $client->saw_end;
}
is join('', map { $_->{received} } $t->targets->report('vnc')->{connections}->@*), '', 'nor does the target get it';
--- no_error_log
/internal

=== TEST 11: a client that takes its time over the handshake costs no connection to a target
--- config
client_header_timeout 200ms;
location /websockify { websockify_pass %%vnc%%; }
--- steps
my $client = $t->connect;
$client->send_bytes(substr $t->handshake('GET /websockify'), 0, -2);
$client->saw_end;
pass 'closed';
--- target_connections
vnc: 0

=== TEST 12: a client that says nothing, in a session that has begun
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 100ms; websockify_ping_timeout 100ms; }
--- dialogue
client gets binary "hello"
client gets ping qr/./
client gets close 1001 "no pong"
client sees end
vnc sees end

=== TEST 13: more sessions than one address may have
--- http_config
limit_conn_zone $binary_remote_addr zone=sessions:1m;
--- config
location /websockify { limit_conn sessions 2; websockify_pass %%vnc%%; }
--- steps
my @clients = map { my $client = $t->client; $client->expect('binary "hello"'); $client } 1, 2;
is status($t, '/websockify'), 503, 'a third';
$clients[0]->send('close 1000');
$clients[0]->expect('close 1000 ""');
$clients[0]->saw_end;
WebsockifyTest::Util::await('room again', sub { status($t, '/websockify') == 101 });
pass 'once one has ended';
--- error_log
limiting connections by zone "sessions"

=== TEST 14: a frame that is announced and never sent takes no memory of its length
--- config
location /websockify { websockify_pass %%vnc%%; websockify_buffer_size 4k; }
--- steps
my ($worker) = $t->nginx->workers;
my @clients = map { my $client = $t->client; $client->expect('binary "hello"'); $client } 1 .. 50;
my $before = WebsockifyTest::Proc::memory_of($worker);
$_->send("binary declares 9223372036854775807 \"x\"") for @clients;
$t->await('vnc', 'get a byte of each', sub ($report) { 50 == grep { $_->{received} eq 'x' } $report->{connections}->@* });
cmp_ok WebsockifyTest::Proc::memory_of($worker) - $before, '<', 4 << 20, '50 frames of 8 EiB: less than 4 MiB';

=== TEST 15: a port that is open for one protocol cannot be used to speak another
--- targets
redis: awaits "SET", sends "+OK\r\n", swallows
mail: sends "220 mail.example ESMTP\r\n", swallows
--- config
websockify_first_bytes "RFB ";
websockify_connect_timeout 300ms;
location /redis { websockify_pass %%redis%%; }
location /mail { websockify_pass %%mail%%; }
--- steps
for my $path ('/redis', '/mail') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path") . join '', WebsockifyTest::Frame::parse_frames('binary "SET x y\r\n"'));
    is $client->response->{status}, 101, "$path: connected";
    $client->expect('close 1011 "first bytes"');
}
is join('', map { $_->{received} } map { $t->targets->report($_)->{connections}->@* } 'redis', 'mail'), '', 'and nothing said';
--- error_log eval
[ qr/target timed out: it did not send the "websockify_first_bytes"/, qr/target sent first bytes other than/ ]

=== TEST 16: SECURITY.md names no test that is not there
--- steps
my ($default, $count, @missing, %text) = ('t/attacks.t', 0);
for my $line (split /\n/, WebsockifyTest::Util::slurp('SECURITY.md')) {
    $default = 't/attacks-tokens.t' if $line eq '## Tokens';
    my ($cell) = $line =~ /\|([^|]*)\|\z/ or next;
    my $file = $default;
    while ($cell =~ /`([^`]+)`|(\d+)(?: to (\d+))?/g) {
        if (defined $1) { $file = $1; push @missing, $file if !-e $file; next }
        for my $number ($2 .. $3 // $2) {
            $text{$file} //= WebsockifyTest::Util::slurp($file);
            push @missing, "$file $number" if $text{$file} !~ /^=== TEST $number:/m;
            $count++;
        }
    }
}
is_deeply \@missing, [], 'each of them';
cmp_ok $count, '>', 60, "$count of them";
