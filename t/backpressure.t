# "Room is the backpressure": either side may stop reading for minutes, timeouts permitting (t/defaults.t has those). nginx's
# memory then does not grow, its processor's time stands still, the other sessions do not notice, and all goes on where it
# stopped.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(sleep time);
use WebsockifyTest;
use WebsockifyTest::Frame qw(encode);
use WebsockifyTest::Hand;
use WebsockifyTest::Proc qw(memory_of seconds_of);
use WebsockifyTest::Util qw(await pattern_md5);

use constant {
    SIZE   => 48_000_000,    # more than all that is between can hold: the kernel gives a connection up to 32 MB of room
    GROWS  => 3_000_000,     # what a few buffers, and the allocator, may take
    WORKS  => 0.1,           # seconds of the processor meanwhile
    WAITS  => 5,             # seconds, 60 of nginx's in each
};

defaults(
    targets => "up (rcvbuf 4096): pauses, swallows\ndown: waits, streams 48_000_000, swallows\nvnc: echoes",
    config  => <<~'END',
        client_header_timeout 1h;
        websockify_send_timeout 1h; websockify_read_timeout 1h; websockify_ping_interval 0;
        location /up   { websockify_pass %%up%%; }
        location /down { websockify_pass %%down%%; }
        location /websockify { websockify_pass %%vnc%%; }
        END
);
run_tests;

# A target and a client stop reading, each in sessions of its own; nothing happens for a while; they go on.
sub both_stop ($t) {
    my ($worker) = $t->nginx->workers;
    my ($other, $up, $down, $both) = ($t->client, $t->client('/up'), map { $t->client($_, rcvbuf => 4096) } qw(/down /up));
    my $before = memory_of($worker);

    $_->stream->{reading} = 0 for $down, $both;
    $t->targets->tell('down');
    my $frames = join '', map { encode(opcode => 2, mask => "\0\0\0\0", payload => pattern(100_000, $_ * 100_000)) } 0 .. SIZE / 100_000 - 1;
    my %sent = map { $_ => $_->stream->write_until_full($frames, 0.3) } $up, $both;
    cmp_ok $sent{$up}, '<', SIZE, "the target is full: $sent{$up} bytes were taken";
    my $said = $t->targets->report('down')->{connections}[0]{sent};
    cmp_ok $said, '<', SIZE, "the client is full: $said bytes were taken";

    my ($used, $start) = (seconds_of($worker), time);
    sleep WAITS;
    $used = seconds_of($worker) - $used;
    cmp_ok $used, '<', WORKS, "nothing happens: $used s of the processor";
    my $slowest = 0;
    for (1 .. 100) {
        my $asked = time;
        $other->send('binary "hello"');
        $other->expect('binary "hello"');
        $slowest = time - $asked if time - $asked > $slowest;
    }
    cmp_ok $slowest, '<', 2, sprintf 'another session waits %.1f ms at most', 1000 * $slowest;
    my $grown = memory_of($worker) - $before;
    cmp_ok $grown, '<', GROWS, "$grown bytes more";

    $t->targets->tell('up');
    $_->stream->{reading} = 1 for $down, $both;
    $_->send_bytes(substr $frames, $sent{$_}) for $up, $both;
    is $down->pump(receive => SIZE)->{md5}, pattern_md5(SIZE), 'what the target said';
    for my $number (0, 1) {
        my $got = $t->await('up', 'receive it', sub ($report) { my $c = $report->{connections}[$number]; $c->{size} >= SIZE && $c });
        is $got->{md5}, pattern_md5(SIZE), 'what the client said';
    }
    $grown = memory_of($worker) - $before;
    cmp_ok $grown, '<', GROWS, "$grown bytes more at the end";
}

__DATA__

=== TEST 1: either side stops reading for five minutes
--- speed: 60
--- steps
both_stop($t);

=== TEST 2: over TLS
--- speed: 60
--- tls
--- steps
both_stop($t);

=== TEST 3: blocked time is no silence
Guards: what a slow client was still being sent counted as silence, and once the last of it was with the kernel the
session ended by `websockify_read_timeout`.
--- config
listen 127.0.0.1:%%SMALL_PORT%% sndbuf=400k;
location /websockify { websockify_pass 127.0.0.1:$arg_to; websockify_send_timeout 2s; websockify_read_timeout 2s; }
--- steps
my $target = WebsockifyTest::Hand->new;
my $client = $t->client($target->path, port => $t->port('SMALL_PORT'), rcvbuf => 8192);
$client->stream->{reading} = 0;
my ($wire, $said) = $target->fill_back($client);
# The client reads a little all the time, so that nginx can send again after longer than its timeouts.
my ($start, $taken) = (time, 0);
my $rate = $client->stream->on_its_way / 11;
while (WebsockifyTest::Hand::held_back($client, $wire, $taken)) {
    my $due = int $rate * (time - $start) - $taken;
    $taken += sysread($client->stream->{socket}, $client->stream->{in}, $due, $taken) // 0 if $due > 0;
    time - $start < 12 or die 'nginx does not send the rest';
}
cmp_ok time - $start, '>', 2.2, sprintf 'nginx could not send for %.1f s', time - $start;
$client->stream->{reading} = 1;
$client->send('binary "here"');
is $target->take(4), 'here', 'the session goes on';
$client->expect("binary pattern($said)");
--- no_error_log
timed out
