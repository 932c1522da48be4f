#!/usr/bin/perl

# `make bench` works: each workload for a moment, every byte checked, without a look at the figures.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Proc qw(descendants_of is_alive);
use WebsockifyTest::Program qw(require_programs);
use WebsockifyTest::Util qw(await);

my $bench = "$FindBin::Bin/../scripts/bench";
require_programs(qw(cargo taskset setpriv openssl));
my @nginx = WebsockifyTest::Nginx::binary();
plan skip_all => 'nginx is wrapped in another program' if @nginx > 1;
local $ENV{TEST_NGINX_BINARY} = $nginx[0];
local $ENV{TEST_NGINX_MODULE} = WebsockifyTest::Nginx::module();

my @workloads = map { /^([a-z]\S*) / ? $1 : () } qx($bench --list 2>&1);
cmp_ok(@workloads, '>', 15, 'workloads');
my $said = qx($bench --smoke 2>&1);
is($?, 0, 'it runs') or diag($said);
for my $workload (@workloads) {
    like($said, qr/^ 1 \Q$workload\E +ours +[\d.]+ \D/m, "$workload: figures of ours");
    unlike($said, qr/^ 1 \Q$workload\E .*failed/m, "$workload: nobody failed");
}

# What it is to see it sees: a server that ends its sessions.
my $wrong = qx($bench --smoke --module 'wrong=$ENV{TEST_NGINX_MODULE},websockify_max_frame_size 1k;' echo-4k-1 2>&1);
isnt($?, 0, 'what fails makes it fail');
like($wrong, qr/^ 1 echo-4k-1 +wrong +failed: /m, 'and is named');

# Killed by a timeout, it has no time to tidy up.
my $killed = WebsockifyTest::Program->start('bench', [ $bench, qw(--smoke --seconds 600 echo-64-1) ]);
my ($server, @started);
await 'a server to be measured', sub {
    @started = descendants_of($killed->pid);
    ($server) = grep { $_->{name} eq 'nginx' } @started;
};
$killed->signal('KILL');
ok(eval { await 'its processes to end', sub { !grep { is_alive($_) } @started } }, 'killed, it takes load and server with it')
    or kill 'KILL', map { $_->{pid} } grep { is_alive($_) } @started;

done_testing;
