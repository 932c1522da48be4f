# Groups of servers, balanced in each of nginx's ways. t/targets.t has turns, backup, max_conns, least_conn and keepalive.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(
    targets => qq(one: sends "one", swallows\ntwo: sends "two", swallows\nthree: sends "three", swallows),
    config  => 'set_real_ip_from 127.0.0.1; location /websockify { websockify_pass desktops; }',
);
run_tests;

# Who greets a client at `$path`; it stays, unless told to go.
sub greeting ($t, $path = '/websockify', %option) { $t->client($path, %option)->expect('binary qr/./')->{payload} }

__DATA__

=== TEST 1: zone: all workers know of all sessions
--- workers: 2
--- http_config
upstream desktops { zone desktops 64k; least_conn; server %%one%%; server %%two%%; server %%three%%; }
--- steps
my @all = map { greeting($t) } 1 .. 9;
is_deeply [ sort @all ], [ map { ($_) x 3 } qw(one three two) ], 'three each';

=== TEST 2: hash: the same key, the same server
--- http_config
upstream desktops { hash $arg_user consistent; server %%one%%; server %%two%%; server %%three%%; }
--- steps
my %server;
for my $user ('a' .. 'j') {
    $server{$user} = greeting($t, "/websockify?user=$user");
    is greeting($t, "/websockify?user=$user"), $server{$user}, "$user: $server{$user} again";
}
cmp_ok keys %{ { reverse %server } }, '>', 1, 'and not one for all';

=== TEST 3: hash: when the key's server is down, another one
--- targets
down:  refuses
two:   sends "two", swallows
--- http_config
upstream desktops { hash $arg_user; server %%down%%; server %%two%%; }
--- steps
is greeting($t, "/websockify?user=$_"), 'two', $_ for 'a' .. 'f';
--- error_log
connect() failed

=== TEST 4: ip_hash: the same network, the same server
--- http_config
upstream desktops { ip_hash; server %%one%%; server %%two%%; server %%three%%; }
--- steps
my %server;
for my $network (1 .. 12) {
    $server{$network} = greeting($t, '/websockify', headers => "X-Real-IP: 192.0.$network.1");
    is greeting($t, '/websockify', headers => "X-Real-IP: 192.0.$network.2"), $server{$network}, "192.0.$network";
}
cmp_ok keys %{ { reverse %server } }, '>', 1, 'and not one for all';

=== TEST 5: random: all of them, in time
--- http_config
upstream desktops { zone desktops 64k; random; server %%one%%; server %%two%%; server %%three%%; }
--- steps
my %seen;
for (1 .. 200) { $seen{ greeting($t) }++; last if keys %seen == 3 }
is_deeply [ sort keys %seen ], [qw(one three two)], 'each has had some';

=== TEST 6: random two least_conn: nobody is left out while others are busy
--- http_config
upstream desktops { zone desktops 64k; random two least_conn; server %%one%%; server %%two%%; }
--- steps
my %seen;
$seen{ greeting($t) }++ for 1 .. 8;
is_deeply \%seen, { one => 4, two => 4 }, 'half each';

=== TEST 7: weight, and a server that is down for good
--- http_config
upstream desktops { server %%one%% weight=3; server %%two%%; server %%three%% down; }
--- steps
my %seen;
$seen{ greeting($t) }++ for 1 .. 8;
is_deeply \%seen, { one => 6, two => 2 }, 'three to one, and none';

=== TEST 8: max_fails and fail_timeout: a server that failed is left alone
--- targets
one: refuses then sends "one", swallows
two: sends "two", swallows
--- http_config
upstream desktops { zone desktops 64k; server %%one%% max_fails=1 fail_timeout=1h; server %%two%%; }
--- steps
is greeting($t), 'two', 'the second';
$t->targets->listen('one');
is greeting($t), 'two', 'the second, though the first could be had now' for 1 .. 4;
--- target_connections
one: 0
two: 5
--- error_log
connect() failed

=== TEST 9: fail_timeout: and is tried again later
--- targets
one: refuses then sends "one", swallows
two: sends "two", swallows
--- http_config
upstream desktops { zone desktops 64k; server %%one%% max_fails=1 fail_timeout=1s; server %%two%%; }
--- steps
is greeting($t), 'two', 'the second';
$t->targets->listen('one');
# Each goes: so many would not find room.
WebsockifyTest::Util::await('the first', sub {
    my $client = $t->client('/websockify');
    my $word   = $client->expect('binary qr/./')->{payload};
    $client->close;
    return $word eq 'one';
});
pass 'the first';
--- error_log
connect() failed

=== TEST 10: a failed TLS handshake counts as a failure too
--- targets
one: awaits 1, closes
two (tls): sends "two", swallows
--- http_config
upstream desktops { server %%one%% max_fails=1 fail_timeout=1h; server %%two%%; }
--- config
websockify_ssl on;
location /websockify { websockify_pass desktops; }
--- steps
is greeting($t), 'two', 'the second' for 1 .. 4;
--- target_connections
one: 1
two: 4
--- error_log
peer closed connection in SSL handshake

=== TEST 11: max_conns of all workers
--- workers: 2
--- http_config
upstream desktops { zone desktops 64k; server %%one%% max_conns=2; server %%two%% backup max_conns=1; }
--- steps
my @clients = map { $t->client } 1 .. 3;
is_deeply [ sort map { $_->expect('binary qr/./')->{payload} } @clients ], [qw(one one two)], 'two, and one of the spare one';
is $t->status_of('/websockify'), 502, 'no fourth';
--- error_log
no live upstreams

=== TEST 12: backup only when the others are down, and back again
--- targets
one: refuses then sends "one", swallows
two: sends "two", swallows
--- http_config
upstream desktops { server %%one%% max_fails=0; server %%two%% backup; }
--- steps
is greeting($t), 'two', 'the spare one';
$t->targets->listen('one');
is greeting($t), 'one', 'the first again';
--- error_log
connect() failed

=== TEST 13: resolve: the group follows its name
--- needs_nginx: 1.27.3
--- dns
desk.test ttl 1 A 127.0.0.1 then 127.0.0.2
--- targets
one: sends "one", swallows
--- http_config
resolver %%DNS%% ipv6=off;
upstream desktops { zone desktops 256k; server desk.test:%%one_port%% resolve max_fails=0; }
--- log_format: $upstream_addr
--- steps
WebsockifyTest::Util::await('the first answer', sub {
    $t->status_of('/websockify') == 101;
});
WebsockifyTest::Util::await('the next answer', sub {
    $t->status_of('/websockify') == 502 && $t->nginx->error_log =~ /127\.0\.0\.2:/;
});
pass 'the new address is the one that is tried';
--- error_log
qr/connect\(\) failed .*127\.0\.0\.2/
qr/no live upstreams|no resolver|could not be resolved|connect\(\) failed/
