# websockify_upload_rate and websockify_download_rate: so many bytes a second and no more, in small steps, and nothing
# else waits for it. Times here are what is tested; nothing is too slow on a busy machine.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;
use WebsockifyTest::Hand;

defaults(
    targets => "vnc: echoes\nspeaker: streams 60_000, swallows\ndeaf: swallows",
    config  => <<~'END',
        location /websockify { websockify_pass %%vnc%%; }
        location /down { websockify_pass %%speaker%%; websockify_download_rate 40k; }
        location /up   { websockify_pass %%deaf%%; websockify_upload_rate 40k; }
        END
);
run_tests;

# The payload that comes within `$size` bytes: how long it takes, and the longest frame.
sub receive ($client, $size) {
    my ($start, $got, $longest) = (time, 0, 0);
    while ($got < $size) {
        my $frame = $client->frame;
        next if $frame->{opcode} > 2;
        $got += length $frame->{payload};
        $longest = length $frame->{payload} if length $frame->{payload} > $longest;
    }
    return (time - $start, $longest);
}

__DATA__

=== TEST 1: a target's 60,000 bytes at 40,960 a second, in small frames
--- steps
my ($seconds, $longest) = receive($t->client('/down'), 60_000);
cmp_ok $seconds, '>', 60_000 / 40_960 - 0.2, sprintf '%.2f s', $seconds;
cmp_ok $longest, '<=', 4_096, "no frame of more than a tenth of a second: $longest";

=== TEST 2: a client's, whatever its frames
--- steps
my $client = $t->client('/up');
my $start  = time;
$client->send('binary pattern(30_000) & binary pattern(30_000, 30_000)');
$t->target_gets('deaf', pattern(60_000));
my $seconds = time - $start;
cmp_ok $seconds, '>', 60_000 / 40_960 - 0.2, sprintf '%.2f s', $seconds;

=== TEST 3: each direction for itself
--- steps
my $client = $t->client('/down');
$client->send('binary pattern(3_000_000)');
my $start = time;
$t->target_gets('speaker', pattern(3_000_000));
receive($client, 60_000);
cmp_ok time - $start, '<', 60, 'the other one is not limited';
$client = $t->client;
$client->send('binary pattern(500_000)');
receive($client, 500_000);
pass 'no limit where none is set';

=== TEST 4: pings are answered meanwhile
--- steps
my $client = $t->client('/down');
$client->send('ping "here"');
my $got = 0;
while (1) {
    my $frame = $client->frame;
    last if $frame->{opcode} == 10;
    $got += length $frame->{payload};
}
cmp_ok $got, '<', 40_000, "after $got bytes";

=== TEST 5: waiting for it is neither idleness nor silence
--- config
location /down {
    websockify_pass %%speaker%%;
    websockify_download_rate 40k;
    websockify_idle_timeout 100ms; websockify_read_timeout 100ms; websockify_send_timeout 100ms;
}
location /up {
    websockify_pass %%deaf%%;
    websockify_upload_rate 20k;
    websockify_idle_timeout 100ms; websockify_read_timeout 100ms; websockify_ping_interval 70ms; websockify_ping_timeout 70ms;
}
--- targets
speaker: streams 30_000, swallows
deaf: swallows
--- steps
receive(my $client = $t->client('/down'), 30_000);
$client->expect('close 1000 "idle"');
$client = $t->client('/up');
$client->send('binary pattern(15_000)');
$t->target_gets('deaf', pattern(15_000));
pass 'all of it, and then it is idle';

=== TEST 6: the end does not wait for it
--- targets
speaker: streams 1_000_000, swallows
deaf: swallows
--- config
location /down { websockify_pass %%speaker%%; websockify_download_rate 1k; }
location /up   { websockify_pass 127.0.0.1:$arg_to; websockify_upload_rate 1k; }
--- steps
my $client = $t->client('/down');
$client->frame;
$client->send('close 1000');
my $frame;
do { $frame = $client->frame } while $frame->{opcode} == 2;
is $frame->{opcode}, 8, 'the Close, at once';
my $hand = WebsockifyTest::Hand->new;
$client = $t->client($hand->path('/up'));
$client->send('binary pattern(100_000)');
$hand->take(100);
$hand->end;
$client->expect('close 1000 "target closed"');
$client->send('close 1000');
$hand->take_all;
is $hand->{size}, 100_000, 'what the client had sent before its answer is there';

=== TEST 7: variables, asked once for each session; inheritance
--- http_config
map $arg_who $rate { fast 0; slow 10k; none ""; bad quick; }
websockify_download_rate $rate;
--- targets
speaker: streams 11_000, swallows
--- config
location /own     { websockify_pass %%speaker%%; }
location /another { websockify_pass %%speaker%%; websockify_download_rate 0; }
--- steps
my ($slow)    = receive($t->client('/own?who=slow'), 11_000);
my ($another) = receive($t->client('/another?who=slow'), 11_000);
cmp_ok $slow, '>', 0.8, 'as the variable says';
cmp_ok $another, '<', $slow, 'as its location says';
receive($t->client("/own?who=$_"), 11_000) for qw(fast bad);
--- error_log
qr/\[error\] .*invalid size "quick"/

=== TEST 8: no rate
--- config
websockify_upload_rate fast;
--- emerg: "websockify_upload_rate" directive invalid value

=== TEST 9: websockify_download_rate twice
--- config
location / { websockify_download_rate 1k; websockify_download_rate $arg_rate; }
--- emerg: "websockify_download_rate" directive is duplicate

=== TEST 10: both are inherited from level to level, and replaced
--- http_config
websockify_upload_rate 10k; websockify_download_rate 10k;
--- targets
speaker: streams 11_000, swallows
--- config
location /own { websockify_pass %%speaker%%; }
location /free {
    websockify_upload_rate 0; websockify_download_rate 0;
    location /free/inner { websockify_pass %%speaker%%; }
}
--- steps
my %seconds;
for my $path ('/own', '/free/inner') {
    my $client = $t->client($path);
    ($seconds{$path}{down}) = receive($client, 11_000);
    my $start = time;
    $client->send('binary pattern(11_000)');
    $t->target_gets('speaker', pattern(11_000));
    $seconds{$path}{up} = time - $start;
}
for my $way (qw(down up)) {
    cmp_ok $seconds{'/own'}{$way}, '>', 0.8, "$way: as the http block says";
    cmp_ok $seconds{'/free/inner'}{$way}, '<', $seconds{'/own'}{$way}, "$way: as the location around it says";
}
