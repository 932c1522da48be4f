# A client whose network is gone: its packets are dropped, no FIN and no RST ever come. nginx and the client live in a
# network namespace of the test's own, whose loopback interface is taken down; the target is a unix socket, which that
# does not touch.

use v5.36;
use lib 't/lib';
use WebsockifyTest::Namespace;
use Time::HiRes qw(time);
use WebsockifyTest;

defaults(targets => 'vnc (unix): echoes');
run_tests;

# The network goes, and comes back when the scene is over.
sub lose_network () { system('ip link set lo down') == 0 or die 'cannot take the network away' }
sub find_network () { system('ip link set lo up') == 0   or die 'cannot bring the network back' }

__DATA__

=== TEST 1: it is noticed in time, and its target released
--- config
location /websockify { websockify_pass %%vnc%%; websockify_ping_interval 300ms; websockify_ping_timeout 500ms; }
--- steps
my $client = $t->client;
my $start = time;
lose_network;
$t->target_sees('vnc', 'end');
cmp_ok time - $start, '<', 5, sprintf 'after %.2f s', time - $start;
find_network;
--- error_log
client timed out: it did not answer a ping

=== TEST 2: also while data is on its way to it
--- targets
vnc (unix): streams 50_000_000, swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_send_timeout 700ms; }
--- steps
my $client = $t->client;
$client->stream->{reading} = 0;
my $start = time;
lose_network;
$t->await('vnc', 'be released', sub ($report) { grep { $_->{reset} || $_->{eof} || !$_->{open} } $report->{connections}->@* });
cmp_ok time - $start, '<', 8, sprintf 'after %.2f s', time - $start;
find_network;
--- error_log
client timed out: it took no data
