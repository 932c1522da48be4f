# The harness itself, on plain nginx: what it says it does, and that it fails what it should fail.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

without_module;
run_tests;

# Runs `$blocks`, whose lines begin with "| ", as a test file of its own: its exit code and its output.
sub outcome ($blocks) {
    $blocks =~ s/^\| //mg;
    my $code = "use v5.36; use WebsockifyTest; without_module; run_tests;\n__DATA__\n$blocks";
    my $pid = open my $output, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        my $file = "$ENV{HARNESS_PREFIX}/inner.t";
        open my $inner, '>', $file or die "open: $!";
        print {$inner} $code;
        close $inner;
        exec $^X, '-It/lib', $file;
    }
    local $/;
    my $said = <$output>;
    close $output;
    return ($? >> 8, $said);
}

sub inner_fails ($t, $blocks, $because, $time_limit = 10) {
    local @ENV{qw(HARNESS_PREFIX TEST_NGINX_TIMEOUT)} = ($t->nginx->prefix, $time_limit);
    my ($code, $said) = outcome($blocks);
    isnt $code, 0, 'the inner test fails';
    like $said, $because, 'and says why';
}

sub stream ($t, $target) { WebsockifyTest::Stream->connect($t->targets->port($target)) }

# All that a target says until it ends, and how it ends.
sub heard ($stream) { my $how = $stream->await_end; return ($stream->{in}, $how) }

__DATA__

=== TEST 1: a plain request
--- config
location /hello { return 200 "hello\n"; add_header X-Port %%PORT%%; }
--- request: GET /hello
--- response_headers
Content-Length: 6
!X-Absent
--- response_body: hello
--- response_body_like: qr/^hel+o$/
--- access_log: "GET /hello HTTP/1.1" 200

=== TEST 2: frames of RFC 6455 section 5.7, to bytes and back
--- steps
use WebsockifyTest::Frame qw(encode decode parse_frames describe);
is unpack('H*', encode(opcode => 1, payload => 'Hello')), '818537fa213d7f9f4d5158', 'a masked text';
is unpack('H*', (parse_frames('text unmasked "Hello"'))[0]), '810548656c6c6f', 'an unmasked one';
is unpack('H*', (parse_frames('text more unmasked "Hel"'))[0]), '010348656c', 'a fragment';
is unpack('H*', (parse_frames('continuation unmasked "lo"'))[0]), '80026c6f', 'its continuation';
is unpack('H*', substr((parse_frames('binary unmasked pattern(256)'))[0], 0, 4)), '827e0100', '256 bytes';
is unpack('H*', substr((parse_frames('binary unmasked pattern(65536)'))[0], 0, 10)), '827f0000000000010000', '64 KiB';
is unpack('H*', (parse_frames('binary unmasked length16 "a"'))[0]), '827e000161', 'a length too long';
is unpack('H*', (parse_frames('close unmasked 1000 "bye"'))[0]), '880503e8627965', 'a close';
is unpack('H*', (parse_frames('close unmasked'))[0]), '8800', 'an empty close';
is unpack('H*', (parse_frames('close unmasked body "\x03"'))[0]), '880103', 'a bad close';
is join('', map { unpack 'H*', $_ } parse_frames('ping unmasked "a & b" & bytes 82 00')), '890561202620628200', 'two';
is unpack('H*', (parse_frames('opcode 3 rsv 2 unmasked "x"'))[0]), 'a30178', 'an opcode of nobody';

for my $frame ('text "Hello"', 'binary more pattern(126)', 'binary pattern(65536)', 'close 1001 "x"') {
    my ($bytes) = parse_frames($frame);
    my $all = length $bytes;
    my $cut = substr $bytes, 0, $all - 1;
    is decode(\$cut), undef, "no $frame yet";
    $bytes .= 'rest';
    my $said = describe(decode(\$bytes));
    like $said, qr/^\Q@{[ (split ' ', $frame)[0] ]}\E .*masked/, $said;
    is $bytes, 'rest', 'what follows stays';
}

=== TEST 3: targets of every temper
--- targets
echo:    echoes
greeter: sends "RFB 003.008\n", echoes
five:    echoes 5 then closes
closer:  sends "bye" then closes
early:   closes
breaker: awaits "now" then resets
half:    sends "done" then half-closes, awaits end
late:    awaits end, sends "after the end", closes
waiter:  waits then sends "told" then closes
source:  streams 3_000_000, closes
small (rcvbuf 4096): pauses, swallows
six (ipv6): echoes
un (unix): echoes
down:    refuses then sends "up" then closes
hole:    never accepts
--- steps
use Digest::MD5 qw(md5_hex);
use Socket;

my $echo = stream($t, 'echo');
$echo->write('hello');
is $echo->read_until('echo', sub ($in) { length $$in == 5 && $$in }), 'hello', 'echo';
$t->target_gets('echo', 'hello');
$echo->end_writing;
is $echo->await_end, 'end', 'it ends when we do';
$t->target_sees('echo', 'end');

my $greeter = stream($t, 'greeter');
is $greeter->read_until('greeting', sub ($in) { $$in =~ /\n/ && $$in }), "RFB 003.008\n", 'it speaks first';
$greeter->reset;
$t->target_sees('greeter', 'reset');

my $five = stream($t, 'five');
$five->write('hello world');
is_deeply [ heard($five) ],               [ 'hello', 'end' ], 'five bytes and no more';
is_deeply [ heard(stream($t, 'closer')) ], [ 'bye', 'end' ], 'a last word';
is_deeply [ heard(stream($t, 'early')) ],  [ '', 'end' ], 'no word at all';

my $breaker = stream($t, 'breaker');
$breaker->write('now');
is_deeply [ heard($breaker) ], [ '', 'reset' ], 'a reset';

my $half = stream($t, 'half');
is_deeply [ heard($half) ], [ 'done', 'end' ], 'half closed';
$half->write('still here');
$t->target_gets('half', 'still here');
$half->close;

my $late = stream($t, 'late');
$late->end_writing;
is_deeply [ heard($late) ], [ 'after the end', 'end' ], 'it answers a half close';

my $waiter = stream($t, 'waiter');
$t->target_accepts('waiter', 1);
$t->targets->tell('waiter');
is_deeply [ heard($waiter) ], [ 'told', 'end' ], 'it does as it is told';

my ($all) = heard(stream($t, 'source'));
is md5_hex($all), WebsockifyTest::Util::pattern_md5(3_000_000), 'three million bytes of the pattern';

my $small = stream($t, 'small');
$t->target_accepts('small', 1);
my $taken = 0;
{ local $ENV{TEST_NGINX_TIMEOUT} = 0.1; eval { $small->write('x' x 20_000_000) } }
like $@, qr/timed out writing: \d+ of 20000000/, 'it takes only what the kernel takes';
$small->reset;

is $t->targets->address('six'), '[::1]:' . $t->targets->port('six'), 'an IPv6 address';
like $t->targets->address('un'), qr{^unix:/.*/un\.sock$}, 'a path';
ok !eval { stream($t, 'down'); 1 }, 'refused';
$t->targets->listen('down');
is_deeply [ heard(stream($t, 'down')) ], [ 'up', 'end' ], 'and then not';
is $t->targets->report('hole')->{accepted}, 0, 'nobody is accepted';

=== TEST 4: a dialogue, through nginx's own upgrade
The target is an HTTP server of one answer, which then echoes: the client sees its own masked frames.
--- targets
echo: awaits "\r\n\r\n", sends "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", echoes
--- config
location /websockify {
    proxy_pass http://%%echo%%;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
}
--- dialogue
client sends binary "Hello" & ping "x"
client gets binary masked "Hello"
client gets ping masked "x"
client sends byte by byte text "bytes"
client gets text masked "bytes"
client sends in pieces of 1000 binary pattern(2500)
client gets binary masked pattern(2500)
client sends close 1000 "bye"
client gets close masked 1000 qr/^bye$/
echo accepts 1
client ends
echo sees end
client sees end
--- target_connections
echo: 1

=== TEST 5: 100 MiB each way at once
--- targets
echo: awaits "\r\n\r\n", sends "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", echoes
--- config
location /websockify {
    proxy_pass http://%%echo%%;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
}
--- steps
my $size = 100 << 20;
my $result = $t->client->pump(send => $size, receive => $size);
is $result->{md5}, WebsockifyTest::Util::pattern_md5($size), "byte for byte";
note sprintf '%.1f s', $result->{seconds};

=== TEST 6: a refused target is 502, and its log line expected
--- targets
down: refuses
--- config
location / { proxy_pass http://%%down%%; }
--- request: GET /
--- error_code: 502
--- error_log
qr/\[error\] .*connect\(\) failed \(111: /

=== TEST 7: a target that never accepts is 504
--- targets
hole: never accepts
--- config
location / { proxy_pass http://%%hole%%; proxy_connect_timeout 100ms; }
--- request: GET /
--- error_code: 504
--- error_log: upstream timed out
--- target_connections
hole: 0

=== TEST 8: names come from the test's own name server
--- targets
web: awaits "\r\n\r\n", sends "HTTP/1.0 200 OK\r\n\r\nhello", closes
six (ipv6): awaits "\r\n\r\n", sends "HTTP/1.0 200 OK\r\n\r\nhello six", closes
--- dns
web.test    A 127.0.0.1
six.test    AAAA ::1
broken.test SERVFAIL
moves.test  ttl 0 A 127.0.0.1 then 127.0.0.9
mute.test   silent
--- config
resolver %%DNS%%; resolver_timeout 200ms;
location / { proxy_pass http://$arg_to; }
--- error_log eval
[ qr/gone.test could not be resolved \(3: Host not found\)/, qr/broken.test could not be resolved \(2: Server failure\)/,
  qr/mute.test could not be resolved \(110: Operation timed out\)/ ]
--- steps
my ($web, $six) = map { $t->targets->port($_) } qw(web six);
is $t->get("/?to=web.test:$web")->{body}, 'hello', 'A';
is $t->get("/?to=six.test:$six")->{body}, 'hello six', 'AAAA';
is $t->get("/?to=$_.test:$web")->{status}, 502, $_ for qw(gone broken mute);
is $t->get("/?to=moves.test:$web")->{body}, 'hello', 'an answer';
$t->targets->set_zone('late.test A 127.0.0.1');
is $t->get("/?to=late.test:$web")->{body}, 'hello', 'a changed zone';
ok +(grep { $_ eq 'A web.test' } $t->targets->questions), 'the questions are known';

=== TEST 9: reload
--- workers: 2
--- config
location / { return 200 "$pid"; }
--- steps
is scalar $t->nginx->workers, 2, 'two workers';
my $before = $t->get('/')->{body};
my @old = $t->nginx->reload;
is scalar @old, 2, 'two old ones';
$t->nginx->await_worker_end(@old);
isnt $t->get('/')->{body}, $before, 'a new worker answers';

=== TEST 10: one process
--- master_process: off
--- config
location / { return 200 "one"; }
--- request: GET /
--- response_body: one

=== TEST 11: TLS
--- tls
--- config
location / { return 200 "$scheme"; }
--- request: GET /
--- response_body: https

=== TEST 12: nginx -t and its one message
--- config
location / { root /a; root /b; }
--- emerg: "root" directive is duplicate

=== TEST 13: nginx -t that passes
--- config
location / { root /a; }
--- config_ok

=== TEST 14: nginx -t by pattern
--- http_config: nonsense 1;
--- must_die
--- error_log: unknown directive "nonsense"

=== TEST 15: a raw request, and SIGTERM
--- config
location / { return 204; }
--- raw_request eval
"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 204
--- stop_with: TERM

=== TEST 16: a wrong status fails
--- steps
inner_fails($t, <<'END', qr/got: '404'.*expected: '200'/s);
| === wrong
| --- config
| location /a { return 404; }
| --- request: GET /a
END

=== TEST 17: an unexpected line of [error] fails
--- steps
inner_fails($t, <<'END', qr/nothing in the error log that the block does not expect.*No such file/s);
| === wrong
| --- config
| location /a { root /nowhere; }
| --- request: GET /a
| --- error_code: 404
END

=== TEST 18: a session nginx does not end fails
--- steps
inner_fails($t, <<'END', qr/timed out after 1 s waiting for web to be left by nginx/, 1);
| === wrong
| --- targets
| web: pauses
| --- config
| location / { proxy_pass http://%%web%%; proxy_ignore_client_abort on; }
| --- steps
| my $c = $t->connect;
| $c->send_bytes("GET / HTTP/1.0\r\n\r\n");
| $t->target_accepts('web', 1);
END

=== TEST 19: an absent frame, line and byte fail, each saying what came instead
--- steps
inner_fails($t, <<'END', qr/client expected binary "b".*but got binary "a"/s);
| === wrong
| --- targets
| web: awaits "\r\n\r\n", sends "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x82\x01a", swallows
| --- config
| location / { proxy_pass http://%%web%%; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
| --- dialogue
| client gets binary "b"
END
inner_fails($t, <<'END', qr/timed out after 1 s waiting for the error log to have/, 1);
| === wrong
| --- steps
| $t->nginx->await_log(qr/never/);
END
inner_fails($t, <<'END', qr/timed out after 1 s waiting for web to get "x"; it has seen nothing/, 1);
| === wrong
| --- targets
| web: swallows
| --- steps
| $t->target_gets('web', 'x');
END

=== TEST 20: a worker that dies fails
--- steps
inner_fails($t, <<'END', qr/exited on signal 11/);
| === wrong
| --- steps
| kill 'SEGV', $t->nginx->workers;
| $t->nginx->await_log(qr/exited on signal/);
END

=== TEST 21: an nginx that does not start fails
--- steps
inner_fails($t, <<'END', qr/nginx did not start: .*unknown directive "nonsense"/);
| === wrong
| --- config: nonsense;
| --- request: GET /
END

=== TEST 22: a section nobody knows fails
--- steps
inner_fails($t, "| === wrong\n| --- no_such: 1\n", qr/no such section: --- no_such, in wrong/);

=== TEST 23: a request over HTTP/2
--- config
listen 127.0.0.1:%%H2_PORT%% http2;
location / { add_header Sec-WebSocket-Version 13 always; return 426 "no\n"; }
--- steps
use WebsockifyTest::Http2 qw(http2_get);
my %answer = map { @$_ } http2_get($t->connect(port => $t->port('H2_PORT'))->stream, '/', [ 'x-test', '1' ]);
is $answer{':status'}, 426, 'status';
is $answer{'sec-websocket-version'}, 13, 'a header';
like $answer{server}, qr{^nginx/}, 'server';
