# What a target's connection is after its session: nothing that is on its way to the target is lost, and nobody is to
# blame for how it ends.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;
use WebsockifyTest::Hand;
use WebsockifyTest::Util qw(pattern_md5);

defaults(config => 'location /websockify { websockify_pass 127.0.0.1:$arg_to; }');
run_tests;

__DATA__

=== TEST 1: a target that reads for longer than 5 s, and says something meanwhile, gets it all, and an orderly end
Guards: the connection was closed after 5 s, and what the target then said met a reset, which lost it all the rest.
--- steps
my $target = WebsockifyTest::Hand->new(rcvbuf => 20_000);
my $client = $t->client($target->path);
$client->send('binary mask 00000000 pattern(2_000_000) & close 1000');
$client->expect('close 1000 ""');
$client->close;
my $start = time;
$target->say('hello');
for (1 .. 32) {
    $target->take(60_000);
    $target->say('progress');
    Time::HiRes::sleep 0.2;
}
$target->take_all;
is $target->{size}, 2_000_000, 'all of it';
is $target->md5, pattern_md5(2_000_000), 'byte for byte';
is $target->{ended}, 'end', 'and an orderly end';
cmp_ok time - $start, '>', 5.5, sprintf 'after %.1f s', time - $start;

=== TEST 2: a target that resets after a clean session: nothing above info
Guards: what the connection's end brings was logged as an error of the target's.
--- targets
vnc: awaits "all", waits, resets
--- config
location /websockify { websockify_pass %%vnc%%; }
--- dialogue
client sends binary "all" & close 1000
client gets close 1000 ""
client sees end
vnc sees end
vnc is told
--- error_log
qr/\[info\] \S+ (?:\*\d+ )?recv\(\) failed \(104: /

=== TEST 3: nor where something was on its way to it
--- steps
my $target = WebsockifyTest::Hand->new(rcvbuf => 20_000);
my $client = $t->client($target->path);
$client->send('binary mask 00000000 pattern(1_000_000) & close 1000');
$client->expect('close 1000 ""');
$target->take(400_000);
is $client->saw_end, 'end', 'the session is over';
$target->reset;
--- error_log
qr/\[info\] \S+ (?:\*\d+ )?recv\(\) failed \(104: /
