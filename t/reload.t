# BEHAVIOUR.md section 2, worker shutdown: sessions go on until they end, whatever becomes of the configuration.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Sessions qw(talks);

defaults(
    targets => 'vnc: echoes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

__DATA__

=== TEST 1: a session survives a reload, and its worker ends when it does
--- steps
my $client = $t->client;
talks($client, 'before');
my @old = $t->nginx->reload;
talks($client, 'after');
talks($t->client, 'in a new worker');
ok kill(0, @old), 'the old worker is there';
$client->send('close 1000');
$client->expect('close 1000 ""');
is $client->saw_end, 'end', 'the session ends';
$client->close;
$t->nginx->await_worker_end(@old);
pass 'and its worker';

=== TEST 2: a session survives many reloads
--- steps
my ($client, @old) = $t->client;
for my $n (1 .. 5) {
    push @old, $t->nginx->reload;
    talks($client, "reload $n");
}
$client->close;
$t->nginx->await_worker_end($old[0]);
pass 'the first worker has ended';

=== TEST 3: a client or a target that goes after the reload
--- targets
vnc: echoes
short: awaits "end", closes
--- config
location /websockify { websockify_pass %%vnc%%; }
location /short { websockify_pass %%short%%; }
--- steps
my ($gone, $broken, $short) = ($t->client, $t->client, $t->client('/short'));
my @old = $t->nginx->reload;
$gone->close;
$broken->reset;
$short->send('binary "end"');
$short->expect('close 1000 "target closed"');
$short->send('close 1000');
$short->saw_end;
$short->close;
$t->nginx->await_worker_end(@old);
pass 'the old worker has ended';

=== TEST 4: data on its way during the reload
--- steps
my $client = $t->client;
my $bytes  = (WebsockifyTest::Frame::parse_frames('binary pattern(5_000_000)'))[0];
my $half   = length($bytes) / 2;
$client->send_bytes(substr $bytes, 0, $half);
$t->nginx->reload;
$client->send_bytes(substr $bytes, $half);
$client->expect('binary pattern(5_000_000)');
pass 'five million bytes';

=== TEST 5: a new configuration is for new sessions
--- targets
one: sends "one", echoes
two: sends "two", echoes
--- config
location /websockify { websockify_pass %%one%%; }
--- steps
my $old = $t->client;
$old->expect('binary "one"');
$t->nginx->configure($t->conf(config => 'location /websockify { websockify_pass %%two%%; }'));
$t->nginx->reload;
$t->client->expect('binary "two"');
talks($old, 'the old target');

=== TEST 6: several workers, many sessions
--- workers: 4
--- steps
my @clients = map { $t->client } 1 .. 40;
$_->send('binary "hello"') for @clients;
$_->expect('binary "hello"') for @clients;
my @old = $t->nginx->reload;
push @clients, map { $t->client } 1 .. 40;
$_->send('binary "again"') for @clients;
$_->expect('binary "again"') for @clients;
$_->close for splice @clients, 0, 40;
$t->nginx->await_worker_end(@old);
$_->send('binary "still"') for @clients;
$_->expect('binary "still"') for @clients;
pass 'all of them';
--- target_connections
vnc: 80

=== TEST 7: idle workers end at once at a reload
--- workers: 2
--- steps
$t->client->close;
my @old = $t->nginx->reload;
$t->nginx->await_worker_end(@old);
pass 'both';

=== TEST 8: nginx -s quit: tunnels go on until they end
--- steps
my $client = $t->client;
$t->nginx->signal('QUIT');
$t->nginx->await_log(qr/gracefully shutting down/);
talks($client, 'while shutting down');
$client->send('close 1000');
$client->expect('close 1000 ""');
$client->close;
is $t->nginx->stop, 0, 'nginx ends';

=== TEST 9: worker_shutdown_timeout: told 1001
--- main_config
worker_shutdown_timeout 200ms;
--- steps
my $client = $t->client;
talks($client, 'before');
my @old = $t->nginx->reload;
$client->expect('close 1001 qr/^/');
$t->target_sees('vnc', 'end');
$t->nginx->await_worker_end(@old);
pass 'told';

=== TEST 10: worker_shutdown_timeout: several sessions, one of them stuck
--- main_config
worker_shutdown_timeout 200ms;
--- targets
vnc: streams 50_000_000, swallows
--- steps
my @clients = map { $t->client('/websockify', rcvbuf => 4096) } 1 .. 3;
$_->stream->{reading} = 0 for @clients;
my @old = $t->nginx->reload;
$t->nginx->await_worker_end(@old);
pass 'the worker has ended';

=== TEST 11: SIGTERM: at once
--- steps
my $client = $t->client;
talks($client, 'before');
is $t->nginx->stop('TERM'), 0, 'nginx ends';
$client->saw_end;
$t->await('vnc', 'be left', sub ($report) { !$report->{connections}[0]{open} });
pass 'and the session with it';

=== TEST 12: a worker killed costs its own sessions only
--- workers: 2
--- steps
my @clients = map { $t->client } 1 .. 20;
talks($clients[0], 'before');
my ($victim) = $t->nginx->workers;
kill 'KILL', $victim;
$t->nginx->await_log(qr/worker process $victim exited on signal 9/);
talks($t->client, 'a new session');
my $alive = 0;
for my $client (@clients) {
    $alive++ if eval { $client->send('binary "alive"'); $client->expect('binary "alive"'); 1 };
}
note "$alive of 20 are alive";
--- error_log
exited on signal 9

=== TEST 13: 500 sessions with traffic live through two reloads untouched
Each has half a frame on its way in whenever the workers change, and an echo on its way out.
--- workers: 2
--- steps
my @clients = map { $t->client } 1 .. 500;
my @old;
for my $round (1 .. 2) {
    my ($frame) = WebsockifyTest::Frame::parse_frames("binary mask 00000000 pattern(1000, $round)");
    $_->send_bytes(substr $frame, 0, 500) for @clients;
    push @old, $t->nginx->reload;
    $_->send_bytes(substr($frame, 500) . $frame) for @clients;
    $_->expect("binary pattern(1000, $round) . pattern(1000, $round)") for @clients;
}
for my $client (@clients) {
    $client->send('close 1000');
    $client->expect('close 1000');
    $client->close;
}
$t->nginx->await_worker_end(@old);
pass 'all of them';
--- target_connections
vnc: 500
