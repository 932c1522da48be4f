# BEHAVIOUR.md section 2: frames from the client, and bytes from the target.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Util qw(await unread unsent);

defaults(
    targets => 'vnc: swallows',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# A session of the base64 subprotocol.
sub base64_client ($t) { $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: base64') }

# Each of the lists of frames, sent on a connection of its own after "ok", ends it with this close code.
sub all_closed ($t, $code, $headers, @frames) {
    for my $frames (@frames) {
        my $client = $t->client('/websockify', headers => $headers);
        $client->send($frames);
        ok eval { $client->expect("close $code qr/./") }, "$code: $frames" or diag $@;
        $client->close;
    }
}

__DATA__

=== TEST 1: binary or text frame: its payload goes to the target
--- dialogue
client sends binary "hello" & text "world" & binary "" & text "\xff\x00\xfe"
vnc gets "helloworld\xff\x00\xfe"

=== TEST 2: every form of length, at its edges
--- steps
my ($client, $all) = ($t->client, '');
for my $size (0, 1, 125, 126, 127, 65_534, 65_535, 65_536, 100_000) {
    $client->send("binary pattern($size)");
    $all .= pattern($size);
}
$t->target_gets('vnc', $all);
pass 'all of them';

=== TEST 3: every masking key, and payloads of every length modulo the mask
--- steps
my ($client, $all) = ($t->client, '');
for my $mask (qw(00000000 ffffffff 01020304 80000001)) {
    for my $size (0 .. 17, 31 .. 33, 63 .. 65) {
        $client->send("binary mask $mask pattern($size)");
        $all .= pattern($size);
    }
}
$t->target_gets('vnc', $all);
pass 'all of them';

=== TEST 4: payload goes on as it arrives, never waiting for a whole frame
--- steps
my $client = $t->client;
my ($frame) = WebsockifyTest::Frame::parse_frames('binary "Hello"');
$client->send_bytes(substr $frame, 0, 8);
$t->target_gets('vnc', 'He');
$client->send_bytes(substr $frame, 8, 1);
$t->target_gets('vnc', 'Hel');
$client->send_bytes(substr $frame, 9);
$t->target_gets('vnc', 'Hello');
pass 'in three pieces';

=== TEST 5: any size up to 2^63-1: a frame that declares it is served as it comes
--- dialogue
client sends binary declares 9223372036854775807 "the first bytes of many"
vnc gets "the first bytes of many"
client ends
vnc sees end

=== TEST 6: every split of frames of each kind
--- dialogue
client sends byte by byte text "Hel" & ping "x" & binary pattern(130) & pong "y" & text more "a" & continuation "b"
client gets pong "x"
vnc gets "Hel" . pattern(130) . "ab"
client sends byte by byte close 1000 "bye"
client gets close 1000 qr/^(bye)?$/

=== TEST 7: fragments, and control frames between them
--- targets
vnc: awaits 5, sends "five", swallows
--- dialogue
client sends binary more "Hel" & ping "between" & continuation more "" & continuation "lo"
client gets pong "between"
client gets binary "five"
vnc gets "Hello"

=== TEST 8: controls are answered at once, in the middle of a message too
--- dialogue
client sends text more "Hel"
client sends ping "now"
client gets pong "now"
client sends continuation "lo"
vnc gets "Hello"

=== TEST 9: ten pings, ten pongs, in order
--- dialogue
client sends ping "0" & ping "1" & ping "2" & ping "3" & ping "4" & ping "5" & ping "6" & ping "7" & ping "8" & ping "9"
client gets pong "0"
client gets pong "1"
client gets pong "2"
client gets pong "3"
client gets pong "4"
client gets pong "5"
client gets pong "6"
client gets pong "7"
client gets pong "8"
client gets pong "9"

=== TEST 10: a ping without payload, and one of the longest
--- dialogue
client sends ping
client gets pong
client sends ping pattern(125)
client gets pong pattern(125)

=== TEST 11: a ping on an idle session, before any data
--- dialogue
client sends ping "idle"
client gets pong "idle"
client sends byte by byte ping "slow"
client gets pong "slow"

=== TEST 12: ping while the target does not take data
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- dialogue
client sends binary pattern(1000) & ping "anyone"
client gets pong "anyone"
vnc is told
vnc gets pattern(1000)

=== TEST 13: at most 16 pongs are owed, beyond that the newest are kept
Of a thousand pings in a row the pongs come in order, the last sixteen for certain.
--- steps
my $client = $t->client;
$client->send(join ' & ', map { qq(ping "$_") } 1 .. 1000);
my @pongs;
until (@pongs && $pongs[-1] == 1000) {
    my $frame = $client->frame or last;
    is $frame->{opcode}, 10, 'a pong' if $frame->{opcode} != 10;
    push @pongs, $frame->{payload};
}
is_deeply \@pongs, [ sort { $a <=> $b } @pongs ], 'in order: ' . @pongs;
is_deeply [ @pongs[ -16 .. -1 ] ], [ 985 .. 1000 ], 'the newest sixteen';

=== TEST 14: pongs are owed, not lost, while the client does not read
--- targets
vnc: waits, streams 8_000_000, swallows
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
$client->stream->{reading} = 0;
$t->target_accepts('vnc', 1);
$t->targets->tell('vnc');
$t->await('vnc', 'fill what is between', sub ($report) { $report->{connections}[0]{sent} > 100_000 });
$client->send('ping "here"');
$client->stream->{reading} = 1;
my ($got, $pong) = (0, 0);
while (!$pong) {
    my $frame = $client->frame or last;
    $frame->{opcode} == 10 ? $pong = $frame->{payload} : ($got += length $frame->{payload});
}
is $pong, 'here', "the pong came after $got bytes";

=== TEST 15: pong: ignored
--- dialogue
client sends pong "nobody asked" & pong & binary "on"
vnc gets "on"
client sends ping "still"
client gets pong "still"

=== TEST 16: unmasked frame: close 1002, reason naming the fault, log at `info`
--- dialogue
client sends binary "before" & binary unmasked "Hello"
client gets close 1002 qr/mask/
client sees end
vnc gets "before"
vnc sees end
--- error_log
qr/\[info\] .*client sent unmasked frame/

=== TEST 17: RSV bit: close 1002
--- dialogue
client sends binary rsv 4 "Hello"
client gets close 1002 qr/./
client sees end
--- error_log
qr/\[info\] .*client sent .*(?:RSV|rsv|reserved)/

=== TEST 18: unknown opcode: close 1002
--- dialogue
client sends opcode 3 "Hello"
client gets close 1002 qr/opcode/
client sees end
--- error_log
qr/\[info\] .*client sent .*opcode/

=== TEST 19: every protocol fault: close 1002
--- steps
all_closed($t, 1002, '',
    'binary unmasked "x"', 'ping unmasked "x"', 'close unmasked 1000',
    (map { "binary rsv $_ \"x\"" } 1, 2, 3, 7), 'ping rsv 1 "x"', 'text more "x" & continuation rsv 4 "y"',
    (map { "opcode $_ \"x\"" } 3 .. 7, 11 .. 15),
    'ping more "x"', 'pong more "x"', 'close more 1000',
    'ping pattern(126)', 'pong pattern(126)', 'close body "\x03\xe8" . "x" x 124', 'ping length64 pattern(65536)',
    'binary length16 ""', 'binary length16 pattern(125)', 'binary length64 pattern(125)', 'binary length64 pattern(65535)',
    'binary declares 9223372036854775808 ""', 'binary declares 18446744073709551615 ""',
    'continuation "x"', 'continuation more "x"', 'binary "x" & continuation "y"', 'text more "x" & continuation "y" & continuation "z"',
    'text more "x" & text "y"', 'text more "x" & binary "y"', 'binary more "x" & pong & binary more "y"',
    'close body "\x03"');

=== TEST 20: the fault is named as soon as it can be known
Each header's first two bytes are enough, whatever else it announces.
--- steps
for my $bytes ('82 05', 'C2 85', '83 85', '09 80', '89 FE', '80 80') {
    my $client = $t->client;
    $client->send("bytes $bytes");
    ok eval { $client->expect('close 1002 qr/./') }, "bytes $bytes" or diag $@;
    $client->close;
}

=== TEST 21: close code other than 1000 to 1003, 1007 to 1014 and 3000 to 4999: close 1002
--- steps
all_closed($t, 1002, '', map { "close $_ \"x\"" } 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535);

=== TEST 22: close: echoed with its code
--- steps
for my $code (1000 .. 1003, 1007 .. 1014, 3000, 3999, 4000, 4401, 4999) {
    my $client = $t->client;
    $client->send("close $code \"x\"");
    ok eval { $client->expect("close $code qr/^x?\$/"); $client->saw_end eq 'end' }, "code $code" or diag $@;
    $client->close;
}

=== TEST 23: close reason not UTF-8: 1007
--- steps
all_closed($t, 1007, '', map { "close 1000 \"$_\"" }
    '\xff', 'a\x80', '\xc0\x80', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xc3', 'ok \xe2\x82');

=== TEST 24: a close reason in UTF-8, of the greatest length
--- dialogue
client sends close 1000 "\xe2\x82\xac" x 41
client gets close 1000 qr/^(\xe2\x82\xac)*$/
client sees end

=== TEST 25: what was received before a fault is delivered
--- dialogue
client sends binary more "all " & continuation "of it" & binary length16 "x"
client gets close 1002 qr/./
vnc gets "all of it"
vnc sees end

=== TEST 26: base64 subprotocol: text messages in both directions
--- targets
vnc: echoes
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends text "aGVsbG8="
client gets text "aGVsbG8="
client sends text "d29ybGQ="
client gets text "d29ybGQ="
vnc gets "helloworld"

=== TEST 27: base64: decoding starts afresh with each message, in one packet too
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends text "YQ==" & text "YWI=" & text "YWJj" & text "" & text "YQ=="
vnc gets "aababca"

=== TEST 28: base64: fragments and pieces of one message may split a group
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends text more "a" & continuation more "GV" & ping "x" & continuation more "" & continuation "sbG8="
client gets pong "x"
vnc gets "hello"
client sends text more "d29ybGQ" & continuation "="
vnc gets "world"

=== TEST 29: base64: every split by nginx's reads
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends byte by byte text "aGVsbG8=" & text "d29y" & text more "bG" & continuation "Q="
vnc gets "hellowor" . "ld"

=== TEST 30: base64: white space, the URL-safe alphabet, data after padding, or a length not a multiple of 4: 1007
--- steps
all_closed($t, 1007, 'Sec-WebSocket-Protocol: base64', map { "text $_" }
    '"aGVs bG8="', '"aGVsbG8=\n"', '"-_-_"', '"YQ==YQ=="', '"YQ=a"', '"Y==="', '"===="', '"YQ"', '"YQ="', '"Y"', '"YWJjY"',
    '"YWJ\x00"', '"YWJ\xff"', 'more "YQ==" & continuation "YQ=="', 'more "YQ" & continuation ""', 'more "YQ==" & continuation "="');

=== TEST 31: base64: the log at `info`, and what was right before it is delivered
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends text "aGVsbG8="
vnc gets "hello"
client sends text "!!!!"
client gets close 1007 qr/./
client sees end
vnc sees end
--- error_log
qr/\[info\] .*client sent .*base64/

=== TEST 32: base64: outbound pads at once and holds no byte back
--- targets
vnc: sends "a", awaits "1", sends "ab", awaits "2", sends "abc", awaits "3", sends "abcd", swallows
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client gets text "YQ=="
client sends text "MQ=="
client gets text "YWI="
client sends text "Mg=="
client gets text "YWJj"
client sends text "Mw=="
client gets text "YWJjZA=="

=== TEST 33: base64: every byte, and a lot of them
--- targets
vnc: echoes
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client sends text MIME::Base64::encode_base64(pattern(300_000), '')
client gets base64 pattern(300_000)

=== TEST 34: from the target: bytes, as binary frames, one for each read
--- targets
vnc: sends "one", awaits 1, sends "two", awaits 1, sends "\x00\xff", swallows
--- dialogue
client gets binary "one"
client sends binary "1"
client gets binary "two"
client sends binary "2"
client gets binary "\x00\xff"

=== TEST 35: from the target: pieces of every form of length
--- targets
vnc: awaits 1, sends pattern(125), awaits 1, sends pattern(126), awaits 1, sends pattern(65535), awaits 1, sends pattern(65536), awaits 1, sends pattern(200_000), swallows
--- dialogue
client sends binary "1"
client gets binary pattern(125)
client sends binary "2"
client gets binary pattern(126)
client sends binary "3"
client gets binary pattern(65535)
client sends binary "4"
client gets binary pattern(65536)
client sends binary "5"
client gets binary pattern(200_000)

=== TEST 36: a small buffer for large frames
--- config
location /websockify { websockify_pass %%vnc%%; websockify_buffer_size 4k; }
--- targets
vnc: echoes
--- dialogue
client sends binary pattern(100_000)
client gets binary pattern(100_000)
vnc gets pattern(100_000)

=== TEST 37: nothing of what is sent is in the logs
--- log_level: info
--- dialogue
client sends binary "secret payload"
vnc gets "secret payload"
client sends binary unmasked "secret payload"
client gets close 1002 qr/./
--- no_error_log
secret
dGhlIHNhbXBsZSBub25jZQ==

=== TEST 38: ping while the target takes nothing: those within the bytes already read are answered, in order
Frames and pings in turn, until nginx reads no more. What of it has left the kernel, nginx has read.
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_send_timeout 1h; }
--- steps
my $client = $t->client;
my $pair   = sub ($n) { join '', WebsockifyTest::Frame::parse_frames("binary mask 00000000 pattern(10_000) & ping pack('N', $n)") };
my $size   = length $pair->(0);
my $stream = $client->stream;
my $taken  = $stream->write_until_full(join('', map { $pair->($_) } 1 .. 3000), 1);
cmp_ok $taken, '<', 3000 * $size, "the target is full: $taken bytes were taken";
my ($here, $there) = $stream->_ports;
my $read;
await 'a pong for each ping that nginx has read', sub {
    $stream->turn(0, 0.1);
    $read = int(($taken - unread($there, $here) - unsent($here, $there)) / $size);
    return $read && length $stream->{in} == 6 * $read;
};
is $stream->{in}, join('', map { "\x8a\x04" . pack 'N', $_ } 1 .. $read), "$read pongs";
$t->targets->tell('vnc');
