# Rules and the balancers of newer nginxes: least_time, which looks at what an attempt came to, and sticky. An nginx that
# does not know one of them has its default in its place.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

sub or_default ($balancer) {
    my $known = "upstream probe { zone probe 256k; $balancer server 127.0.0.1:9; server 127.0.0.1:10; }";
    my $scene = WebsockifyTest::Scene->new({ name => 'probe', sections => { http_config => $known } });
    return ($scene->nginx->config_test)[0] == 0 ? $balancer : '';
}

my %balancer = (
    header   => or_default('least_time header;'),
    inflight => or_default('least_time last_byte inflight;'),
    sticky   => or_default('sticky cookie desktop;'),
);
defaults(
    targets     => qq(one: sends "one", swallows\ntwo: sends "two", swallows),
    http_config => join("\n", map {
        "upstream $_ { zone $_ 256k; $balancer{$_} server %%one%% max_fails=0; server %%two%% max_fails=0; }"
    } sort keys %balancer),
);
run_tests;

__DATA__

=== TEST 1: every server is refused: 403
--- config
location ~ ^/(?<group>\w+)$ { websockify_deny all; websockify_pass $group; }
--- steps
for my $group (qw(header inflight sticky)) { is $t->status_of("/$group"), 403, $group for 1 .. 4 }
--- error_log
is refused by
--- target_connections
one: 0
two: 0

=== TEST 2: a refused one is passed over
--- config
location ~ ^/(?<group>\w+)$ { websockify_deny 127.0.0.1:%%one_port%%; websockify_pass $group; }
--- steps
for my $group (qw(header inflight sticky)) {
    $t->client("/$group")->expect('binary "two"') for 1 .. 4;
    pass $group;
}
--- error_log
is refused by
--- target_connections
one: 0

=== TEST 3: the other is asked when one is down
--- targets
one: refuses
two: sends "two", swallows
--- config
location ~ ^/(?<group>\w+)$ { websockify_pass $group; }
--- steps
for my $group (qw(header inflight sticky)) {
    $t->client("/$group")->expect('binary "two"') for 1 .. 4;
    pass $group;
}
--- error_log
connect() failed
