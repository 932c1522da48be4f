# Workers and masters that go: one killed costs nobody but its own sessions, and a new binary takes over from one whose
# sessions go on.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Daemon;
use WebsockifyTest::Sessions qw(sessions_in_all talks worker_of);
use WebsockifyTest::Util qw(await);

defaults(
    targets => 'vnc: echoes',
    config  => 'add_header X-Worker $pid always; location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

__DATA__

=== TEST 1: SIGKILL of a worker leaves the others and the master serving
--- workers: 3
--- steps
my @clients = sessions_in_all($t, least => 40);
talks($_, 'before') for @clients;
my $victim = worker_of($clients[0]);
my @lost   = grep { worker_of($_) == $victim } @clients;
my @others = grep { worker_of($_) != $victim } @clients;
kill 'KILL', $victim;
$t->nginx->await_log(qr/worker process $victim exited on signal 9/);
$_->saw_end for @lost;
pass @lost . ' sessions are lost';
talks($_, 'after') for @others;
pass @others . ' sessions go on';
await 'another worker', sub { $t->nginx->workers_started == 4 };
talks($t->client, 'new') for 1 .. 10;
my @old = $t->nginx->workers;
$_->close for @lost;
$t->await('vnc', 'be left by the lost', sub ($report) { @lost == grep { $_->{eof} || $_->{reset} } $report->{connections}->@* });
pass 'their targets are left';
--- error_log
exited on signal 9

=== TEST 2: and of every worker in turn, with frames on their way
--- workers: 2
--- steps
my $bytes = (WebsockifyTest::Frame::parse_frames('binary mask 00000000 pattern(300_000)'))[0];
for my $n (1 .. 4) {
    my @clients = map { $t->client } 1 .. 4;
    $_->stream->write_until_full(substr($bytes, 0, 150_000), 0.05) for @clients;
    my ($victim) = $t->nginx->workers;
    kill 'KILL', $victim;
    await 'another worker', sub { $t->nginx->workers_started == 2 + $n };
    for my $client (grep { worker_of($_) != $victim } @clients) {
        $client->send_bytes(substr $bytes, 150_000);
        $client->expect('binary pattern(300_000)');
    }
    $_->close for @clients;
}
talks($t->client, 'at last');
--- error_log
exited on signal 9

=== TEST 3: binary upgrade (USR2, then QUIT of the old master) keeps sessions
--- main_config
env ASAN_OPTIONS; env LSAN_OPTIONS;
--- steps
my $daemon = WebsockifyTest::Daemon->start($t);
my @clients = map { $t->client } 1 .. 5;
talks($_, 'before') for @clients;
my $half = (WebsockifyTest::Frame::parse_frames('binary "before and after"'))[0];
$clients[0]->send_bytes(substr $half, 0, 12);
my $old = $daemon->master;
kill 'USR2', $old;
my $new = await 'the new master', sub { my $pid = $daemon->master; $pid && $pid != $old && $pid };
is $daemon->old_master, $old, 'both masters are there';
await 'its worker', sub { $t->nginx->error_log =~ /\] $new#\d+: start worker process \d+/ };
talks($_, 'with both') for @clients[ 1 .. 4 ];
kill 'QUIT', $old;
await 'the old worker to know', sub { $t->nginx->error_log =~ /gracefully shutting down/ };
$clients[0]->send_bytes(substr $half, 12);
$clients[0]->expect('binary "before and after"');
talks($_, 'with the new') for @clients;
my %worker = map { worker_of($_) => 1 } @clients;
for (1 .. 10) {
    my $client = $t->client;
    talks($client, 'new');
    ok !$worker{ worker_of($client) }, 'in the new worker' or last;
    $client->close;
}
ok kill(0, $old), 'the old master waits';
for my $client (@clients) {
    $client->send('close 1000');
    $client->expect('close 1000');
    is $client->saw_end, 'end', 'an orderly end';
    $client->close;
}
await 'the old master to end', sub { !kill 0, $old };
talks($t->client, 'afterwards');
$t->leave;
$daemon->stop;
pass 'and the new one';

=== TEST 4: going back: the new master quits, the old one starts its workers again
--- main_config
env ASAN_OPTIONS; env LSAN_OPTIONS;
--- steps
my $daemon = WebsockifyTest::Daemon->start($t);
my $client = $t->client;
my $old = $daemon->master;
kill 'USR2', $old;
my $new = await 'the new master', sub { my $pid = $daemon->master; $pid && $pid != $old && $pid };
await 'its worker', sub { $t->nginx->error_log =~ /\] $new#\d+: start worker process \d+/ };
kill 'WINCH', $old;
await 'the old worker to know', sub { $t->nginx->error_log =~ /gracefully shutting down/ };
talks($client, 'with both');
my $other = $t->client;
isnt worker_of($other), worker_of($client), 'the new worker';
kill 'HUP', $old;
await 'the old master to start workers', sub { (() = $t->nginx->error_log =~ /\] $old#\d+: start worker process \d+/g) >= 2 };
kill 'QUIT', $new;
talks($other, 'in a worker that goes');
talks($client, 'in one that went before');
$_->close for $client, $other;
await 'the new master to end', sub { !kill 0, $new };
await 'the old to be the only one', sub { $daemon->master == $old };
talks($t->client, 'back');
$t->leave;
$daemon->stop;
pass 'and it ends';
