#!/usr/bin/perl

# nginx under two thousand sessions of every behaviour, with reloads and a target that restarts: run by scripts/soak.
# At the end memory and descriptors have to be where they were after the first minute.
#
#   SOAK_SECONDS     how long (1800)
#   SOAK_SESSIONS    how many at a time (2000)

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time sleep);
use WebsockifyTest;
use WebsockifyTest::Program;
use WebsockifyTest::Util qw(await slurp);

# What may be more at the end than after the first minute: a tenth, for sessions come and go by chance.
use constant { MORE => 1.1, MORE_KB => 2048, MORE_DESCRIPTORS => 50 };

my ($driver) = @ARGV;
my $length   = $ENV{SOAK_SECONDS}  || 1800;
my $sessions = $ENV{SOAK_SESSIONS} || 2000;
# When it is looked at, and for how long. The last worker lives for the last two fifths.
my $settled = $length > 180 ? 60 : $length / 3;
my $window  = $length > 180 ? 30 : $length / 6;
my @reloads = map { $length * $_ / 5 } 2, 2.5, 3;
# Not where it is looked at: for a moment there are hardly any sessions then.
my $restart = int($length > 180 ? 100 : $length / 4) + 1;

my $scene = WebsockifyTest::Scene->new({ name => 'soak', sections => { log_level => 'notice' } });
my $load  = WebsockifyTest::Program->start('load',
    [ $driver, $scene->port, $sessions, int $length, $restart ]);
my @targets = split ' ', $load->await_output(qr/^targets ([\d ]+)$/m);
$scene->nginx->configure(conf());
my $start = time;
$scene->start;

my @samples;
my $before;
while (time - $start < $length) {
    if (@reloads && time - $start > $reloads[0]) {
        shift @reloads;
        $scene->nginx->reload;
    }
    push @samples, sample(time - $start);
    sleep 1;
}
my ($early, $late) = map { summary(@$_) } [ $settled, $settled + $window ], [ $length - $window, $length ];
diag sprintf '%-22s %8d kB %8d descriptors %2d workers', "after $_->{from} s", @$_{qw(pss descriptors workers)}
    for $early, $late;

my $status = eval { $load->wait(400) };
diag $load->output;
is $status, 0, 'every session came to the end that it had to' or diag($@ || $load->errors);
my ($worker) = my @workers = $scene->nginx->workers;
is @workers, 1, 'the old workers have ended';
cmp_ok $late->{pss}, '<=', $early->{pss} * MORE + MORE_KB, 'memory is where it was';
# On a busy machine some sessions still waited to be accepted then.
my ($most) = sort { $b <=> $a } $early->{descriptors}, 2 * $sessions;
cmp_ok $late->{descriptors}, '<=', $most * MORE + MORE_DESCRIPTORS, 'descriptors are where they were';

# With nobody there a worker has what it began with.
ok eval { await 'connections to be closed', sub { sockets($worker) <= 1 }, 70 }, 'no connection is left'
    or diag(sockets($worker), ' sockets');
diag sprintf '%-22s %8d kB %8d descriptors', 'when all are gone', @{ sample(0) }{qw(pss descriptors)};
is $scene->nginx->stop, 0, 'nginx ends';
my @bad = $scene->nginx->error_log =~ /^.*\[(?:alert|crit|emerg)\].*$/mg;
is @bad, 0, 'nothing bad is in the error log' or diag(join "\n", splice @bad, 0, 20);
my $errors = () = $scene->nginx->error_log =~ /\[error\]/g;
diag "$errors lines of errors, as of a target that is away";
done_testing;

# After a restart of the target all sessions come back at once, and shall find a place in the queues: a connection that
# the kernel has to turn away is reset in the middle of its handshake.
sub conf () {
    my $servers = join ' ', map { "server 127.0.0.1:$_ max_fails=0;" } @targets;
    my $conf = $scene->conf(events_config => 'multi_accept on;', http_config => "upstream target { $servers }", config => <<~'END');
        access_log off;
        location / { websockify_pass target; websockify_ping_interval 2s; websockify_ping_timeout 3m; }
        END
    return $conf =~ s/worker_connections 2048/worker_connections 9000/r =~ s/(listen 127\.0\.0\.1:\d+)/$1 backlog=4096/r;
}

# Of all workers together.
sub sample ($at) {
    my %sum = (at => $at, pss => 0, descriptors => 0, workers => 0);
    for my $pid ($scene->nginx->workers) {
        my ($pss) = slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+)/m or next;
        my @open = glob "/proc/$pid/fd/*";
        $sum{pss}         += $pss;
        $sum{descriptors} += @open;
        $sum{workers}++;
    }
    return \%sum;
}

# The median of each figure between two moments.
sub summary ($from, $to) {
    my @within = grep { $_->{at} >= $from && $_->{at} <= $to } @samples;
    my %median = (from => int $from);
    for my $what (qw(pss descriptors workers)) {
        my @sorted = sort { $a <=> $b } map { $_->{$what} } @within;
        $median{$what} = $sorted[ @sorted / 2 ];
    }
    return \%median;
}

# TCP sockets of a process: what it listens at, and connections.
sub sockets ($pid) {
    my %inode = map { $_ => 1 } map { (readlink($_) // '') =~ /\Asocket:\[(\d+)\]/ } glob "/proc/$pid/fd/*";
    return scalar grep { $inode{$_} } map { (split)[9] // '' } split /\n/, slurp("/proc/$pid/net/tcp");
}
