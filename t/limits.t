# Where nginx's means run out, or a request is too slow or too big: an error is logged, somebody is not served, and the
# worker and its other sessions go on.

use v5.36;
use lib 't/lib';
use Time::HiRes ();
use WebsockifyTest;
use WebsockifyTest::Frame qw(parse_frames);
use WebsockifyTest::Proc qw(memory_of);
use WebsockifyTest::Sessions qw(talks);
use WebsockifyTest::Util qw(await);

defaults(
    targets => 'vnc: echoes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# A handshake's status, or how the connection ended, or '' if nothing came soon.
sub outcome ($t, $path = '/websockify') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path"));
    local $ENV{TEST_NGINX_TIMEOUT} = 1;
    my $response = eval { $client->response };
    return ($client, $response ? $response->{status} : $client->stream->{ended});
}

# Sessions are opened until one is refused; those that are open go on, and once some have ended there are new ones.
sub goes_on_afterwards ($t, $at_most) {
    my (@clients, @refused);
    while (@clients < $at_most && @refused < 3) {
        my ($client, $status) = outcome($t);
        if ($status eq '101') { push @clients, $client } else { push @refused, [ $client, $status ] }
    }
    is scalar @refused, 3, @clients . ' sessions, and then: ' . join ', ', map { $_->[1] || 'nothing yet' } @refused;
    like $_->[1], qr/\A(?:500|502|503|end|reset|)\z/, 'a refusal' for @refused;
    talks($_, 'still here') for @clients;
    $_->[0]->close for @refused;
    $_->close for splice @clients, 0, @clients / 2;
    talks($_, 'still here') for @clients;
    ok eval { await('a new session', sub { my ($client, $status) = outcome($t); $status eq '101' && eval { talks($client, 'new'); 1 } }) }, 'a new session' or diag $@;
    talks($_, 'still here') for @clients;
}

# A request of these bytes is answered `$status`.
sub refused_with ($t, $status, $bytes, $why) {
    my $client = $t->connect;
    $client->send_bytes($bytes);
    is $client->response->{status}, $status, "$status: $why";
    $client->close;
}

__DATA__

=== TEST 1: no more descriptors: what accepts fails, or what connects
--- main_config
worker_rlimit_nofile 60;
--- events_config
worker_connections 500;
--- steps
goes_on_afterwards($t, 60);
--- error_log eval
[ qr/\[(?:alert|crit)\] .*(?:socket\(\)|accept4?\(\)) failed \(24: / ]

=== TEST 2: no more descriptors for the target of a client that has been accepted: 500
--- main_config
worker_rlimit_nofile 60;
--- events_config
worker_connections 500;
--- steps
my $session = $t->client;
my $last    = $t->connect;
my @silent;
until ($t->nginx->error_log =~ /accept4?\(\) failed/) {
    push @silent, $t->connect;
    Time::HiRes::sleep 0.002;
    die 'there are always more' if @silent > 200;
}
$last->send_bytes($t->handshake);
is $last->response->{status}, 500, 'no socket for its target';
talks($session, 'still here');
$_->close for $last, @silent;
my ($next) = await 'a descriptor', sub { my ($client, $status) = outcome($t); $status eq '101' && $client };
talks($next, 'new');
--- error_log eval
[ qr/\[alert\] .*socket\(\) failed \(24: .*websockify/, qr/\[crit\] .*accept4?\(\) failed \(24: / ]

=== TEST 3: no more connections of the worker
--- events_config
worker_connections 20;
--- steps
goes_on_afterwards($t, 20);
--- error_log
worker_connections are not enough

=== TEST 4: no more connections of the worker, for the target of a client that has one
--- events_config
worker_connections 21;
--- steps
goes_on_afterwards($t, 20);
--- log_format: status=$status
--- error_log
worker_connections are not enough
--- access_log
status=500

=== TEST 5: a target's connection that lingers makes room for a session
Those that only wait for their targets to end are the first that nginx gives up.
--- targets
vnc: echoes
lingers: pauses, swallows
--- config
location /websockify { websockify_pass %%vnc%%; }
location /lingers    { websockify_pass %%lingers%%; }
--- events_config
worker_connections 24;
--- steps
for (1 .. 30) {
    my $client = $t->client('/lingers');
    $client->send('binary "bye" & close 1000');
    $client->expect('close 1000');
    $client->saw_end;
    $client->close;
}
my @clients = map { $t->client } 1 .. 5;
talks($_, 'here') for @clients;
pass 'thirty have gone before';
$t->targets->tell('lingers');
--- error_log
worker_connections are not enough, reusing connections

=== TEST 6: slow handshakes: closed, and 408 in the log
--- config
client_header_timeout 300ms;
location /websockify { websockify_pass %%vnc%%; }
--- steps
my @slow = map { $t->connect } 1 .. 50;
my $request = $t->handshake;
$slow[$_]->send_bytes(substr $request, 0, 1 + $_ * (length($request) - 2) / 50) for keys @slow;
my $other = $t->client;
talks($other, 'meanwhile');
is $_->saw_end, 'end', 'the end' for @slow;
is scalar(() = $t->nginx->access_log =~ /^status=408$/mg), 50, 'fifty times';
talks($other, 'afterwards');
--- log_format: status=$status
--- error_log
qr/\[info\] .*client timed out .*while reading client request/
--- target_connections
vnc: 1

=== TEST 7: a handshake split at every byte
--- steps
my $bytes = $t->handshake . join '', parse_frames('binary "x"');
my $right = 0;
for my $n (1 .. length($bytes) - 1) {
    my $client = $t->connect;
    $client->send_bytes(substr $bytes, 0, $n);
    $client->stream->await_taken;
    $client->send_bytes(substr $bytes, $n);
    $right++ if $client->response->{status} == 101 && $client->expect('binary "x"');
    $client->close;
}
is $right, length($bytes) - 1, 'a session each time';

=== TEST 8: 1 MiB of headers: 400, 414 or 431 from nginx, and no session
--- steps
my $handshake = $t->handshake;
my sub with (@lines) { $handshake =~ s/\r\n\r\n\z/join '', "\r\n", (map { "$_\r\n" } @lines), "\r\n"/er }
refused_with($t, 400, with('X-Long: ' . 'x' x 1_048_576), 'a long header');
refused_with($t, 400, with(map { "X-Header-$_: " . 'x' x 1000 } 1 .. 1024), 'many headers');
refused_with($t, 400, with('Cookie: ' . join '; ', map { "c$_=" . 'x' x 1000 } 1 .. 1024), 'cookies');
refused_with($t, 400, with(map { 'Sec-WebSocket-Protocol: ' . 'x,' x 500 } 1 .. 1024), 'subprotocols');
refused_with($t, 414, $t->handshake('GET /websockify?' . 'x' x 1_048_576), 'a long address');
my ($worker) = $t->nginx->workers;
my $before = memory_of($worker);
refused_with($t, 400, with('X-Long: ' . 'x' x 1_048_576), 'another') for 1 .. 20;
my $grown = memory_of($worker) - $before;
cmp_ok $grown, '<', 1_000_000, "$grown bytes of memory more";
$t->client->send('binary "fine"');
$t->target_gets('vnc', 'fine');
--- target_connections
vnc: 1

=== TEST 9: 1 MiB of headers where nginx is told to take them: a session
--- config
large_client_header_buffers 300 8k;
location /websockify { websockify_pass %%vnc%%; }
--- steps
my $offers = 'Sec-WebSocket-Protocol: ' . 'x, ' x 2000;
my @lines  = ((map { "X-Header-$_: " . 'x' x 7000 } 1 .. 120), ($offers) x 40, 'Sec-WebSocket-Protocol: binary');
my $client = $t->connect;
$client->send_bytes($t->handshake =~ s/\r\n\r\n\z/join '', "\r\n", (map { "$_\r\n" } @lines), "\r\n"/er . join '', parse_frames('binary "x"'));
is $client->response->{status}, 101, 'a session';
is_deeply [ $client->header('Sec-WebSocket-Protocol') ], ['binary'], 'the last of 80,001 offers';
$client->expect('binary "x"');
