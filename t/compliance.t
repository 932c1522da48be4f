# t/COMPLIANCE.md is whole and true; and what of RFC 6455 has no better place.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Util qw(slurp);

# How often the RFC's sections say MUST.
use constant MUSTS => {
    '4.2.1' => 1, '4.2.2' => 10, '5.1' => 4, '5.2' => 10, '5.3' => 4, '5.4' => 10, '5.5' => 2, '5.5.1' => 6, '5.5.2' => 1,
    '7.1.2' => 1, '7.1.7' => 3, '7.2.1' => 2, '7.2.2' => 1, '7.4.1' => 3, '8.1' => 1,
};

# Of a Close that nginx may send: RFC 6455 section 7.4, and 4000 to 4999 for what is agreed upon.
use constant MAY => { map { $_ => 1 } '', 1000 .. 1003, 1007 .. 1011, 3000 .. 4999 };

defaults(
    targets => 'vnc: swallows',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# The rows: [section, sentence, test, note].
sub rows () {
    my @lines = grep { /\A\| \d/ } split /\n/, slurp('t/COMPLIANCE.md');
    return map { [ map { s/\A\s+|\s+\z//gr =~ s/\\\|/|/gr } /\A\|((?:\\.|[^|])*)\|((?:\\.|[^|])*)\|((?:\\.|[^|])*)\|((?:\\.|[^|])*)\|\z/ ] } @lines;
}

# What the words of a cell name that is not there.
sub missing ($words) {
    my (@missing, %text);
    while ($words =~ /`([^`\s]+\.(?:t|rs))`(?: TEST (\d+)| `(\w+)`)/g) {
        my ($file, $number, $function) = ($1, $2, $3);
        my $text = $text{$file} //= slurp($file);
        my $there = $number ? $text =~ /^=== TEST $number:/m : $text =~ /#\[test\]\s+(?:#\[[^\n]*\]\s+)*fn $function\b/;
        push @missing, "$file " . ($number // $function) unless $there;
    }
    return @missing;
}

__DATA__

=== TEST 1: COMPLIANCE.md: each MUST has its row, and each row's tests are there
--- steps
my (%musts, @odd);
for my $row (rows) {
    my ($section, $sentence, $test, $note) = @$row;
    $musts{$section} += () = $sentence =~ /\bMUST\b/g;
    push @odd, "without a test or a reason: $sentence" unless $test =~ /`t\/\w[\w-]*\.t` TEST \d/ || $test eq '-' && length $note;
    push @odd, map { "not there: $_" } missing("$test $note");
}
is_deeply \%musts, MUSTS, 'as many as the RFC has';
is_deeply \@odd, [], 'every test is there';

=== TEST 2: section 4.2.1: "A |Host| header field", and "any violations of the ABNF grammar": 400
--- steps
my $handshake = $t->handshake;
for my $bad ($t->handshake('GET /websockify', '-Host'), $t->handshake('GET /websockify', '+Host: other'), $handshake =~ s/Host/H\x00st/r,
    $handshake =~ s/Host: /Host : /r, $handshake =~ s/\r\n/\r\n\x01\r\n/r, $handshake =~ s/GET /GET  /r =~ s/ HTTP/ x HTTP/r) {
    my $client = $t->connect;
    $client->send_bytes($bad);
    my $response = eval { $client->response };
    is $response && $response->{status}, 400, WebsockifyTest::Util::shown($bad, 60);
    $client->close;
}
--- target_connections
vnc: 0

=== TEST 3: section 4.2.1: "or an absolute HTTP/HTTPS URI"; section 4.2.2: "If the requested service is not available": 404
--- steps
for my $case ([ 'GET http://localhost/websockify' => 101 ], [ 'GET /nothing' => 404 ], [ 'GET http://localhost/nothing' => 404 ]) {
    my ($request, $status) = @$case;
    my $client = $t->connect;
    $client->send_bytes($t->handshake($request));
    is $client->response->{status}, $status, "$request: $status";
    $client->close;
}
--- error_log
No such file or directory
--- target_connections
vnc: 1

=== TEST 4: section 5.2: what nginx sends is unmasked, without reserved bits, in the shortest form, and whole
--- targets
vnc: echoes
--- steps
my $client = $t->client;
my @odd;
for my $size (1, 125, 126, 127, 1000, 40_000, 65_535, 65_536, 200_000) {
    $client->send("binary pattern($size) & ping pattern(" . ($size < 126 ? $size : 125) . ')');
    my $got = 0;
    my $pongs = 0;
    while ($got < $size || !$pongs) {
        my $frame = $client->frame or last;
        push @odd, WebsockifyTest::Frame::describe($frame) if $frame->{masked} || $frame->{rsv} || !$frame->{minimal} || !$frame->{fin};
        $frame->{opcode} == 2 ? $got += length $frame->{payload} : $pongs++;
    }
    is "$got $pongs", "$size 1", "$size bytes and a pong";
}
$client->send('close 1000');
my $frame = $client->frame;
push @odd, WebsockifyTest::Frame::describe($frame) if $frame->{opcode} != 8 || $frame->{masked} || $frame->{rsv} || !$frame->{fin};
is_deeply \@odd, [], 'each of them';

=== TEST 5: section 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame"
However much the target says.
--- targets
vnc: streams 50_000_000, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_max_frame_size 1000; }
--- steps
my %end = (
    'a fault'           => 'binary rsv 4 "x"',
    'too big a frame'   => 'binary pattern(1001)',
    'an invalid reason' => 'close 1000 "\xff"',
    'a Close'           => 'close 1000',
);
for my $why (sort keys %end) {
    my $client = $t->client;
    $client->frame for 1 .. 3;
    $client->send($end{$why});
    my $frame;
    do { $frame = $client->frame } while $frame && $frame->{opcode} == 2;
    is $frame && $frame->{opcode}, 8, "$why: a Close";
    my $after = $client->frame;
    ok !$after, "$why: and nothing after it" or diag WebsockifyTest::Frame::describe($after);
    is $client->stream->{in}, '', 'not a byte';
    $client->close;
}

=== TEST 6: section 7.1.7: "An endpoint MUST NOT continue to attempt to process data (including a responding Close frame)"
--- dialogue
client sends binary "before" & binary rsv 4 "x" & binary "after" & ping "anybody" & close 1000
client gets close 1002 qr/./
client sees end
vnc gets "before"
vnc sees end

=== TEST 7: section 7.4.1: no reserved code in a Close of nginx's, whatever ends the session
--- main_config
worker_shutdown_timeout 200ms;
--- targets
vnc: swallows
closes: closes
resets: sends "x", awaits 1, resets
--- config
location /websockify { websockify_pass %%vnc%%; websockify_max_frame_size 100; }
location /closes     { websockify_pass %%closes%%; }
location /resets     { websockify_pass %%resets%%; }
location /idle       { websockify_pass %%vnc%%; websockify_idle_timeout 50ms; }
location /read       { websockify_pass %%vnc%%; websockify_read_timeout 50ms; }
location /ping       { websockify_pass %%vnc%%; websockify_ping_interval 50ms; websockify_ping_timeout 50ms; }
--- steps
my @clients;
for my $case ([ '/websockify', 'close' ], [ '/websockify', 'close 1000' ], [ '/websockify', 'close 4999 "x"' ],
    (map { [ '/websockify', "close $_" ] } 1004, 1005, 1006, 1015, 0, 999, 1016, 5000), [ '/websockify', 'close 1000 "\xff"' ],
    [ '/websockify', 'binary pattern(101)' ], [ '/websockify', 'opcode 3 "x"' ], [ '/closes', 'binary "x"' ],
    [ '/resets', 'binary "x"' ], [ '/idle', '' ], [ '/read', '' ], [ '/ping', '' ], [ '/websockify', '' ]) {
    my ($path, $frames) = @$case;
    my $client = $t->client($path);
    $client->send($frames) if $frames;
    push @clients, [ "$path $frames", $client ];
}
$t->nginx->reload;
for my $case (@clients) {
    my ($name, $client) = @$case;
    my $frame;
    do { $frame = $client->frame } while $frame && $frame->{opcode} != 8;
    my $code = $frame && length $frame->{payload} ? unpack 'n', $frame->{payload} : '';
    ok $frame && MAY->{$code}, "$name: " . ($code || 'no code');
    $client->close;
}
--- error_log
qr/\[error\] .*(?:reset|[Bb]roken pipe)/
