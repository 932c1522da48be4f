# Worker shutdown (BEHAVIOUR.md section 2): "tunnels go on until they end or `worker_shutdown_timeout` closes them, and
# are then told 1001; `websockify_shutdown_close 10s` tells each tunnel 1001 at a frame boundary, spread evenly over that
# time".

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;

defaults(
    targets => 'vnc: echoes',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

__DATA__

=== TEST 1: worker_shutdown_timeout: told 1001
--- main_config
worker_shutdown_timeout 300ms;
--- steps
my @clients = map { $t->client } 1 .. 5;
my $start = time;
my @old = $t->nginx->reload;
$_->expect('close 1001 "server is shutting down"') for @clients;
cmp_ok time - $start, '>', 0.25, 'not before its time';
$t->nginx->await_worker_end(@old);
$t->target_sees('vnc', 'end', $_) for 0 .. 4;
pass 'the targets are let go';

=== TEST 2: what the client had sent before has gone to the target
--- main_config
worker_shutdown_timeout 300ms;
--- targets
vnc: swallows
--- steps
my $client = $t->client;
$client->send('binary pattern(100_000)');
my @old = $t->nginx->reload;
$client->expect('close 1001 "server is shutting down"');
$t->target_gets('vnc', pattern(100_000));
$t->nginx->await_worker_end(@old);

=== TEST 3: websockify_shutdown_close: each is told, spread evenly over the time
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close 1s; }
--- steps
my @clients = map { $t->client } 1 .. 10;
my @old = $t->nginx->reload;
my ($start, @told) = time;
for my $client (@clients) {
    $client->expect('close 1001 "server is shutting down"');
    push @told, time - $start;
    $client->send('close 1001');
    is $client->saw_end, 'end', 'and no reset';
    $client->close;
}
cmp_ok $told[-1], '>', 0.6, sprintf 'the last one after %.2f s', $told[-1];
$t->nginx->await_worker_end(@old);
$t->client->send('close 1000');

=== TEST 4: websockify_shutdown_close 0: all at once
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close 0; }
--- steps
my @clients = map { $t->client } 1 .. 10;
my $start = time;
my @old = $t->nginx->reload;
$_->expect('close 1001 "server is shutting down"') for @clients;
cmp_ok time - $start, '<', 5, 'soon';
for my $client (@clients) {
    $client->send('close 1001');
    $client->close;
}
$t->nginx->await_worker_end(@old);

=== TEST 5: a session that is told still has its say until it answers
--- targets
vnc: swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close 0; }
--- steps
my $client = $t->client;
my @old = $t->nginx->reload;
$client->expect('close 1001 "server is shutting down"');
$client->send('binary "late" & close 1001');
$t->target_gets('vnc', 'late');
$client->close;
$t->nginx->await_worker_end(@old);

=== TEST 6: frames are whole when 1001 comes
--- targets
vnc: streams 20_000_000, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close 0; }
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
$client->frame;
my @old = $t->nginx->reload;
my $frame;
do { $frame = $client->frame } while $frame && $frame->{opcode} == 2;
is $frame && $frame->{opcode}, 8, 'a Close after whole frames';
$client->send('close 1001');
$client->close;
$t->nginx->await_worker_end(@old);

=== TEST 7: websockify_shutdown_close off, within another level's time
--- http_config
websockify_shutdown_close 0;
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close off; }
--- steps
my $client = $t->client;
$t->nginx->reload;
$client->send('binary "still here"');
$client->expect('binary "still here"');

=== TEST 8: SIGTERM closes everything at once, and says why where it can
--- stop_with: TERM
--- allow_open
--- steps
my $client = $t->client;
$client->send('binary "x"');
$client->expect('binary "x"');
pass 'open';

=== TEST 9: an invalid time
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close sometime; }
--- emerg
"websockify_shutdown_close" directive invalid value

=== TEST 10: twice
--- config
location /websockify { websockify_pass %%vnc%%; websockify_shutdown_close 0; websockify_shutdown_close off; }
--- emerg
"websockify_shutdown_close" directive is duplicate
