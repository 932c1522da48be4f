package WebsockifyTest::Namespace;

# `use WebsockifyTest::Namespace;` runs the whole test in a network namespace of its own, with nothing in it but a
# loopback interface; where that cannot be had, it is skipped. It has to stand before `use WebsockifyTest`.

use v5.36;
use Test::More;

sub import ($class) {
    return if $ENV{WEBSOCKIFY_TEST_IN_NAMESPACE};
    my $able = $> == 0 && system('unshare -n ip link set lo up >/dev/null 2>&1') == 0;
    die "no network namespaces here (WEBSOCKIFY_TEST_REQUIRE_ALL is set)\n"
        if !$able && $ENV{WEBSOCKIFY_TEST_REQUIRE_ALL};
    plan skip_all => 'needs root, unshare and ip for a network namespace' if !$able;
    $ENV{WEBSOCKIFY_TEST_IN_NAMESPACE} = 1;
    exec 'unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0, @ARGV or die "exec: $!";
}

1;
