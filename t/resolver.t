# Names of targets, through nginx's resolver and a name server of the test's own.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(
    targets => 'vnc: sends "hello", swallows',
    config  => 'resolver %%DNS%%; resolver_timeout 300ms; location /websockify { websockify_pass $arg_to; }',
);
run_tests;

sub path ($t, $name, $target = 'vnc') { "/websockify?to=$name:" . $t->targets->port($target) }

__DATA__

=== TEST 1: a name with an A record
--- dns
desk.test A 127.0.0.1
--- steps
$t->client(path($t, 'desk.test'))->expect('binary "hello"');
ok +(grep { $_ eq 'A desk.test' } $t->targets->questions), 'it was asked for';

=== TEST 2: a name with an AAAA record
--- targets
vnc (ipv6): sends "six", swallows
--- dns
desk.test AAAA ::1
--- steps
$t->client(path($t, 'desk.test'))->expect('binary "six"');
pass 'over IPv6';

=== TEST 3: a resolver of the server or of http does as well
--- http_config
resolver %%DNS%%;
--- config
location /websockify { websockify_pass $arg_to; }
--- dns
desk.test A 127.0.0.1
--- steps
$t->client(path($t, 'desk.test'))->expect('binary "hello"');
pass 'resolved';

=== TEST 4: the next address when one refuses
--- dns
desk.test A 127.0.0.9, 127.0.0.8, 127.0.0.1
--- steps
$t->client(path($t, 'desk.test'))->expect('binary "hello"') for 1 .. 3;
pass 'whichever comes first';
--- error_log
qr/\[error\] .*connect\(\) failed \(111: /
--- target_connections
vnc: 3

=== TEST 5: every address refuses: 502
--- dns
desk.test A 127.0.0.9, 127.0.0.8
--- steps
is $t->status_of(path($t, 'desk.test')), 502, 'status';
--- error_log
qr/connect\(\) failed .*127\.0\.0\.[89]/

=== TEST 6: a name that cannot be resolved: 502, and the log says which and why
--- dns
broken.test  SERVFAIL
refused.test REFUSED
mute.test    silent
--- config
resolver %%DNS%%; resolver_timeout 300ms;
location /websockify { websockify_pass $arg_name.test:%%vnc_port%%; }
--- steps
is $t->status_of("/websockify?name=$_"), 502, $_ for qw(gone broken refused mute);
--- error_log eval
[ map { qr/\[error\] (?=[^,]*\b$_\.test)[^,]*could not be resolved.*, client/ } qw(gone broken refused mute) ]
--- target_connections
vnc: 0

=== TEST 7: an answer that changes is followed when its time is up
--- targets
one: sends "one", swallows
--- dns
desk.test ttl 0 A 127.0.0.9
--- steps
is $t->status_of(path($t, 'desk.test', 'one')), 502, 'nobody there';
$t->targets->set_zone('desk.test ttl 0 A 127.0.0.1');
WebsockifyTest::Util::await('the new answer', sub { $t->status_of(path($t, 'desk.test', 'one')) == 101 });
pass 'moved';
--- error_log
connect() failed

=== TEST 8: two sessions wait for one answer
--- dns
desk.test A 127.0.0.1
--- steps
my @clients = map { $t->connect } 1 .. 10;
$_->send_bytes($t->handshake('GET ' . path($t, 'desk.test'))) for @clients;
is $_->response->{status}, 101, 'a session' for @clients;
$_->expect('binary "hello"') for @clients;

=== TEST 9: frames that came while the name was being resolved
--- targets
vnc: echoes
--- dns
desk.test A 127.0.0.1
--- steps
my $client = $t->client(path($t, 'desk.test'), early => 'binary "early"');
$client->expect('binary "early"');
$t->target_gets('vnc', 'early');
pass 'not lost';

=== TEST 10: a name's case and the target's port
--- dns
desk.test A 127.0.0.1
--- steps
$t->client(path($t, 'DESK.Test'))->expect('binary "hello"');
pass 'resolved';
