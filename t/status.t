# `websockify_status`: what a scripted run has done, over all workers; who is there; and how to end it.

use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use WebsockifyTest;
use WebsockifyTest::Daemon;
use WebsockifyTest::Program qw(require_programs);
use WebsockifyTest::Sessions qw(sessions_in_all talks worker_of);
use WebsockifyTest::Util qw(await);

require_programs('promtool');
defaults(
    targets     => "vnc: echoes\nother: echoes",
    http_config => 'websockify_zone test:256k; add_header X-Worker $pid always;',
    config      => <<~'END',
        location /websockify { websockify_pass %%vnc%%; }
        location /other { websockify_pass %%other%%; websockify_status_name other; }
        location /status { websockify_status control; }
        END
);
run_tests;

sub figures ($t) { decode_json($t->get('/status')->{body}) }

sub sessions ($t) { decode_json($t->get('/status?sessions')->{body})->{sessions}->@* }

# The figures of one name, '' for those of none.
sub named ($t, $name = '') {
    my ($found) = grep { $_->{name} eq $name } figures($t)->{names}->@*;
    return $found // die "no name $name\n";
}

# What is counted by causes: { 'client_close 1000' => 3 }.
sub causes ($t, $kind, $name = '') {
    return { map { join(' ', grep { defined } $_->{cause}, $_->{code} // $_->{status}) => $_->{count} } named($t, $name)->{$kind}->@* };
}

sub await_figures ($t, $what, $condition) { await $what, sub { $condition->(figures($t)) } }

sub post ($t, $body, @headers) { post_to($t, '/status', $body, @headers) }

sub post_to ($t, $path, $body, @headers) {
    my $client = $t->connect;
    $client->send_bytes(WebsockifyTest::Client::request_bytes("POST $path", 'Host: localhost', 'Connection: close',
        'Content-Length: ' . length $body, @headers) . $body);
    my $response = $client->response;
    $client->close;
    return $response;
}

sub ended ($response) { $response->{status} == 200 ? decode_json($response->{body})->{ended} : "status $response->{status}" }

__DATA__

=== TEST 1: nothing yet
--- request: GET /status
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like
qr/\A\{"version":"\d+\.\d+\.\d+","workers":1,"zone":\{"size":\d+,"used":\d+\},"active":0,"listed":0,"unlisted":0,"names":\[\{"name":"","active":0,"opened":0,/

=== TEST 2: a scripted run, over four workers
--- workers: 4
--- steps
my @clients = sessions_in_all($t);
my $count = @clients;
await_figures($t, "$count sessions to be counted", sub ($f) { $f->{active} == $count && $f->{listed} == $count });
is figures($t)->{workers}, 4, 'in four workers';
talks($_, 'hello') for @clients;
$clients[0]->send('binary more "a" & continuation "b"');
$clients[0]->expect('binary "ab"');
my $other = $t->client('/other');
talks($other, 'abc');
$clients[0]->close;
$clients[1]->send('close 1001 "bye"');
$clients[2]->send('close 3210');
$clients[3]->send('close 4711');
$clients[4]->send('binary unmasked "x"');
$clients[5]->reset;
await_figures($t, 'six to end', sub ($f) { $f->{active} == $count - 6 + 1 });
is_deeply causes($t, 'ended'), { 'client_eof 1006' => 1, 'client_close 1001' => 1, 'client_close 3xxx' => 1,
    'client_close 4xxx' => 1, 'client_fault 1002' => 1, 'client_reset 1006' => 1 }, 'how they ended';
my $sum = named($t);
is $sum->{opened}, $count, 'opened';
is $sum->{active}, $count - 6, 'active';
is $sum->{bytes_received}, 5 * $count + 2, 'bytes received';
is $sum->{bytes_sent}, 5 * $count + 2, 'bytes sent';
is $sum->{frames_received}, $count + 2, 'frames received';
cmp_ok $sum->{frames_sent}, '>=', $count + 1, 'frames sent';
is named($t, 'other')->{$_}, 1, "other: $_" for qw(opened active frames_received);
is named($t, 'other')->{bytes_sent}, 3, 'other: bytes sent';
$_->close for @clients, $other;
await_figures($t, 'all to end', sub ($f) { $f->{active} == 0 });
is scalar(sessions($t)), 0, 'none is listed';

=== TEST 3: refusals and failures to connect
--- targets
vnc: echoes
other: refuses
hole: never accepts
--- dns
mute.test silent
--- config
location /websockify { websockify_pass %%vnc%%; }
location /other { websockify_pass %%other%%; }
location /hole { websockify_pass %%hole%%; websockify_connect_timeout 50ms; }
location /empty { websockify_pass $arg_nothing; }
location /name { websockify_pass $arg_name; }
location /mute { resolver %%DNS%% ipv6=off; websockify_pass $arg_name; }
location /status { websockify_status on; }
--- steps
my sub status_of ($request, $changes = '') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake($request, $changes));
    my $status = $client->response->{status};
    $client->close;
    return $status;
}
is status_of('GET /websockify', $_->[0]), $_->[1], "$_->[0]: $_->[1]" for
    ['-Upgrade', 426], ['Sec-WebSocket-Version: 12', 426], ['Sec-WebSocket-Key: x', 400], ['Sec-WebSocket-Protocol: chat', 400];
is status_of('POST /websockify'), 405, 'a method';
is status_of('GET /empty'), 500, 'no target';
is status_of('GET /name?name=nobody.invalid'), 502, 'no resolver';
is status_of('GET /other'), 502, 'a target that refuses' for 1 .. 2;
is status_of('GET /hole'), 504, 'a target that does not answer';
my $impatient = $t->connect;
$impatient->send_bytes($t->handshake('GET /mute?name=mute.test'));
await 'the question', sub { $t->targets->questions };
$impatient->close;
await 'nginx to see that', sub { causes($t, 'connect_failures')->{client_left} };
is_deeply causes($t, 'refused'), { 'handshake 426' => 2, 'handshake 400' => 2, 'handshake 405' => 1, 'target 500' => 1 }, 'refused';
is_deeply causes($t, 'connect_failures'), { failed => 3, timeout => 1, client_left => 1 }, 'failures';
is figures($t)->{names}[0]{opened}, 0, 'no session was opened';
--- error_log
is empty: no target
connect() failed
upstream timed out
no resolver defined

=== TEST 4: pings and round trips
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 20ms; websockify_ping_timeout 20s; }
location /status { websockify_status sessions; }
--- steps
my $client = $t->client;
is((sessions($t))[0]{round_trip}, undef, 'no round trip yet');
for (1 .. 3) {
    my $ping = $client->expect('ping qr/./s');
    $client->send_bytes(WebsockifyTest::Frame::encode(opcode => 10, payload => $ping->{payload}));
    await_figures($t, 'a round trip', sub ($f) { $f->{names}[0]{round_trip}{count} == $_ });
}
my $sum = named($t);
cmp_ok $sum->{pings}, '>=', 3, 'pings';
my ($first, $last) = $sum->{round_trip}{buckets}->@[ 0, -1 ];
is $first->{le}, 0.001, 'the least bound';
is $last->{le}, 5, 'and the greatest';
cmp_ok eval { my $n = 0; $n += $_->{count} for $sum->{round_trip}{buckets}->@*; $n }, '==', 3, 'all in some bucket';
like((sessions($t))[0]{round_trip}, qr/^0(?:\.\d+)?$/, 'in the list too');

=== TEST 5: who is there
--- http_config
websockify_zone test:256k; set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;
--- steps
my $client = $t->client('/other?x=1', headers => 'X-Real-IP: 2001:db8:1111:2222:3333:4444:5555:6677');
talks($client, 'hello');
my ($session) = sessions($t);
like $session->{id}, qr/\A[0-9a-f]{16}\z/, 'an id';
is $session->{name}, 'other', 'the name';
is $session->{client}, '2001:db8:1111:2222:3333:4444:5555:6677', 'the client';
is $session->{target}, $t->targets->address('other'), 'the target';
is $session->{"bytes_$_"}, 5, "bytes $_" for qw(received sent);
my $age = $session->{age};
await 'it to grow older', sub { my ($now) = sessions($t); $now->{age} > $age && $now->{idle} > 0 && $now->{idle} <= $now->{age} };
$client->close;
await_figures($t, 'its end', sub ($f) { $f->{active} == 0 });
is_deeply [ sessions($t) ], [], 'nobody';

=== TEST 6: the list only where it is allowed, and ending too
--- config
location /websockify { websockify_pass %%vnc%%; }
location /status { websockify_status on; }
location /list { websockify_status sessions; }
--- steps
my $client = $t->client;
my ($session) = decode_json($t->get('/list?sessions')->{body})->{sessions}->@*;
is $t->get('/status?sessions')->{status}, 403, 'no list';
is post($t, "id=$session->{id}")->{status}, 403, 'no control';
my sub status_of ($method, $path) {
    my $asking = $t->connect;
    $asking->send_bytes(WebsockifyTest::Client::request_bytes("$method $path", 'Host: localhost', 'Content-Length: 0', 'Connection: close'));
    my $response = $asking->response;
    return join ' ', $response->{status}, $asking->header('Allow');
}
is status_of('POST', '/list'), '403', 'nor here';
is status_of('PUT', '/list'), '405 GET, HEAD, POST', 'no other method';
is status_of('HEAD', '/list'), '200', 'HEAD';
talks($client, 'alive');

=== TEST 7: ended by its id, while data flows
--- targets
vnc: streams 500_000_000
other: echoes
--- steps
my ($client, $other) = ($t->client, $t->client('/other'));
my ($session) = grep { $_->{target} eq $t->targets->address('vnc') } sessions($t);
is ended(post($t, "id=$session->{id}&reason=lunch%20time")), 1, 'one is ended';
my $frame;
do { $frame = $client->frame or die "no Close\n" } while $frame->{opcode} == 2;
is $frame->{opcode}, 8, 'a Close';
is_deeply [ unpack 'n a*', $frame->{payload} ], [ 4000, 'lunch time' ], 'which says why';
await_figures($t, 'its end', sub ($f) { $f->{active} == 1 });
is_deeply causes($t, 'ended'), { 'admin 4000' => 1 }, 'it is counted';
talks($other, 'goes on');
is ended(post($t, "id=$session->{id}")), 'status 404', 'it is gone';
--- access_log
qr{GET /websockify HTTP/1.1" 101}

=== TEST 8: by target, several at once, in all workers
--- workers: 4
--- steps
my @clients = sessions_in_all($t);
my $other   = $t->client('/other');
my $target  = $t->targets->address('vnc');
await_figures($t, 'all to be counted', sub ($f) { $f->{active} == @clients + 1 });
is ended(post($t, "target=$target")), scalar @clients, 'all of them';
$_->expect('close 4000 "ended by an administrator"') for @clients;
talks($other, 'but this one');
await_figures($t, 'their end', sub ($f) { $f->{active} == 1 });

=== TEST 9: in workers of an older configuration, and from one more that was killed
--- workers: 4
--- steps
my @before = sessions_in_all($t);
my @old    = $t->nginx->reload;
my @new    = grep { my $pid = $_; !grep { $_ == $pid } @old } $t->nginx->workers;
my @after  = sessions_in_all($t, workers => \@new);
# The client knows of its session a moment before another worker can.
await_figures($t, 'both to be counted', sub ($f) { $f->{active} == @before + @after });
is figures($t)->{workers}, 8, 'in eight workers';
kill 'KILL', $old[0], $new[0];
$t->nginx->await_log(qr/worker process $_ exited on signal 9/) for $old[0], $new[0];
my %dead = map { $_ => 1 } $old[0], $new[0];
my @lost = grep { $dead{ worker_of($_) } } @before, @after;
my @left = grep { !$dead{ worker_of($_) } } @before, @after;
await_figures($t, 'another worker', sub ($f) { $f->{workers} == 7 });
is figures($t)->{active}, @left, 'the lost are taken out';
is scalar(sessions($t)), @left, 'of the list too';
is_deeply causes($t, 'ended'), { 'lost 1006' => scalar @lost }, 'and counted';
is ended(post($t, 'reason=over&target=' . $t->targets->address('vnc'))), @left, 'the others are told to end';
my $start = Time::HiRes::time;
$_->expect('close 4000 "over"') for @left;
cmp_ok Time::HiRes::time - $start, '<', 1, 'within a second' unless $ENV{TEST_NGINX_TIMEOUT};
$_->close for @left, @lost;
await_figures($t, 'their end', sub ($f) { $f->{active} == 0 });
is_deeply causes($t, 'ended'), { 'lost 1006' => scalar @lost, 'admin 4000' => scalar @left }, 'all is accounted for';
is named($t)->{opened}, @before + @after, 'opened';
--- error_log
exited on signal 9

=== TEST 10: a new binary begins with a zone of its own
--- main_config
env ASAN_OPTIONS; env LSAN_OPTIONS;
--- steps
my $daemon = WebsockifyTest::Daemon->start($t);
my $client = $t->client;
is figures($t)->{active}, 1, 'one in the old';
my $old = $daemon->master;
kill 'USR2', $old;
my $new = await 'the new master', sub { my $pid = $daemon->master; $pid && $pid != $old && $pid };
await 'its worker', sub { $t->nginx->error_log =~ /\] $new#\d+: start worker process \d+/ };
kill 'QUIT', $old;
await 'the old worker to know', sub { $t->nginx->error_log =~ /gracefully shutting down/ };
talks($client, 'goes on');
my $other = $t->client;
is figures($t)->{active}, 1, 'one in the new';
is figures($t)->{workers}, 1, 'which has one worker';
is ended(post($t, 'target=' . $t->targets->address('vnc'))), 1, 'that can be ended';
$other->expect('close 4000 qr/^/');
talks($client, 'and goes on');
$_->close for $client, $other;
await 'the old master to end', sub { !kill 0, $old };
$t->leave;
$daemon->stop;
pass 'and the new one';

=== TEST 11: a page of another origin ends nothing
--- steps
my $client = $t->client;
my ($session) = sessions($t);
for my $origin ('http://evil.example', 'null', 'https://localhost', 'http://localhost.evil.example', 'http://localhost:1') {
    is post($t, "id=$session->{id}", "Origin: $origin")->{status}, 403, $origin;
}
is post($t, "id=$session->{id}", 'Origin: http://localhost', 'Origin: http://localhost')->{status}, 403, 'two';
talks($client, 'alive');
is ended(post($t, "id=$session->{id}", 'Origin: HTTP://LOCALHOST:80')), 1, 'one of our own does, however it writes that';
$client->expect('close 4000 qr/^/');
--- error_log
qr/\[info\] .*client sent a POST from a page of another origin, no session is ended/

=== TEST 12: forms that say nothing
--- steps
my $client = $t->client;
is post($t, $_)->{status}, 400, "<$_>" for '', 'id=', 'id=1', 'id=zzzzzzzzzzzzzzzz', 'reason=x', 'target=', 'token=', 'id=+000000000000001',
    'id=0000000000000001&reason=%ff';
is post($t, $_)->{status}, 404, "<$_>" for 'id=0000000000000001', 'target=nobody', 'token=none';
is post($t, 'x' x 100_000)->{status}, 413, 'a long one';
talks($client, 'alive');

=== TEST 13: a reason is cut between characters
--- steps
my $client = $t->client;
my ($session) = sessions($t);
is ended(post($t, "id=$session->{id}&reason=" . 'x' . '%c3%a9' x 100)), 1, 'ended';
$client->expect('close 4000 qr/\Ax(?:\xc3\xa9){61}\z/');

=== TEST 14: more sessions than the zone has room for
--- http_config
websockify_zone test:32k;
--- steps
my @clients = map { $t->client } 1 .. 100;
my $figures = figures($t);
is $figures->{active}, 100, 'all are counted';
cmp_ok $figures->{listed}, '<', 100, "$figures->{listed} are listed";
is $figures->{unlisted}, 100 - $figures->{listed}, 'the others are not';
is scalar(sessions($t)), $figures->{listed}, 'that is the list';
talks($_, 'x') for @clients;
is named($t)->{bytes_received}, 100, 'bytes of all';
is ended(post($t, 'target=' . $t->targets->address('vnc'))), $figures->{listed}, 'who is listed can be ended';
await_figures($t, 'their end', sub ($f) { $f->{active} == 100 - $figures->{listed} });
$_->close for @clients;
await_figures($t, 'all to end', sub ($f) { $f->{active} == 0 });
is scalar($t->client && sessions($t)), 1, 'there is room again';

=== TEST 15: the figures survive a reload, also one that changes the names; not one that changes the size
--- steps
talks($t->client('/other'), 'abc');
$t->leave;
await_figures($t, 'its end', sub ($f) { $f->{active} == 0 });
$t->nginx->await_worker_end($t->nginx->reload);
is named($t, 'other')->{opened}, 1, 'the same name';
my $conf = $t->{block}{sections}{config};
$t->nginx->configure($t->conf(config => $conf =~ s/status_name other/status_name another/r));
$t->nginx->await_worker_end($t->nginx->reload);
talks($t->client('/other'), 'abcd');
is named($t, 'other')->{bytes_sent}, 3, 'the name of before';
is named($t, 'another')->{bytes_sent}, 4, 'and of now';
my $client = $t->client;
$t->nginx->configure($t->conf(http_config => 'websockify_zone test:128k;'));
$t->nginx->reload;
is figures($t)->{active}, 0, 'nothing yet';
talks($client, 'the old go on');
talks($t->client, 'and the new');
is figures($t)->{active}, 1, 'counted anew';

=== TEST 16: master_process off
--- master_process: off
--- steps
my $client = $t->client;
talks($client, 'hello');
is figures($t)->{active}, 1, 'counted';
is ended(post($t, 'target=' . $t->targets->address('vnc'))), 1, 'and ended';
$client->expect('close 4000 qr/^/');

=== TEST 17: without a zone of one's own, and without a status location
--- http_config
--- config
location /websockify { websockify_pass %%vnc%%; }
location /status { websockify_status on; }
--- steps
talks($t->client, 'hello');
is figures($t)->{active}, 1, 'the zone that is made by itself';
cmp_ok figures($t)->{zone}{size}, '>', 1_000_000, 'of 1m';
$t->nginx->configure($t->conf(config => 'location /websockify { websockify_pass %%vnc%%; }'));
$t->nginx->reload;
talks($t->client, 'no zone');

=== TEST 18: metrics, as Prometheus asks for them
--- steps
talks($t->client, 'hello');
my sub metrics ($path, @headers) {
    my $client = $t->connect;
    $client->send_bytes(WebsockifyTest::Client::request_bytes("GET $path", 'Host: localhost', 'Connection: close', @headers));
    my $response = $client->response;
    return ($response->{body}, $client->header('Content-Type'));
}
my ($text, $type) = metrics('/status?format=prometheus');
is $type, 'text/plain; version=0.0.4; charset=utf-8', 'its type';
like $text, qr/^websockify_sessions_active\{name=""\} 1$/m, 'sessions';
like $text, qr/^websockify_received_bytes_total\{name=""\} 5$/m, 'bytes';
my $accept = 'Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
is((metrics('/status', $accept))[1], $type, 'as a scraper asks');
is((metrics('/status', 'Accept: */*'))[1], 'application/json', 'as curl asks');
is((metrics('/status?format=json', $accept))[1], 'application/json', 'the query counts more');

=== TEST 19: promtool finds nothing to complain of
--- http_config
websockify_zone test:256k;
--- steps
talks($t->client('/other'), 'hello');
$t->leave;
await_figures($t, 'its end', sub ($f) { $f->{active} == 0 });
open my $file, '>', $t->nginx->prefix . '/metrics' or die "open: $!";
print {$file} $t->get('/status?format=prometheus')->{body};
close $file;
my ($status, $out, $complaints) = WebsockifyTest::Program->run('promtool', [qw(promtool check metrics)], input => $t->nginx->prefix . '/metrics');
is $status, 0, 'it takes them';
is "$out$complaints", '', 'without a word';

=== TEST 20: a name is inherited, and replaced
--- config
websockify_status_name all;
location /websockify { websockify_pass %%vnc%%; }
location /other { websockify_pass %%other%%; websockify_status_name other; }
location /status { websockify_status on; }
--- steps
my @clients = map { $t->client($_) } '/websockify', '/websockify', '/other';
is named($t, 'all')->{active}, 2, 'of the server';
is named($t, 'other')->{active}, 1, 'of the location';
is named($t)->{active}, 0, 'none without';

=== TEST 21: the dashboard asks for metrics that there are, by labels that they have
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 20ms; }
location /down { websockify_pass unix:/nowhere; }
location /status { websockify_status on; }
--- steps
my $client = $t->client;
$client->expect('ping qr/./s');
$client->close;
my $refused = $t->connect;
$refused->send_bytes($t->handshake($_)), $refused->response for 'POST /websockify', 'GET /down';
await_figures($t, 'its end', sub ($f) { $f->{active} == 0 });
my %label;
for my $line (split /\n/, $t->get('/status?format=prometheus')->{body}) {
    my ($name, $labels) = $line =~ /^(websockify_\w+)(?:\{(.*)\})? / or next;
    $label{$name}{$_} = 1 for 'instance', ($labels // '') =~ /(\w+)="/g;
}
my $dashboard = decode_json(do { local (@ARGV, $/) = 'nginx-conf/grafana-dashboard.json'; <> });
my @asked = map { $_->{expr} } map { $_->{targets}->@* } $dashboard->{panels}->@*;
for my $asked (@asked) {
    my ($name, $labels) = $asked =~ /(websockify_\w+)\{([^}]*)\}/ or fail($asked);
    ok $label{$name}, $name or next;
    my @by = map { split /, / } $asked =~ /by \(([^)]*)\)/g;
    ok $label{$name}{$_}, "$name has $_" for @by, $labels =~ /(\w+)=/g;
}
cmp_ok @asked, '>', 12, scalar(@asked) . ' questions';
--- error_log
connect() to unix:/nowhere failed

=== TEST 22: by its token, while data flows; the token is nowhere to be seen
--- targets
vnc: streams 500_000_000
other: echoes
--- files
>>> tokens
lunch-7: %%vnc%%
other-8: %%other%%
--- config
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
location /status { websockify_status control; }
--- steps
my @clients = map { $t->client('/websockify?token=lunch-7') } 1 .. 2;
my $other   = $t->client('/websockify?token=other-8');
unlike $t->get('/status?sessions')->{body}, qr/lunch|other-8/, 'no token in the list';
is ended(post($t, 'token=lunch')), 'status 404', 'a part of it is none';
is ended(post($t, 'token=lunch-7&reason=revoked')), 2, 'both of its sessions are ended';
for my $client (@clients) {
    my $frame;
    do { $frame = $client->frame or die "no Close\n" } while $frame->{opcode} == 2;
    is_deeply [ unpack 'n a*', $frame->{payload} ], [ 4000, 'revoked' ], 'a Close that says why';
}
talks($other, 'goes on');
await_figures($t, 'their end', sub ($f) { $f->{active} == 1 });

=== TEST 23: an if and a limit_except show what the location around them does
--- config
location /websockify { websockify_pass %%vnc%%; }
location /if { if ($arg_x) { set $y 1; } websockify_status control; }
location /guarded { limit_except GET { deny all; } websockify_status control; }
location /open { limit_except GET { allow all; } websockify_status control; }
location /inner { websockify_status on; location /inner/most { } }
--- steps
my $client = $t->client;
my ($session) = decode_json($t->get('/if?x=1&sessions')->{body})->{sessions}->@*;
is $t->get('/guarded?sessions')->{status}, 200, 'GET';
is post_to($t, '/guarded', "id=$session->{id}")->{status}, 403, 'no POST';
is post_to($t, '/if?x=1', 'id=0000000000000001')->{status}, 404, 'POST';
is ended(post_to($t, '/open', "id=$session->{id}")), 1, 'and here';
$client->expect('close 4000 qr/^/');
is $t->get('/inner/most')->{status}, 404, 'no other location';
--- error_log
access forbidden by rule
inner/most" failed (2: No such file

=== TEST 24: more workers than the zone has room for
--- http_config
websockify_zone test:32k;
--- workers: 24
--- steps
talks($t->client, 'goes on');
cmp_ok figures($t)->{workers}, '>', 8, 'some are counted';
--- error_log
qr/\[error\] .*: the zone is too small for the figures of this worker$/m

=== TEST 25: more names than the zone has room for, over two configurations
--- config eval
'location /status { websockify_status on; } ' . join '', map { "location /$_ { websockify_status_name $_; }\n" } 1 .. 31
--- steps
my $conf = $t->{block}{sections}{config};
$t->nginx->configure($t->conf(config => "$conf location /websockify { websockify_pass %%vnc%%; websockify_status_name 1; }"));
$t->nginx->reload;
$t->nginx->configure($t->conf(config => 'location /status { websockify_status on; }
    location /websockify { websockify_pass %%vnc%%; websockify_status_name another; }'));
$t->nginx->reload;
talks($t->client, 'counted as none');
is named($t)->{active}, 1, 'counted as none';
--- error_log
the zone has no room for the status name "another" beside those it has had: it is counted as none

=== TEST 26: bells of a zone that was there before, and was gone meanwhile
--- steps
my $before = $t->client;
my $conf   = $t->conf;
$t->nginx->configure($t->conf(http_config => '', config => 'location /websockify { websockify_pass %%vnc%%; }'));
$t->nginx->reload;
$t->nginx->configure($conf);
$t->nginx->reload;
for (1 .. 50) {
    my $client = $t->client;
    is ended(post($t, 'target=' . $t->targets->address('vnc'))), 1, 'one is told';
    $client->expect('close 4000 qr/^/');
    $client->close;
}
talks($before, 'goes on');

=== TEST 27: a worker of another user's that /proc does not show is not taken for a dead one
--- before
die "this test is for root\n" if $>;
# AddressSanitizer has a file of its own, which these users may not be able to read.
$ENV{ASAN_OPTIONS} = 'detect_leaks=0';
delete $ENV{LSAN_OPTIONS};
$t->nginx->run_by('unshare', '-m', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', 'sh');
$t->nginx->configure($t->conf =~ s/^user root;/user nobody nogroup;/mr);
--- steps
my $client = $t->client;
$t->nginx->configure($t->conf =~ s/^user root;/user daemon daemon;/mr);
my ($old) = $t->nginx->reload;
is figures($t)->{workers}, 2, 'both workers';
is figures($t)->{active}, 1, 'and the session of the old one';
is ended(post($t, 'target=' . $t->targets->address('vnc'))), 1, 'which can be ended';
$client->expect('close 4000 qr/^/');
$client->close;
$t->nginx->await_worker_end($old);
is figures($t)->{workers}, 1, 'one worker';
