# Sessions of random life, several at once: "Nothing lost, nothing twice". WEBSOCKIFY_TEST_LIVES says how many (10,000), and
# WEBSOCKIFY_TEST_SEED where their seeds begin; a life is lived again with that seed and one life.

use v5.36;
use lib 't/lib';
use POSIX ();
use WebsockifyTest;
use WebsockifyTest::Life;
use WebsockifyTest::Proc qw(descriptors_of memory_of);
use WebsockifyTest::Util qw(await);

use constant {
    LIVES   => $ENV{WEBSOCKIFY_TEST_LIVES} || 10_000,
    SEED    => $ENV{WEBSOCKIFY_TEST_SEED}  || 1,
    AT_ONCE => 10,         # in each of two processes
    GROWS   => 1_500_000,  # bytes that the allocator may keep: less than one for each session would be
};

defaults(config => <<~"END");
    location /websockify { websockify_pass 127.0.0.1:\$arg_to; websockify_bind ${\WebsockifyTest::Life::NGINX}; }
    location /status     { stub_status; }
    END
run_tests;

# Lives the lives of these seeds in two processes.
sub live ($t, @seeds) {
    my $half = @seeds / 2;
    my @parts = ([ @seeds[ 0 .. $half - 1 ] ], [ @seeds[ $half .. $#seeds ] ]);
    my $port = $t->port;
    my @said = map {
        my $part = $_;
        my $pid = open my $said, '-|' // die "fork: $!";
        if (!$pid) {
            my $result = eval { WebsockifyTest::Life::play($port, AT_ONCE, @$part) };
            say join "\n", $result ? ("$result->{up} $result->{down}", $result->{wrong}->@*) : ('0 0', $@);
            STDOUT->flush;
            POSIX::_exit(0);
        }
        $said;
    } @parts;
    my ($up, $down, @wrong) = (0, 0);
    for my $said (@said) {
        my ($counts, @lines) = readline $said;
        my @count = split ' ', $counts;
        $up += $count[0];
        $down += $count[1];
        push @wrong, @lines;
        close $said;
    }
    chomp @wrong;
    is_deeply \@wrong, [], scalar(@seeds) . " lives, $up bytes up and $down down";
}

# Connections of clients that nginx has, but for the one that asks.
sub connections ($t) { my ($n) = $t->get('/status')->{body} =~ /Active connections: (\d+)/; return $n - 1 }

__DATA__

=== TEST 1: what was counted at both ends agrees, and afterwards no connection and no memory is left
--- steps
my ($worker) = $t->nginx->workers;
is connections($t), 0, 'no connection yet';
my $open  = descriptors_of($worker);
my @seeds = map { SEED + $_ } 0 .. LIVES - 1;
live($t, splice @seeds, 0, LIVES / 5) if LIVES > 10;
my $sub = sub { connections($t) == 0 && descriptors_of($worker) <= $open };
ok eval { await 'the connections to go', $sub }, 'no connection is left';
my $before = memory_of($worker);
live($t, @seeds);
ok eval { await 'the connections to go', $sub }, 'no connection is left' or diag descriptors_of($worker), ' of ', $open;
my $grown = memory_of($worker) - $before;
cmp_ok $grown, '<', GROWS, "$grown bytes of memory more";
--- error_log
qr/\[error\] .*(?:reset|[Bb]roken pipe)/
