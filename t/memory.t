# Memory runs out: an error is logged and one session is lost, never the worker. Each allocation that a session makes,
# from the accepted connection to the log, fails once; the one in front of it, beside it and behind it do not notice.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Memory;
use WebsockifyTest::Tokens qw(comes_to put);
use WebsockifyTest::Util qw(await);

my $memory;
BEGIN { $memory = WebsockifyTest::Memory->new }
sub memory () { $memory }

defaults(
    targets => 'vnc: echoes',
    dns     => join('', map { "n$_.test A 127.0.0.1\n" } 1 .. 5_000),
    config  => <<~'CONFIG',
        # The smallest there are, so that nearly each allocation from a pool is one of the allocator's.
        connection_pool_size 256;
        request_pool_size 256;
        # Without memory for an answer it asks again, after 5 seconds.
        resolver_timeout 1s;
        resolver %%DNS%% ipv6=off;
        location /websockify { websockify_pass %%vnc%%; }
        location /resolved   { websockify_pass $arg_name:%%vnc_port%%; }
        location /shutdown   { websockify_pass %%vnc%%; websockify_shutdown_close 10s; }
        CONFIG
    # What nginx says itself, and what the module does.
    error_log => <<~'LINES',
        qr/\[emerg\] .*(?:malloc|posix_memalign)\(.*\) failed \(12: Cannot allocate memory\)|\[error\] .*no memory for a relay buffer/
        LINES
);
run_tests;

# A whole session: handshake, data, a ping, close. How far it came.
sub session ($t, $path = '/websockify', $headers = '', $kind = 'binary') {
    state $number = 0;
    my $client = $t->connect;
    my $far    = 'connected';
    # The resolver keeps its answers: each session asks for a name of its own.
    $path .= sprintf '?name=n%d.test', ++$number;
    my $done   = eval {
        $client->send_bytes($t->handshake("GET $path", $headers));
        my $status = $client->response->{status};
        $far = "refused with $status";
        return 0 if $status != 101;
        $far = 'accepted';
        $client->send($kind eq 'base64' ? 'text MIME::Base64::encode_base64(pattern(40_000), "")' : 'binary pattern(40_000)');
        $client->expect("$kind pattern(40_000)");
        $far = 'echoed';
        $client->send('ping "alive"');
        $client->expect('pong "alive"');
        $far = 'pinged';
        $client->send('close 1000');
        $client->expect('close 1000 ""');
        $far = 'closed';
        $client->saw_end;
    };
    my $problem = $@;
    die "it hangs once $far: $problem" if $problem =~ /timed out/;
    $far .= $problem =~ /but got close (\d+)/ ? ", told $1" : ', ended' if !$done && $far !~ /refused/;
    $client->close;
    return $far;
}

# The worker, once it serves: what it needs to start is not what is tested here.
sub started ($t) {
    is $t->get('/websockify')->{status}, 426, 'it serves';
    return ($t->nginx->workers)[0];
}

# Lines of errors so far.
sub logged ($t) { my @lines = $t->nginx->error_log =~ /\[(?:emerg|alert|crit|error)\]/g; return scalar @lines }

sub descriptors ($pid) { my @open = glob "/proc/$pid/fd/*"; return scalar @open }

# Plays sessions, the n-th allocation failing, until n is more than a session makes. Then nothing may be left of them,
# but with `caches` what nginx means to keep.
sub fail_each ($t, %orders) {
    my @session  = ($orders{path} // '/websockify', ($orders{session} // [])->@*);
    my $worker   = started($t);
    my $beside   = $t->client('/websockify', headers => $orders{beside} // '');
    my %came;
    my $talks = sub ($text) { $beside->send("binary \"$text\""); $beside->expect("binary \"$text\"") };

    $memory->watch($worker);
    # The resolver's socket.
    my $open = descriptors($worker) + ($orders{caches} ? 1 : 0);
    my $live = warm_up($t, $worker, $open, $talks, @session);
    my ($n, $logged, @silent) = (0, logged($t));
    while (1) {
        $memory->fail(from => ++$n, count => $orders{count} // 1, size => $orders{size} // 0);
        my $came = session($t, @session);
        my ($failed) = $memory->relent;
        last unless $failed;
        $came{$came}++;

        await "nginx to close what failure $n left open", sub { descriptors($worker) <= $open };
        push @silent, "failure $n ($came)" if logged($t) == $logged;
        $logged = logged($t);
        my $next = session($t, @session);
        die "the session after failure $n came no further than: $next\n" if $next ne 'closed';
        await "nginx to close what follows failure $n", sub { descriptors($worker) <= $open };
        $talks->("beside $n");
        my $left = $orders{caches} ? 0 : $memory->live - $live;
        die "failure $n leaves $left allocations behind\n" if $left > 0;
        die "too many\n" if $n > 20_000;
    }
    is_deeply [ $t->nginx->workers ], [$worker], 'the worker lives';
    TODO: {
        local $TODO = 'no memory for a Close frame goes unsaid' if "@silent" =~ /\A(?:failure \d+ \(pinged, ended\) ?)+\z/;
        is_deeply \@silent, [], 'each failure is logged';
    }
    cmp_ok $n, '>', 10, 'each of ' . ($n - 1) . ' allocations has failed';
    note "$came{$_} sessions: $_" for sort keys %came;
    return \%came;
}

# What the worker keeps for later, it has after this: its allocations.
sub warm_up ($t, $worker, $open, $talks, @session) {
    my $live;
    for my $round (1 .. 5) {
        my $far = session($t, @session);
        die "a session came no further than: $far\n" if $far ne 'closed';
        await 'nginx to close', sub { descriptors($worker) <= $open };
        $talks->('warm');
        $live = $memory->live;
    }
    return $live;
}

__DATA__

=== TEST 1: each allocation of a session fails
--- steps
fail_each($t);

=== TEST 2: ... of a base64 session
--- steps
fail_each($t, session => [ 'Sec-WebSocket-Protocol: base64', 'base64' ]);

=== TEST 3: ... of a session whose target is looked up
--- steps
fail_each($t, path => '/resolved', caches => 1);
--- error_log
qr/\[emerg\] .*(?:malloc|posix_memalign)\(.*\) failed \(12: Cannot allocate memory\)|no memory for a relay buffer|could not be resolved: |unexpected DNS response/

=== TEST 4: ... of a session that is told when its worker goes
--- steps
fail_each($t, path => '/shutdown');

=== TEST 5: from one allocation on, all that a session makes fail
--- steps
fail_each($t, count => 1 << 40);

=== TEST 6: no memory for relay buffers: told 1011
--- steps
my $worker = started($t);
memory->watch($worker);
memory->fail(from => 1, count => 1 << 40, size => 16384);
is session($t), 'accepted, told 1011', 'and its session ends' for 1 .. 3;
memory->relent;
is session($t), 'closed', 'with memory a session lives';
is_deeply [ $t->nginx->workers ], [$worker], 'the worker lives';
--- error_log
no memory for a relay buffer

=== TEST 7: no memory for what the target says first: told 1011
--- targets
vnc: sends "RFB 003.008\n", swallows
--- steps
memory->watch(started($t));
memory->fail(from => 1, count => 1 << 40, size => 16384);
my $client = $t->client;
$client->expect('close 1011 "internal error"');
memory->relent;
$t->client->expect('binary "RFB 003.008\n"');
pass 'with memory the target is heard';
--- error_log
no memory for a relay buffer

=== TEST 8: each allocation of a session with a token, and with a place in the list, fails
--- http_config
websockify_zone sessions:1m;
--- files
>>> tokens
desk: %%vnc%%
--- config
connection_pool_size 256; request_pool_size 256;
location /websockify { websockify_token_file tokens; websockify_token $http_x_token; websockify_pass $websockify_target; }
--- steps
# The thread that watches the file has begun, and has all that it ever needs.
put($t, 'tokens', "desk: %%vnc%%\nother: %%vnc%%\n");
$t->nginx->await_log(qr/has been read: 2 tokens/);
my $token = 'X-Token: %64es%6B';
fail_each($t, session => [$token], beside => $token);
--- error_log
qr/\[emerg\] .*(?:malloc|posix_memalign)\(.*\) failed \(12: Cannot allocate memory\)|no memory for a relay buffer|\[error\] .*(?:the value of "websockify_pass" is empty: no target|out of memory in target)/

=== TEST 9: each allocation of an answer about sessions, or of an order to end one, fails
--- http_config
websockify_zone sessions:1m;
--- config
connection_pool_size 256; request_pool_size 256;
location /websockify { websockify_pass %%vnc%%; }
location /status { websockify_status control; }
--- steps
my $worker = started($t);
my $beside = $t->client;
memory->watch($worker);
for my $asked ('GET /status?format=json', 'GET /status?format=prometheus', 'GET /status?sessions', 'GET /status', 'POST /status') {
    my $form  = 'target=nobody&reason=why%21';
    my @head  = ('Host: localhost', 'Connection: close', 'Accept: TEXT/HTML');
    my $bytes = WebsockifyTest::Client::request_bytes($asked, @head, $asked =~ /POST/ ? 'Content-Length: ' . length $form : ())
        . ($asked =~ /POST/ ? $form : '');
    my ($n, %came) = 0;
    while (1) {
        memory->fail(from => ++$n, count => 1, size => 0);
        my $client = $t->connect;
        $client->send_bytes($bytes);
        my $status = eval { $client->response->{status} } // 'none';
        $client->close;
        my ($failed) = memory->relent;
        $came{$status}++;
        last unless $failed;
    }
    cmp_ok $n, '>', 5, "$asked: " . join ', ', map { "$came{$_} times $_" } sort keys %came;
    is_deeply [ $t->nginx->workers ], [$worker], 'the worker lives' or last;
}
$beside->send('binary "beside"');
$beside->expect('binary "beside"');

=== TEST 10: each allocation of a session with all that may be asked of one fails
A 101 has been sent when nginx begins with its upstream; where it has no memory for that, it still tries to answer 500.
--- targets
vnc: sends "RFB", echoes
--- config
connection_pool_size 256; request_pool_size 256;
location /websockify {
    websockify_pass %%vnc%%; websockify_origin same; websockify_first_bytes RFB; websockify_error_mode close;
    websockify_connect_retry 10s; websockify_proxy_protocol on; websockify_session_timeout $http_x_time;
    websockify_download_rate $http_x_rate; websockify_frame_type text; websockify_allow all;
}
--- steps
my $worker = started($t);
memory->watch($worker);
my $handshake = $t->handshake('GET /websockify', "Origin: http://localhost\nX-Time: 1h\nX-Rate: 1m");
my ($n, %came) = 0;
while (1) {
    memory->fail(from => ++$n, count => 1, size => 0);
    my $client = $t->connect;
    my $far    = 'nothing';
    eval {
        $client->send_bytes($handshake);
        $far = $client->response->{status};
        $client->expect('text "RFB"');
        $client->expect('text qr/\APROXY .*\n\z/s');
        $client->send('text "hello"');
        $client->expect('text "hello"');
        $client->send('close 1000');
        $client->expect('close 1000 ""');
        $far = 'closed';
    };
    $client->close;
    my $problem = $@;
    my ($failed) = memory->relent;
    $came{$far}++;
    next if $failed;
    is $far, 'closed', "the last one is whole $problem";
    last;
}
cmp_ok $n, '>', 10, join ', ', map { "$came{$_} times $_" } sort keys %came;
is_deeply [ $t->nginx->workers ], [$worker], 'the worker lives';
--- error_log
qr/\[emerg\] .*(?:malloc|posix_memalign)\(.*\) failed \(12: Cannot allocate memory\)|no memory for a relay buffer|\[alert\] .*header already sent/

=== TEST 11: no memory for a token file that has changed: its tokens stay, and it is read when there is some
--- files
>>> tokens
desk1: %%vnc%%
--- config
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
--- steps
comes_to($t, 'desk1', 101);
my ($worker) = $t->nginx->workers;
memory->watch($worker);
my ($n, $lines) = (0, 0);
# In turn: the file's text, what is built of it, the table.
while (1) {
    memory->fail(from => ++$n, count => 1, size => 1 << 17);
    put($t, 'tokens', join '', "new$n: %%vnc%%\n", map { "some-$_-$n: %%vnc%%\n" } 1 .. 20_000);
    comes_to($t, "new$n", 101);
    my ($failed) = memory->relent;
    my $now = () = $t->nginx->error_log =~ /no memory for token file \S+tokens, the tokens stay as they were/g;
    is $now - $lines, $failed, $failed ? "failure $n has its line" : 'there are no more';
    $lines = $now;
    last if !$failed;
}
cmp_ok $n, '>', 4, 'each large allocation has failed';
is_deeply [ $t->nginx->workers ], [$worker], 'the worker lives';
--- error_log
no memory for token file

=== TEST 12: each allocation of a session fails that takes the one place a server has: the place is given back
--- http_config
upstream one { zone one 64k; server %%vnc%% max_conns=1; }
--- config
connection_pool_size 256; request_pool_size 256;
location /websockify { websockify_pass %%vnc%%; }
# No address, and too long for the request's pool: its allocation comes when a server has been chosen.
location /slot { websockify_pass one; websockify_bind $http_x_long; }
--- steps
fail_each($t, path => '/slot', session => [ 'X-Long: ' . 'x' x 300 ]);
--- error_log
qr/\[emerg\] .*(?:malloc|posix_memalign)\(.*\) failed \(12: Cannot allocate memory\)|no memory for a relay buffer|invalid local address/
