# Clients and targets that vanish, orderly (FIN) or not (RST), at every place of the stream: what was whole before is
# delivered after a FIN, nothing is made up, and no connection, no line of alarm and no memory is left.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Frame qw(parse_frames);
use WebsockifyTest::Proc qw(descriptors_of);
use WebsockifyTest::Util qw(await);

defaults(
    targets => "vnc: swallows\nspeaks: sends pattern(5000), swallows",
    config  => <<~'END',
        location /websockify { websockify_pass %%vnc%%; }
        location /speaks     { websockify_pass %%speaks%%; }
        END
);
run_tests;

# What the target has to get of `$frames`, for each number of bytes that came before the end: [[bytes, payload]...].
sub cuts (@frames) {
    my ($bytes, $payload, @cuts) = ('', '');
    for my $frame (@frames) {
        my ($words, $head, $said) = @$frame;
        my ($encoded) = parse_frames($words);
        # Every place of a header and a mask, and some of the payload.
        for my $n (grep { $_ <= $head + 3 } 0 .. length($encoded) - 1) {
            my $got = $n > $head && defined $said ? substr $said, 0, $n - $head : '';
            push @cuts, [ $bytes . substr($encoded, 0, $n), $payload . $got, "$n bytes of $words" ];
        }
        $bytes .= $encoded;
        $payload .= $said // '';
    }
    return @cuts, [ $bytes, $payload, 'all of it' ];
}

# Sessions of which each ends at another cut, by `$how`; `$check` is given what the target has to get, and has got.
sub each_ends ($t, $how, $cuts, $headers = '') {
    my ($worker) = $t->nginx->workers;
    $t->client->close;
    my $had = $t->targets->report('vnc')->{accepted};
    $t->target_sees('vnc', 'end');
    my $before = descriptors_of($worker);
    for my $cut (@$cuts) {
        my $client = $t->client('/websockify', headers => $headers);
        $client->send_bytes($cut->[0]);
        $client->stream->await_taken if $how eq 'reset';
        $client->$how;
        $client->close;
    }
    my $report = $t->await('vnc', 'see the ends', sub ($report) {
        my @ended = grep { $_->{eof} || $_->{reset} } $report->{connections}->@*;
        return @ended >= $had + @$cuts && $report;
    });
    my @wrong;
    for my $n (keys @$cuts) {
        my ($wanted, $got) = ($cuts->[$n][1], $report->{connections}[ $had + $n ]);
        my $right = $how eq 'reset' ? $got->{received} eq substr $wanted, 0, $got->{size} : $got->{received} eq $wanted && !$got->{reset};
        push @wrong, "$cuts->[$n][2]: $got->{received} " . ($got->{reset} ? 'and a reset' : '') unless $right;
    }
    is_deeply \@wrong, [], scalar(@$cuts) . " ends by $how";
    ok eval { await 'nothing to be left', sub { descriptors_of($worker) <= $before } }, 'no connection is left';
}

# The answer's first line, or what became of the connection.
sub outcome ($client) {
    my $response = eval { $client->response };
    return $response ? $response->{status} : $client->stream->{ended} || $@;
}

__DATA__

=== TEST 1: a client, in the middle of a header, a mask, a payload, a control frame
--- steps
my @cuts = cuts(
    [ 'binary "Hello"', 6, 'Hello' ], [ 'binary more pattern(130)', 8, pattern(130) ], [ 'ping "are you there"', 6 ],
    [ 'continuation "end"', 6, 'end' ], [ 'text mask 00000000 pattern(65536)', 14, pattern(65536) ]);
each_ends($t, $_, \@cuts) for qw(close end reset);

=== TEST 2: in the middle of a Close, and of its reason
--- steps
my @cuts = cuts([ 'binary "x"', 6, 'x' ], [ 'close 1000 "goodbye"', 6 ]);
each_ends($t, $_, \@cuts) for qw(close end reset);

=== TEST 3: in the middle of a group of base64
Two characters are one byte and a half of the next, which nobody has sent.
--- steps
my ($bytes, $wanted, @cuts) = ("\x81\x8c\0\0\0\0", 'deadbeef!');
my $text = MIME::Base64::encode_base64($wanted, '');
for my $n (0 .. length $text) {
    my $whole = int($n * 6 / 8);
    push @cuts, [ $bytes . substr($text, 0, $n), substr($wanted, 0, $whole), "$n characters" ];
}
each_ends($t, $_, \@cuts, 'Sec-WebSocket-Protocol: base64') for qw(close end reset);

=== TEST 4: while the target speaks
--- steps
for my $how (qw(close end reset)) {
    for my $read (0, 1, 300, 5000) {
        my $client = $t->client('/speaks', rcvbuf => 4096);
        $client->stream->{reading} = 0 unless $read;
        $client->stream->read_until('some of it', sub ($in) { length $$in >= $read }) if $read;
        $client->$how;
        $client->close;
    }
}
$t->await('speaks', 'be left', sub ($report) { $report->{accepted} == 12 && !grep { $_->{open} } $report->{connections}->@* });
pass 'twelve sessions';

=== TEST 5: a client, at every place of the opening handshake
--- steps
my $request = $t->handshake;
my ($worker) = $t->nginx->workers;
is $t->get('/websockify')->{status}, 426, 'all is ready';
my $before = descriptors_of($worker);
for my $how (qw(close end reset)) {
    for my $n (0 .. length($request) - 1) {
        my $client = $t->connect;
        $client->send_bytes(substr $request, 0, $n);
        $client->$how;
        $client->close;
    }
}
ok eval { await 'nothing to be left', sub { descriptors_of($worker) <= $before } }, 'no connection is left';
--- target_connections
vnc: 0

=== TEST 6: a client, right after it, before and after the 101
--- steps
for my $how (qw(close end reset)) {
    for my $frames ('', 'binary "x"', 'binary declares 100 "half"', 'close 1000', 'bytes 82') {
        for my $reads (0, 1) {
            my $client = $t->connect;
            $client->send_bytes($t->handshake . join '', $frames ? parse_frames($frames) : ());
            $client->response if $reads;
            $client->$how;
            $client->close;
        }
    }
}
my ($worker) = $t->nginx->workers;
ok eval { await 'nothing to be left', sub { descriptors_of($worker) <= 20 } }, 'no connection is left';
$t->client->send('binary "and another"');
$t->target_gets('vnc', 'and another');
pass 'a session after them';

=== TEST 7: over TLS: in the middle of the TLS handshake, of a record, and without a close_notify
--- tls
--- steps
my ($worker) = $t->nginx->workers;
is $t->get('/websockify')->{status}, 426, 'all is ready';
my $before = descriptors_of($worker);
my $hello = pack 'CnnCnn', 22, 0x0301, 200, 1, 0, 196;
for my $how (qw(close reset)) {
    for my $n (0, 1, 5, 8) {
        my $raw = $t->connect(tls => undef, port => $t->port('TLS_PORT'));
        $raw->send_bytes(substr $hello, 0, $n);
        $raw->$how;
    }
    for my $n (0, 1, 5, 20) {
        my $client = $t->client;
        $client->send('binary "Hello"');
        # What begins a record of 256 bytes.
        syswrite $client->stream->{raw}, substr pack('Cnn', 23, 0x0303, 256) . 'x' x 20, 0, $n;
        $client->$how;
    }
}
$t->await('vnc', 'be left', sub ($report) { $report->{accepted} == 8 && !grep { $_->{open} } $report->{connections}->@* });
is join('', map { $_->{received} } $t->targets->report('vnc')->{connections}->@*), 'Hello' x 8, 'what was whole was delivered';
ok eval { await 'nothing to be left', sub { descriptors_of($worker) <= $before } }, 'no connection is left';

=== TEST 8: a target, before the 101 and right after it
A target that accepts and resets may be met as one that refuses (502) or one that has reset (close 1011).
--- targets
closes: closes
resets: resets
ends:   half-closes, swallows
--- config
location /closes { websockify_pass %%closes%%; }
location /resets { websockify_pass %%resets%%; }
location /ends   { websockify_pass %%ends%%; }
--- steps
my %seen;
for (1 .. 30) {
    for my $way (qw(closes resets ends)) {
        my $client = $t->connect;
        $client->send_bytes($t->handshake("GET /$way") . join '', parse_frames('binary "early"'));
        my $status = outcome($client);
        my $frame  = $status == 101 ? $client->frame : undef;
        my $code   = $frame && $frame->{opcode} == 8 ? unpack 'n', $frame->{payload} : '';
        $seen{"$way $status $code"}++;
        $client->send('close 1000') if $code;
        $client->close;
    }
}
my @odd = grep { !/\A(?:(?:closes|ends) 101 1000|(?:resets|closes) 101 1011|resets 502 )\z/ } keys %seen;
is_deeply \@odd, [], join ', ', map { "$_: $seen{$_}" } sort keys %seen;
--- error_log
qr/\[error\] .*(?:reset|[Bb]roken pipe)/

=== TEST 9: a target, in the middle of what client and target say
--- targets
end:   sends pattern(3000), awaits 10, closes
reset: sends pattern(3000), awaits 10, resets
half:  sends pattern(3000), awaits 10, half-closes, swallows
--- config
location /end   { websockify_pass %%end%%; }
location /reset { websockify_pass %%reset%%; }
location /half  { websockify_pass %%half%%; }
--- steps
my ($frame) = parse_frames('binary mask 00000000 pattern(40)');
for my $way (qw(end half reset)) {
    my @wrong;
    # The target goes when it has ten bytes; the client's frame goes on, or stops in its middle.
    for my $n (16 .. length $frame) {
        my $client = $t->client("/$way");
        $client->send_bytes(substr $frame, 0, $n);
        my $said = eval { $client->expect('binary pattern(3000)'); $client->expect($way eq 'reset' ? 'close 1011 qr/./' : 'close 1000 "target closed"'); 1 };
        push @wrong, "after $n bytes: $@" unless $said;
        $client->send_bytes(substr $frame, $n) if $n % 2;
        $client->close;
    }
    is_deeply \@wrong, [], $way;
}
my ($last) = reverse $t->await('half', 'be left', sub ($report) { !(grep { $_->{open} } $report->{connections}->@*) && $report })->{connections}->@*;
is $last->{received}, pattern(40), 'a target that only ended its half has it all';
--- error_log
qr/\[error\] .*(?:reset|[Bb]roken pipe)/
