# Long downloads over plain connections go through a pipe of the kernel's, see crates/tunnel/src/unseen.rs: in frames that
# are longer than the buffer, byte for byte, to the last one. Where that is not possible, or not good for the client, they
# go through the buffer.

use v5.36;
use lib 't/lib';
use List::Util qw(max);
use MIME::Base64 qw(decode_base64);
use WebsockifyTest;
use WebsockifyTest::Proc qw(descriptors_of);
use WebsockifyTest::Util qw(await pattern_md5);

use constant {
    SIZE    => 20_000_000,
    BUFFER  => 49_152,
    LONGEST => 262_144,
};

defaults(
    targets => 'vnc: streams 20_000_000, closes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# Downloads all of it, and returns the longest frame.
sub longest ($t, $client = $t->client, $size = SIZE) {
    my @sizes;
    my $result = $client->pump(receive => $size, decode => sub ($payload) { push @sizes, length $payload; $payload });
    is $result->{md5}, pattern_md5($size), 'byte for byte';
    my $longest = max @sizes;
    note scalar(@sizes), " frames, the longest of $longest bytes";
    return $longest;
}

sub is_piped  ($longest) { cmp_ok $longest, '>', BUFFER, 'through a pipe'; cmp_ok $longest, '<=', LONGEST, 'a short one' }
sub is_copied ($longest, $most = BUFFER) { cmp_ok $longest, '<', $most, 'through the buffer' }

__DATA__

=== TEST 1: a long download
--- steps
my $client = $t->client;
is_piped(longest($t, $client));
$client->expect('close 1000 "target closed"');

=== TEST 2: a target behind a Unix socket
--- targets
vnc (unix): streams 20_000_000, closes
--- steps
my $client = $t->client;
longest($t, $client);
$client->expect('close 1000 "target closed"');

=== TEST 3: TLS: the bytes have to be seen
--- tls
--- steps
is_copied(longest($t));

=== TEST 4: small buffers: so are the frames
--- config
location /websockify { websockify_pass %%vnc%%; websockify_buffer_size 16k; }
--- steps
is_copied(longest($t), 16_384);

=== TEST 5: base64: the bytes have to be seen
--- targets
vnc: streams 2_000_000, closes
--- steps
my $client = $t->client('/websockify', headers => 'Sec-WebSocket-Protocol: base64');
my @sizes;
my $result = $client->pump(receive => 2_000_000, decode => sub ($text) { push @sizes, length $text; decode_base64($text) });
is $result->{md5}, pattern_md5(2_000_000), 'byte for byte';
is_copied(max @sizes);

=== TEST 6: the target ends, or breaks, with bytes in the pipe
--- targets
vnc: streams 3_000_000, closes
broken: streams 3_000_000, awaits 1, resets
--- config
location /websockify { websockify_pass %%vnc%%; }
location /broken     { websockify_pass %%broken%%; }
--- steps
for my $client (map { $t->client('/websockify', rcvbuf => 4096) } 1 .. 10) {
    longest($t, $client, 3_000_000);
    $client->expect('close 1000 "target closed"');
}
my $client = $t->client('/broken');
longest($t, $client, 3_000_000);
$client->send('binary "x"');
$client->expect('close 1011 "target reset the connection"');
--- error_log
qr/\[error\] .*(?:recv|splice)\(\) failed \(104: /

=== TEST 7: a client that leaves in the midst: the pipe is not used again with what is left in it
--- targets
vnc: streams 20_000_000, swallows
--- steps
my ($worker) = $t->nginx->workers;
my $before = descriptors_of($worker);
for (1 .. 40) {
    my $client = $t->client('/websockify', rcvbuf => 4096);
    $client->pump(receive => 3_000_000 + $_ * 10_000);
    $_ % 2 ? $client->reset : $client->close;
}
longest($t) for 1 .. 3;
$_->close for splice $t->{clients}->@*;
# A worker keeps 16 pipes, of two descriptors each.
await 'descriptors to be closed', sub { descriptors_of($worker) <= $before + 32 };

=== TEST 8: more clients than there are pipes, none of which reads
--- targets
vnc: streams 20_000_000, swallows
--- steps
my @clients = map { $t->client('/websockify', rcvbuf => 4096) } 1 .. 24;
$_->stream->{reading} = 0 for @clients;
$t->await('vnc', 'be held up', sub ($report) { (grep { $_->{sent} > 1_000_000 } $report->{connections}->@*) == @clients });
longest($t);
$_->stream->{reading} = 1 for @clients;
longest($t, $_) for @clients[0 .. 3];

=== TEST 9: what the client is asked comes between frames
--- targets
vnc: streams 20_000_000, echoes
--- steps
my $client = $t->client;
$client->send('ping "alive"') for 1 .. 3;
my ($data, $pongs) = (0, 0);
while ($data < SIZE || $pongs < 3) {
    my $frame = $client->frame;
    $frame->{opcode} == 10 ? $pongs++ : ($data += length $frame->{payload});
}
is $data, SIZE, 'all of it';
is $pongs, 3, 'and three pongs';
