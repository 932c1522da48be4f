# "End of stream or close: what was received is delivered as long as the target takes at least one byte in 5 s (then
# dropped, and logged), then the target is closed" (BEHAVIOUR.md section 2), with targets that take their time.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(sleep time);
use WebsockifyTest;
use WebsockifyTest::Frame qw(encode);
use WebsockifyTest::Hand;
use WebsockifyTest::Util qw(pattern_md5);

defaults(config => 'location /websockify { websockify_pass 127.0.0.1:$arg_to; }');
run_tests;

__DATA__

=== TEST 1: after the client's Close a target that takes a piece now and then, never pausing as long as it may, gets it all
Guards: a look at half of the time forgot what the peer had taken before it, so that half of the time was all it had.
`websockify_send_timeout` makes the 5 s less.
--- config
location /websockify { websockify_pass 127.0.0.1:$arg_to; websockify_buffer_size 4m; websockify_send_timeout 2s; }
--- steps
my $target = WebsockifyTest::Hand->new(rcvbuf => 20_000);
my $client = $t->client($target->path);
my $sent   = $target->fill($client);
my $more   = encode(opcode => 2, mask => "\0\0\0\0", payload => pattern(1_800_000, $sent)) . encode(opcode => 8);
is $client->stream->write_until_full($more), length $more, 'the kernel has all of it';
$sent += 1_800_000;
# nginx reads the Close once it could send what it had read before.
until (length $client->stream->{in}) {
    $target->take(50_000);
    $client->stream->turn(0, 0.005);
}
$client->expect('close');
# What is in nginx's hands now waits until a third of its kernel's buffer is free.
my $held = $sent - $target->{size};
for (1 .. 4) {
    sleep 1.4;
    $target->take(50_000);
}
$target->take_all;
is $target->{size}, $sent, "all of it, of which $held bytes after the Close";
is $target->md5, pattern_md5($sent), 'byte for byte';
is $target->{ended}, 'end', 'and an orderly end';
--- no_error_log
were not taken

=== TEST 2: the 5 s begin when the client leaves, however long the target has taken nothing before
Guards: they had begun when the target got full, so that some clients' last words had no time at all.
--- steps
my $target = WebsockifyTest::Hand->new(rcvbuf => 4096);
my $client = $t->client($target->path);
my $sent   = $target->fill($client);
sleep 4;
$client->close;
sleep 2.2;
$target->take_all;
is $target->{size}, $sent, 'all of it';
is $target->{ended}, 'end', 'and an orderly end';
--- no_error_log
were not taken
