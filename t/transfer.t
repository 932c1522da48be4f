# Much through the tunnel, byte for byte, in every cut.

use v5.36;
use lib 't/lib';
use Digest::MD5 qw(md5_hex);
use MIME::Base64 qw(encode_base64);
use WebsockifyTest;
use WebsockifyTest::Frame qw(encode parse_frames);
use WebsockifyTest::Util qw(pattern_md5);

use constant MIB => 1 << 20;

defaults(
    targets => 'vnc: echoes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# `$size` bytes up through `$path`, which the target has to have received.
sub uploads ($t, $client, $size, %how) {
    my $result = $client->pump(send => $size, %how);
    my $got = $t->await('vnc', "receive $size bytes", sub ($report) {
        my $c = $report->{connections}[-1];
        return $c && $c->{size} >= $size && $c;
    });
    is $got->{size}, $size, 'no byte more';
    is $got->{md5}, pattern_md5($size), 'byte for byte';
    note sprintf '%.0f MB/s', $size / 1e6 / $result->{seconds};
}

sub echoes ($t, $client, $size, %how) {
    my $result = $client->pump(send => $size, receive => $size, %how);
    is $result->{received}, $size, 'no byte more';
    is $result->{md5}, pattern_md5($size), 'byte for byte';
    note sprintf '%.0f MB/s', $size / 1e6 / $result->{seconds};
}

__DATA__

=== TEST 1: the original's "big packet": a 65,535-byte frame
--- dialogue
client sends binary "0" x 65535 & binary "0"
client gets binary "0" x 65536

=== TEST 2: 1 MiB in one frame
--- dialogue
client sends binary pattern(1 << 20)
client gets binary pattern(1 << 20)

=== TEST 3: 100 MiB up
--- targets
vnc: swallows
--- steps
uploads($t, $t->client, 100 * MIB, frame => 65536);

=== TEST 4: 100 MiB up in one frame
--- targets
vnc: swallows
--- steps
my $client = $t->client;
$client->send_bytes("\x82\xff" . pack('Q>', 100 * MIB) . "\0\0\0\0");
$client->send_bytes(pattern(MIB, $_ * MIB)) for 0 .. 99;
my $got = $t->await('vnc', 'receive it', sub ($report) { my $c = $report->{connections}[0]; $c->{size} >= 100 * MIB && $c });
is $got->{md5}, pattern_md5(100 * MIB), 'byte for byte';

=== TEST 5: 100 MiB down
--- targets
vnc: streams 100 * 1024 * 1024, closes
--- steps
my $client = $t->client;
my $result = $client->pump(receive => 100 * MIB);
is $result->{md5}, pattern_md5(100 * MIB), 'byte for byte';
$client->expect('close 1000 "target closed"');

=== TEST 6: 100 MiB each way at once
--- steps
echoes($t, $t->client, 100 * MIB, frame => 65536);

=== TEST 7: both directions at once, neither the other's echo
--- targets
vnc: streams 30_000_000, swallows
--- steps
my $client = $t->client;
my $result = $client->pump(send => 30_000_000, receive => 30_000_000, frame => 10_000);
is $result->{md5}, pattern_md5(30_000_000), 'down';
my $got = $t->await('vnc', 'receive it', sub ($report) { my $c = $report->{connections}[0]; $c->{size} >= 30_000_000 && $c });
is $got->{md5}, pattern_md5(30_000_000), 'up';

=== TEST 8: frames of many sizes, none of them a buffer's
--- targets
vnc: swallows
--- steps
uploads($t, $t->client, 1_000_000, frame => 127);
uploads($t, $t->client, 5_000_000, frame => 4_093);
uploads($t, $t->client, 20_000_000, frame => 65_537);
uploads($t, $t->client, 20_000_000, frame => 999_983);

=== TEST 9: small frames in great number
--- steps
echoes($t, $t->client, 2_000_000, frame => 64);

=== TEST 10: frames of one byte
--- steps
echoes($t, $t->client, 50_000, frame => 1);

=== TEST 11: byte by byte
--- dialogue
client sends byte by byte binary "h" & text "ello" & binary length16 pattern(126) & binary ""
client gets binary "hello" . pattern(126)
vnc gets "hello" . pattern(126)

=== TEST 12: pieces that end in every place of a header, and the payload's masking goes on
--- steps
my $client = $t->client;
my $frames = join '', map { parse_frames("binary pattern($_)") } 200, 3, 70_000, 1, 126;
my $all    = join '', map { pattern($_) } 200, 3, 70_000, 1, 126;
for my $size (7, 13, 4093) {
    my $bytes = $frames;
    $client->send_bytes_in_pieces($size, substr $bytes, 0, 3000, '');
    $client->send_bytes($bytes);
    $client->expect('binary ' . join ' . ', map { "pattern($_)" } 200, 3, 70_000, 1, 126);
}
$t->target_gets('vnc', $all x 3);
pass 'each time the same';

=== TEST 13: many frames in one packet
--- steps
my $client = $t->client;
$client->send(join ' & ', map { "binary \"$_,\"" } 1 .. 2000);
my $all = join '', map { "$_," } 1 .. 2000;
$client->expect("binary '$all'");
$t->target_gets('vnc', $all);
pass 'two thousand';

=== TEST 14: empty frames in great number cost nothing but themselves
--- dialogue
client sends bytes "\x82\x80abcd" x 100_000 & binary "after them"
client gets binary "after them"
vnc gets "after them"

=== TEST 15: one message of many fragments
--- steps
my $client = $t->client;
my $bytes = join '', map { encode(opcode => $_ ? 0 : 2, fin => $_ == 999, payload => pattern(1000, $_ * 1000)) } 0 .. 999;
$client->send_bytes($bytes);
$client->expect('binary pattern(1_000_000)');
$t->await('vnc', 'get it', sub ($report) { $report->{connections}[0]{md5} eq pattern_md5(1_000_000) });
pass 'a thousand';

=== TEST 16: 10 MiB of base64 both ways
--- steps
my $client = $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: base64');
echoes($t, $client, 10 * MIB, frame => 50_000,
    encode => sub ($bytes) { encode(opcode => 1, payload => encode_base64($bytes, '')) },
    decode => sub ($text) { MIME::Base64::decode_base64($text) });

=== TEST 17: base64 of frames whose pieces end anywhere
--- targets
vnc: swallows
--- steps
my $client = $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: base64');
uploads($t, $client, 3_000_000, frame => 99_991,
    encode => sub ($bytes) { encode(opcode => 1, payload => encode_base64($bytes, '')) });

=== TEST 18: 10 MiB through buffers of 4k
--- config
location /websockify { websockify_pass %%vnc%%; websockify_buffer_size 4k; }
--- steps
echoes($t, $t->client, 10 * MIB, frame => 65536);

=== TEST 19: buffers of 1k, and base64
--- config
location /websockify { websockify_pass %%vnc%%; websockify_buffer_size 1k; }
--- steps
my $client = $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: base64');
echoes($t, $client, MIB, frame => 5_000,
    encode => sub ($bytes) { encode(opcode => 1, payload => encode_base64($bytes, '')) },
    decode => sub ($text) { MIME::Base64::decode_base64($text) });

=== TEST 20: a target that takes little at a time
--- targets
vnc (rcvbuf 4096): sips 1000, swallows
--- steps
uploads($t, $t->client, 5_000_000);

=== TEST 21: a target that stops for a while, in the middle of frames
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- steps
my $client = $t->client;
my $bytes  = join '', map { encode(opcode => 2, payload => pattern(65_521, $_ * 65_521)) } 0 .. 299;
my $taken  = $client->stream->write_until_full($bytes);
$t->targets->tell('vnc');
$client->send_bytes(substr $bytes, $taken);
my $size = 300 * 65_521;
my $got = $t->await('vnc', 'receive it', sub ($report) { my $c = $report->{connections}[0]; $c->{size} >= $size && $c });
is $got->{md5}, pattern_md5($size), 'byte for byte';

=== TEST 22: pings among the data are answered, in order
--- steps
my $client = $t->client;
my $bytes  = join '', map { encode(opcode => 2, payload => pattern(1000, $_ * 1000)), $_ % 100 ? '' : encode(opcode => 9, payload => $_) } 0 .. 999;
$client->send_bytes($bytes);
my ($all, @pongs) = ('');
while (length $all < 1_000_000 || @pongs < 10) {
    my $frame = $client->frame;
    $frame->{opcode} == 10 ? push @pongs, $frame->{payload} : ($all .= $frame->{payload});
}
is_deeply \@pongs, [ map { $_ * 100 } 0 .. 9 ], 'ten pongs';
is md5_hex($all), pattern_md5(1_000_000), 'all the data';

=== TEST 23: fifty sessions at once, each its own bytes
--- steps
my @clients = map { $t->client } 1 .. 50;
my @bytes   = map { pattern(20_000, $_ * 777) } 1 .. 50;
$clients[$_]->send_bytes(encode(opcode => 2, payload => $bytes[$_])) for 0 .. 49;
my $right = 0;
for my $n (0 .. 49) {
    my $got = '';
    $got .= $clients[$n]->frame->{payload} while length $got < 20_000;
    $right++ if $got eq $bytes[$n];
}
is $right, 50, 'all right';
