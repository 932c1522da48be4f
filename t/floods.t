# A flood costs bounded memory, and the other sessions nothing: "A protocol fault, a slow or a malicious peer never costs
# another session anything: memory a tunnel is bounded by its two buffers, whatever is declared" (BEHAVIOUR.md section 2).

use v5.36;
use lib 't/lib';
use POSIX ();
use Time::HiRes qw(time);
use WebsockifyTest;
use WebsockifyTest::Frame qw(encode);
use WebsockifyTest::Proc qw(memory_of);
use WebsockifyTest::Util qw(await pattern_md5 readable slurp unread);

use constant {
    GROWS => 3_000_000,    # bytes: a few buffers, and what the allocator keeps
    WAITS => 3,            # seconds: another session's echo, on a machine that has other things to do
};

defaults(
    targets => "flooded: swallows\nvnc: echoes",
    config  => <<~'END',
        location /websockify { websockify_pass %%vnc%%; }
        location /flooded    { websockify_pass %%flooded%%; }
        END
);
run_tests;

# The same frame, many times over.
sub frames ($count, %frame) { encode(mask => "\0\0\0\0", %frame) x $count }

# Clients that send `$bytes` and then ask for a last pong, each in a process of its own; meanwhile another session is
# used, and the worker's memory looked at. `$deaf` ones do not read until all is sent.
sub withstands ($t, $bytes, %how) {
    my ($worker) = $t->nginx->workers;
    my $other   = $t->client;
    my @flooder = map { $t->client('/flooded', %{ $how{client} // {} }) } 1 .. $how{clients} // 1;
    my $before  = memory_of($worker);
    my @child   = map { _flood($_, $bytes, $how{deaf}) } @flooder;

    my ($slowest, $most, $echoes, @running) = (0, 0, 0, @child);
    while (@running) {
        my $asked = time;
        $other->send('binary "still there"');
        $other->expect('binary "still there"');
        my $took = time - $asked;
        $slowest = $took if $took > $slowest;
        $echoes++;
        my $memory = memory_of($worker) - $before;
        $most = $memory if $memory > $most;
        @running = grep { !readable($_->{said}, 0.002) } @running;
    }
    for my $child (@child) {
        my $said = do { local $/; readline $child->{said} };
        waitpid $child->{pid}, 0;
        is $said, 'done', 'the flood went through';
    }
    cmp_ok $most, '<', $how{grows} // GROWS, "$most bytes more";
    cmp_ok $slowest, '<', WAITS, sprintf 'another session waits %.0f ms at most, in %d echoes', 1000 * $slowest, $echoes;
}

sub _flood ($client, $bytes, $deaf) {
    my $pid = open my $said, '-|' // die "fork: $!";
    return { said => $said, pid => $pid } if $pid;
    print eval { _pour($client, $bytes, $deaf); 1 } ? 'done' : $@;
    STDOUT->flush;
    POSIX::_exit(0);
}

sub _pour ($client, $bytes, $deaf) {
    my $stream = $client->stream;
    if ($deaf) {
        $stream->{reading} = 0;
        my $taken = $stream->write_until_full($bytes, 1);
        $stream->{reading} = 1;
        substr $bytes, 0, $taken, '';
    }
    $bytes .= encode(opcode => 9, payload => 'last', mask => "\0\0\0\0");
    # What comes is looked at only for the last pong; `write` and `read_until` both read.
    for (my $at = 0; $at < length $bytes; $at += 1 << 20) {
        $stream->write(substr $bytes, $at, 1 << 20);
        substr $stream->{in}, 0, -6, '' if length $stream->{in} > 6;
    }
    $stream->read_until('the last pong', sub ($in) {
        return 1 if $$in =~ /\x8a\x04last\z/;
        substr $$in, 0, -6, '' if length $$in > 1 << 20;
        return 0;
    }) or die "the stream ended: $stream->{ended}\n";
}

# The target has had `$size` bytes of the pattern, or none.
sub flooded_gets ($t, $size) {
    my $got = $t->await('flooded', 'receive it', sub ($report) { my $c = $report->{connections}[0]; $c->{size} >= $size && $c });
    is $got->{size}, $size, "the target has had $size bytes";
    is $got->{md5}, pattern_md5($size), 'byte for byte';
}

__DATA__

=== TEST 1: pings, 100,000 of the greatest
--- steps
withstands($t, frames(100_000, opcode => 9, payload => pattern(125)));
flooded_gets($t, 0);

=== TEST 2: pings of one who does not read the pongs
--- steps
withstands($t, frames(100_000, opcode => 9, payload => pattern(125)), deaf => 1, client => { rcvbuf => 4096 });

=== TEST 3: pongs, a million empty ones and 100,000 of the greatest
--- steps
withstands($t, frames(1_000_000, opcode => 10) . frames(100_000, opcode => 10, payload => pattern(125)));
flooded_gets($t, 0);

=== TEST 4: a million empty messages, and a message of a million empty fragments
--- steps
my $fragments = frames(1, opcode => 1, fin => 0) . frames(1_000_000, opcode => 0, fin => 0) . frames(1, opcode => 0);
withstands($t, frames(1_000_000, opcode => 2) . $fragments);
flooded_gets($t, 0);

=== TEST 5: a message of a million fragments of one byte
--- steps
my $tail  = pattern(999_999, 1) =~ s/(.)/\x00\x81\0\0\0\0$1/gsr;
withstands($t, encode(opcode => 2, fin => 0, mask => "\0\0\0\0", payload => pattern(1)) . $tail . frames(1, opcode => 0));
flooded_gets($t, 1_000_000);

=== TEST 6: 200,000 fragments of one byte, of base64
--- steps
my $text  = MIME::Base64::encode_base64(pattern(150_000), '');
my $tail  = substr($text, 1) =~ s/(.)/\x00\x81\0\0\0\0$1/gsr;
withstands($t, "\x01\x81\0\0\0\0" . substr($text, 0, 1) . $tail . frames(1, opcode => 0),
    client => { headers => 'Sec-WebSocket-Protocol: base64' });
flooded_gets($t, 150_000);

=== TEST 7: twenty at once, of everything
--- steps
my @all = (frames(20, opcode => 9, payload => 'x'), frames(20, opcode => 10), frames(20, opcode => 2),
    frames(20, opcode => 2, payload => 'x'), frames(1, opcode => 2, fin => 0) . frames(20, opcode => 0, fin => 0) . frames(1, opcode => 0));
withstands($t, join('', @all) x 1_000, clients => 20, grows => 20 * 200_000 + GROWS);

=== TEST 8: a turn is as short for small frames as for large ones
Each flood is in nginx's sockets before nginx may go on, and ends with a fault; another client's fault comes last, and is
seen first: no flood is read to its end in one turn.
--- config
listen 127.0.0.1:%%LARGE_PORT%% rcvbuf=200k;
websockify_buffer_size 4k;
location /websockify { websockify_pass %%vnc%%; }
location /flooded    { websockify_pass %%flooded%%; }
--- steps
my ($worker) = $t->nginx->workers;
my @flooder  = map { $t->client('/flooded', port => $t->port('LARGE_PORT')) } 1 .. 5;
my $other    = $t->client;
kill 'STOP', $worker;
await 'nginx to stop', sub { slurp("/proc/$worker/stat") =~ /\) T / };
my $flood = frames(25_000, opcode => 2) . (WebsockifyTest::Frame::parse_frames('binary unmasked "x"'))[0];
for my $client (@flooder) {
    $client->send_bytes($flood);
    my ($here, $there) = $client->stream->_ports;
    await 'the flood to arrive', sub { unread($there, $here) == length $flood };
}
$other->send('binary unmasked "x"');
kill 'CONT', $worker;
$_->expect('close 1002 qr/mask/') for $other, @flooder;
my @order = $t->nginx->error_log =~ /client sent unmasked frame .* request: "GET (\S+)/g;
is $order[0], '/websockify', "first of @order";
