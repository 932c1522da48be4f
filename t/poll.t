# With poll, which tells of room and of bytes for as long as they are there, and of both apart. nginx has it where it was
# configured so, as the vendored one is.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(sleep time);
use WebsockifyTest;
use WebsockifyTest::Hand;
use WebsockifyTest::Nginx;
use WebsockifyTest::Proc qw(seconds_of);
use WebsockifyTest::Util qw(pattern_md5);

plan skip_all => 'nginx is not configured with poll' if !WebsockifyTest::Nginx::has_flag('--with-poll_module');
defaults(events_config => 'use poll;');
run_tests;

__DATA__

=== TEST 1: both ways at once, more than fits anywhere
--- log_level: notice
--- targets
vnc: echoes
--- config
location /websockify { websockify_pass %%vnc%%; }
--- steps
my $result = $t->client->pump(send => 20 << 20, receive => 20 << 20, frame => 4_093);
is $result->{md5}, pattern_md5(20 << 20), 'byte for byte';
--- error_log
using the "poll" event method

=== TEST 2: room that nothing waits for any more is told once
Guards: it was not heard and not turned off, and the worker went round and round.
--- config
location /websockify { websockify_pass 127.0.0.1:$arg_to; websockify_session_timeout $arg_for; }
--- steps
my $start  = time;
my $target = WebsockifyTest::Hand->new(rcvbuf => 20_000);
my $client = $t->client($target->path . '&for=5s');
my $sent   = $target->fill($client);
$target->fill_back($client);
my ($worker) = $t->nginx->workers;
# What waits for the target is dropped then; for the client's last words there are 5 s.
my $left = $start + 5.4 - time;
sleep $left if $left > 0;
$target->take($sent - 500_000);
my $used = seconds_of($worker);
sleep 2;
cmp_ok seconds_of($worker) - $used, '<', 0.1, 'it sleeps';
$client->close;
