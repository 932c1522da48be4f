# How a target is connected: from which address, by what kind of socket, and which server is tried after which.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Util qw(pattern slurp);

defaults(targets => 'vnc: sends "hello", swallows');
run_tests;

# The address from which the target's last connection comes.
sub peer ($t, $target = 'vnc') { $t->targets->report($target)->{connections}[-1]{peer} =~ s/:\d+\z//r }

# What the kernel says of nginx's socket for the target's last connection.
sub socket_of ($t, $target = 'vnc') {
    my ($port) = $t->targets->report($target)->{connections}[-1]{peer} =~ /:(\d+)\z/;
    return qx(ss -tnmoi state established "( sport = :$port and dport = :${\$t->targets->port($target)} )");
}

__DATA__

=== TEST 1: websockify_bind
--- http_config
websockify_bind 127.0.0.2;
--- config
location /outer { websockify_pass %%vnc%%; }
location /inner { websockify_pass %%vnc%%; websockify_bind 127.0.0.3; }
location /off   { websockify_pass %%vnc%%; websockify_bind off; }
location /if    { websockify_bind 127.0.0.4; if ($arg_x) { websockify_pass %%vnc%%; } }
--- steps
my %from = ('/outer' => '127.0.0.2', '/inner' => '127.0.0.3', '/off' => '127.0.0.1', '/if?x=1' => '127.0.0.4');
for my $path (sort keys %from) {
    $t->client($path)->expect('binary "hello"');
    is peer($t), $from{$path}, $path;
}

=== TEST 2: websockify_bind with a port
--- config
location /websockify { websockify_pass %%vnc%%; websockify_bind 127.0.0.2:%%OWN_PORT%%; }
--- steps
$t->client->expect('binary "hello"');
is $t->targets->report('vnc')->{connections}[0]{peer}, '127.0.0.2:' . $t->port('OWN_PORT'), 'from that port';

=== TEST 3: websockify_bind with a variable: its address, or none
--- config
location /websockify { websockify_pass %%vnc%%; websockify_bind $arg_from; }
--- steps
$t->client('/websockify?from=127.0.0.9')->expect('binary "hello"');
is peer($t), '127.0.0.9', 'the address';
$t->client('/websockify')->expect('binary "hello"');
is peer($t), '127.0.0.1', "empty: the system's choice";
$t->client('/websockify?from=nonsense')->expect('binary "hello"');
is peer($t), '127.0.0.1', 'no address: the same, and nginx says so';
--- error_log
qr/\[error\] .*invalid local address "nonsense"/

=== TEST 4: websockify_bind in groups, and for the next server
--- targets
down: refuses
vnc:  sends "hello", swallows
--- http_config
upstream desktops { server %%down%%; server %%vnc%%; }
--- config
location /websockify { websockify_pass desktops; websockify_bind 127.0.0.7; }
--- steps
$t->client->expect('binary "hello"');
is peer($t), '127.0.0.7', 'bound';
--- error_log
connect() failed

=== TEST 5: an address that is not the machine's own: 500
--- config
location /websockify { websockify_pass %%vnc%%; websockify_bind 198.51.100.1; }
--- handshake
--- error_code: 500
--- error_log
qr/\[crit\] .*bind\(198\.51\.100\.1\) failed \(99: /

=== TEST 6: websockify_socket_keepalive
--- config
location /default { websockify_pass %%vnc%%; }
location /off { websockify_pass %%vnc%%; websockify_socket_keepalive off; }
--- steps
$t->client('/default')->expect('binary "hello"');
like socket_of($t), qr/timer:\(keepalive,/, 'on';
$t->client('/off')->expect('binary "hello"');
my $off = socket_of($t);
like $off, qr/127\.0\.0\.1/, 'the socket is there';
unlike $off, qr/keepalive/, 'off';

=== TEST 7: websockify_socket_rcvbuf and websockify_socket_sndbuf
The kernel doubles what it is given.
--- http_config
websockify_socket_rcvbuf 20k;
--- config
location /websockify { websockify_pass %%vnc%%; websockify_socket_sndbuf 30k; }
location /default { websockify_pass %%vnc%%; websockify_socket_rcvbuf 0; }
--- steps
$t->client->expect('binary "hello"');
my $said = socket_of($t);
like $said, qr/,rb40960,/, 'SO_RCVBUF';
like $said, qr/,tb61440,/, 'SO_SNDBUF';
$t->client('/default')->expect('binary "hello"');
$said = socket_of($t);
like $said, qr/,rb\d/, 'the socket is there';
unlike $said, qr/,rb40960,|,tb61440,/, "the system's choice";

=== TEST 8: the same over a unix socket, connected at once
--- targets
vnc (unix): echoes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_socket_rcvbuf 20k; websockify_socket_sndbuf 30k; }
--- dialogue
client sends binary pattern(100_000)
client gets binary pattern(100_000)

=== TEST 9: websockify_next_upstream off: no next server
--- targets
down: refuses
vnc:  sends "hello", swallows
--- http_config
upstream desktops { server %%down%%; server %%vnc%%; }
--- config
location /websockify { websockify_pass desktops; websockify_next_upstream off; }
--- handshake
--- error_code: 502
--- error_log
connect() failed
--- target_connections
vnc: 0

=== TEST 10: websockify_next_upstream timeout: not for an error
--- targets
down: refuses
vnc:  sends "hello", swallows
--- http_config
websockify_next_upstream timeout;
upstream desktops { server %%down%%; server %%vnc%%; }
--- config
location /websockify { websockify_pass desktops; }
--- handshake
--- error_code: 502
--- error_log
connect() failed

=== TEST 11: websockify_next_upstream error: not for a timeout
--- targets
hole: never accepts
vnc:  sends "hello", swallows
--- http_config
websockify_next_upstream off;
upstream desktops { server %%hole%%; server %%vnc%%; }
--- config
location /websockify { websockify_pass desktops; websockify_next_upstream error; websockify_connect_timeout 100ms; }
--- handshake
--- error_code: 504
--- error_log
timed out

=== TEST 12: websockify_next_upstream_tries
--- targets
one: refuses
two: refuses
vnc: sends "hello", swallows
--- http_config
upstream desktops { server %%one%%; server %%two%%; server %%vnc%%; }
--- config
location /two { websockify_pass desktops; websockify_next_upstream_tries 2; }
--- handshake
--- request: GET /two
--- error_code: 502
--- log_format: $upstream_addr
--- access_log
%%one%%, %%two%%
--- error_log
connect() failed
--- target_connections
vnc: 0

=== TEST 13: websockify_next_upstream_timeout
--- targets
hole: never accepts
vnc:  sends "hello", swallows
--- http_config
upstream desktops { server %%hole%%; server %%vnc%%; }
--- config
location /websockify {
    websockify_pass desktops;
    websockify_connect_timeout 300ms;
    websockify_next_upstream_timeout 100ms;
}
--- handshake
--- error_code: 504
--- error_log
timed out
--- target_connections
vnc: 0

=== TEST 14: a name's addresses are tried in turn too, as often as they may be
--- dns
two.test A 127.77.0.1, 127.0.0.1
--- config
resolver %%DNS%% ipv6=off;
location /two { websockify_pass two.test:$arg_port; }
location /one { websockify_pass two.test:$arg_port; websockify_next_upstream_tries 1; }
--- steps
my $port = $t->targets->port('vnc');
$t->client("/two?port=$port")->expect('binary "hello"') for 1 .. 4;
my %seen;
for (1 .. 40) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /one?port=$port"));
    $seen{ $client->response->{status} }++;
    $client->close;
    last if keys %seen == 2;
}
is_deeply [ sort keys %seen ], [ 101, 502 ], 'the first only, whichever that is';
--- error_log
connect() failed
