# Sessions end when the right to them ends: `websockify_session_timeout` and `websockify_idle_timeout` with variables.

use v5.36;
use lib 't/lib';
use Time::HiRes qw(time);
use WebsockifyTest;

defaults(targets => 'vnc: echoes');
run_tests;

# A moment from now, as a token's `exp`.
sub in_seconds ($seconds) { sprintf '%.3f', time + $seconds }

# A session that is busy to its end; what it is told then, and when.
sub until_the_end ($t, $path) {
    my $client = $t->client($path);
    my $frame;
    do {
        $client->send('binary "x"');
        $frame = $client->frame;
    } while $frame->{opcode} == 2;
    return ($frame->{payload}, time);
}

__DATA__

=== TEST 1: a moment at which the right ends: 4401, at that moment
--- log_level: info
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout @$arg_exp; }
--- steps
my $end = in_seconds(0.6);
my ($payload, $at) = until_the_end($t, "/websockify?exp=$end");
is $payload, pack('n', 4401) . 'right expired', 'code and reason';
cmp_ok $at, '>=', $end - 0.05, 'not before its time';
--- error_log
qr/\[info\] .*session timed out: the right to it has ended while tunneling/

=== TEST 2: a time from a variable: 4401 after it, also where the session is idle
--- log_level: info
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout $arg_for; }
--- steps
my $start = time;
$t->client('/websockify?for=300ms')->expect('close 4401 "right expired"');
cmp_ok time - $start, '>', 0.25, 'not before its time';
--- error_log
the right to it has ended

=== TEST 3: what the client sends after the right has ended does not reach the target
--- targets
vnc: sends "ready", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout $arg_for; }
--- steps
my $client = $t->client('/websockify?for=300ms');
$client->expect('binary "ready"');
$client->send('binary "in time"');
$client->expect('close 4401 "right expired"');
$client->send('binary "too late" & close 4401');
$client->saw_end;
$t->target_sees('vnc', 'end');
is $t->targets->report('vnc')->{connections}[0]{received}, 'in time', 'nothing else';

=== TEST 4: a moment that is past: 403, and nobody is connected to
--- log_level: info
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout @$arg_exp; }
--- steps
is $t->status_of("/websockify?exp=$_"), 403, "<$_>" for 0, 1, '1767225600', '1767225600.5', time - 1, int(time);
is $t->status_of('/websockify?exp=' . in_seconds(3600)), 101, 'an hour is left';
is $t->status_of("/websockify?exp=$_"), 101, "<$_>" for '99999999999', '99999999999999999999999999999';
--- error_log
qr/\[info\] .*the right to the session has ended: the moment of "websockify_session_timeout" is past, client: /
--- target_connections
vnc: 3

=== TEST 5: what is no time: 500, the log says what it was, and nobody is connected to
--- config
location /session { websockify_pass %%vnc%%; websockify_session_timeout $arg_x; }
location /moment  { websockify_pass %%vnc%%; websockify_session_timeout @$arg_x; }
location /idle    { websockify_pass %%vnc%%; websockify_idle_timeout $arg_x; }
--- steps
for my $bad ('', 'never', 'undefined', '-1', '-5s', '1.5', '1e9', '10x', '@', 'NaN', '@1h', '99999999999999999999') {
    is $t->status_of("/session?x=$bad"), 500, "<$bad>";
    is $t->status_of("/idle?x=$bad"), 500, "<$bad> idle";
}
is $t->status_of("/moment?x=$_"), 500, "<\@$_>" for '', 'null', '-1', '1e9', '12h', '1.', '@1', '0x10';
is $t->status_of('/idle?x=@99999999999'), 500, 'a moment of idleness';
is $t->status_of('/session?x=1767225600'), 500, 'a moment without its sign, which would be 56 years';
--- error_log eval
[ qr/\[error\] .*the value "[^"]*" of "websockify_\w+_timeout" is no time, client: /,
  qr/the value "1767225600" of "websockify_session_timeout" is too long a time: a moment begins with "\@"/ ]
--- target_connections
vnc: 0

=== TEST 6: 0 from a variable is no limit
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout $arg_x; websockify_idle_timeout $arg_x; }
--- steps
my $client = $t->client('/websockify?x=0');
select undef, undef, undef, 0.2;
$client->send('binary "still here"');
$client->expect('binary "still here"');

=== TEST 7: idle, from a variable: 1000, as ever
--- log_level: info
--- config
location /websockify { websockify_pass %%vnc%%; websockify_idle_timeout $arg_x; }
--- steps
$t->client('/websockify?x=200ms')->expect('close 1000 "idle"');
pass 'told so';
--- error_log
session timed out: no payload

=== TEST 8: two sessions, each its own
--- log_level: info
--- http_config
map $arg_user $lifetime { guest 200ms; default 1h; }
--- config
location /websockify { websockify_pass %%vnc%%; websockify_session_timeout $lifetime; }
--- steps
my $alice = $t->client('/websockify?user=alice');
$t->client('/websockify?user=guest')->expect('close 4401 "right expired"');
$alice->send('binary "still here"');
$alice->expect('binary "still here"');
--- error_log
the right to it has ended

=== TEST 9: a right that ends while the target is being connected: 403, no session
--- targets
hole: never accepts
vnc: echoes
--- dns
late.test A 127.0.0.1
--- log_level: info
--- http_config
upstream late { server %%hole%%; server %%vnc%% backup; }
--- config
location /websockify { websockify_pass late; websockify_connect_timeout 700ms; websockify_session_timeout @$arg_exp; }
--- steps
is $t->status_of('/websockify?exp=' . in_seconds(0.4)), 403, 'too late';
--- error_log eval
[ qr/timed out/, qr/the right to the session has ended/ ]

=== TEST 10: the time of the outer level, and the inner one's
--- log_level: info
--- http_config
websockify_session_timeout $arg_outer; websockify_idle_timeout 1h;
--- config
location /inherits { websockify_pass %%vnc%%; }
location /fixed { websockify_pass %%vnc%%; websockify_session_timeout 200ms; }
--- steps
$t->client('/inherits?outer=200ms')->expect('close 4401 "right expired"');
$t->client('/fixed')->expect('close 1000 "session timeout"');
pass 'each';
--- error_log eval
[ 'the right to it has ended', 'it lasted as long as it may' ]

=== TEST 11: everything that it may be
--- config
location /a { websockify_session_timeout 1h; websockify_idle_timeout 1h30m; }
location /b { websockify_session_timeout 0; websockify_idle_timeout 0; }
location /c { websockify_session_timeout $arg_a; websockify_idle_timeout $arg_b; }
location /d { websockify_session_timeout @$arg_a; websockify_idle_timeout ${arg_b}m; }
--- config_ok

=== TEST 12: a moment that is always past
--- config
websockify_session_timeout @1767225600;
--- emerg: "websockify_session_timeout" directive invalid value

=== TEST 13: no time
--- config
websockify_idle_timeout never;
--- emerg: "websockify_idle_timeout" directive invalid value

=== TEST 14: twice
--- config
websockify_session_timeout 1h; websockify_session_timeout $arg_x;
--- emerg: "websockify_session_timeout" directive is duplicate

=== TEST 15: an unknown variable
--- config
websockify_session_timeout $no_such_variable;
--- emerg: unknown "no_such_variable" variable
