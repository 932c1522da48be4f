# Who may be connected to: `websockify_allow` and `websockify_deny`, on the very address that is about to be connected.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(targets => qq(one: sends "one", swallows\ntwo: sends "two", swallows));
run_tests;

sub port ($t, $target = 'one') { $t->targets->port($target) }

__DATA__

=== TEST 1: a target that a rule allows
--- config
websockify_allow 127.0.0.0/8;
location /websockify { websockify_pass $arg_to; }
--- steps
$t->client('/websockify?to=127.0.0.1:' . port($t))->expect('binary "one"');
pass 'connected';

=== TEST 2: a target that a rule denies: 403 and no detail, the log says which rule
--- config
websockify_deny 127.0.0.1;
location /websockify { websockify_pass %%one%%; }
--- handshake
--- error_code: 403
--- response_body_like eval
qr/\A(?!.*(?:127\.0\.0\.1|rule|deny)).*403 Forbidden/s
--- error_log eval
qr{\[error\] .*target "127\.0\.0\.1:\d+" is refused by "websockify_deny" in \S+/nginx\.conf:\d+, client: 127\.0\.0\.1, .*host: "localhost"}
--- target_connections
one: 0

=== TEST 3: the first rule that matches decides
--- config
websockify_deny  127.0.0.1:%%two_port%%;
websockify_allow 127.0.0.0/8;
websockify_deny  all;
location /websockify { websockify_pass $arg_to; }
--- steps
is $t->status_of('/websockify?to=127.0.0.1:' . port($t)), 101, 'allowed';
is $t->status_of('/websockify?to=127.0.0.1:' . port($t, 'two')), 403, 'denied first';
is $t->status_of('/websockify?to=10.0.0.1:22'), 403, 'denied last';
is $t->status_of('/websockify?to=unix:/nowhere'), 403, 'a socket';
--- error_log eval
[ qr/"127\.0\.0\.1:\d+" is refused by "websockify_deny"/, qr/"10\.0\.0\.1:22" is refused/, qr{"unix:/nowhere" is refused} ]
--- target_connections
two: 0

=== TEST 4: a list that allows something refuses what no rule matches
--- config
websockify_allow 127.0.0.1:%%one_port%%;
location /websockify { websockify_pass $arg_to; }
--- steps
is $t->status_of('/websockify?to=127.0.0.1:' . port($t)), 101, 'allowed';
is $t->status_of('/websockify?to=127.0.0.1:' . port($t, 'two')), 403, 'another port';
is $t->status_of('/websockify?to=127.0.0.2:' . port($t)), 403, 'another address';
--- error_log eval
[ map { qr{\[error\] .*"\Q$_\E:\d+" is refused: it matches no "websockify_allow" up to the last rule in \S+/nginx\.conf:\d+,} }
    '127.0.0.1', '127.0.0.2' ]
--- target_connections
two: 0

=== TEST 5: a list that only denies lets the rest pass
--- config
websockify_deny 127.0.0.1:%%two_port%%;
location /websockify { websockify_pass $arg_to; }
--- steps
is $t->status_of('/websockify?to=127.0.0.1:' . port($t)), 101, 'not denied';
is $t->status_of('/websockify?to=127.0.0.1:' . port($t, 'two')), 403, 'denied';
--- error_log
is refused by

=== TEST 6: rules are inherited, and a level with rules of its own has no others
--- http_config
websockify_deny all;
--- config
location /inherits { websockify_pass %%one%%; }
location /own { websockify_allow 127.0.0.1; websockify_pass %%one%%; }
location /outer {
    websockify_allow 127.0.0.1;
    location /outer/inherits { websockify_pass %%one%%; }
    location /outer/own { websockify_deny 127.0.0.1; websockify_pass %%one%%; }
    location /outer/if { if ($arg_x) { websockify_pass %%two%%; } websockify_pass %%one%%; }
}
--- steps
is $t->status_of("/$_"), 101, $_ for qw(own outer/inherits outer/if outer/if?x=1);
is $t->status_of("/$_"), 403, $_ for qw(inherits outer/own);
--- error_log
is refused by

=== TEST 7: ports, ranges of them, and IPv6
--- targets
one (ipv6): sends "one", swallows
two (ipv6): sends "two", swallows
--- config
location /one   { websockify_allow [::1]:%%one_port%%; websockify_pass [::1]:$arg_port; }
location /range { websockify_allow [::/64]:1024-65535; websockify_pass [::1]:$arg_port; }
location /none  { websockify_allow ::/64; websockify_deny all; websockify_pass [::1]:$arg_port; }
--- steps
my ($one, $two) = (port($t), port($t, 'two'));
is $t->status_of("/$_"), 101, $_ for "one?port=$one", "range?port=$one", "range?port=$two", "none?port=$two";
is $t->status_of("/$_"), 403, $_ for "one?port=$two", "range?port=1023";
--- error_log
is refused

=== TEST 8: an address by another name is the same address
127.0.0.1 is ::ffff:127.0.0.1 and 0.0.0.0; nginx's gateways may translate the others.
--- config
location /denied  { websockify_deny  127.0.0.0/8; websockify_pass $arg_to; }
location /allowed { websockify_allow 127.0.0.0/8; websockify_pass $arg_to; }
--- steps
my $port = port($t);
my @same = ("127.0.0.1:$port", "[::ffff:127.0.0.1]:$port", "[::ffff:7f00:1]:$port", "0.0.0.0:$port", "[::ffff:0.0.0.0]:$port");
is $t->status_of("/denied?to=$_"),  403, "$_ is denied"  for @same, "[64:ff9b::7f00:1]:$port", "[::127.0.0.1]:$port";
is $t->status_of("/allowed?to=$_"), 101, "$_ is allowed" for @same;
is $t->status_of("/allowed?to=$_"), 403, "$_ is not"     for "[64:ff9b::7f00:1]:$port", "[::127.0.0.1]:$port", "[::1]:$port";
--- error_log
is refused

=== TEST 9: unix sockets, all of them and those below a directory
--- targets
un (unix): sends "un", swallows
--- config
location /all   { websockify_allow unix:; websockify_pass $arg_to; }
location /below { websockify_allow unix:%%PREFIX%%/; websockify_pass $arg_to; }
location /other { websockify_allow unix:/run/vnc; websockify_pass $arg_to; }
location /none  { websockify_deny unix:; websockify_pass $arg_to; }
--- steps
my $socket = $t->targets->address('un');
my $around = $socket =~ s{/([^/]+)\z}{/../@{[ (split m{/}, $socket)[-2] ]}/$1}r;
is $t->status_of("/$_?to=$socket"), 101, $_ for qw(all below);
is $t->status_of("/$_?to=$socket"), 403, $_ for qw(other none);
is $t->status_of("/all?to=$around"), 101, 'a way around, where all are allowed';
is $t->status_of("/below?to=$around"), 403, 'and where they are not';
--- error_log
is refused

=== TEST 10: the servers of a group: those refused are passed over
--- targets
bad: sends "bad", swallows
one: sends "one", swallows
--- http_config
upstream desktops { server %%bad%%; server 127.0.0.9:22; server %%one%%; }
--- config
websockify_allow 127.0.0.1:%%one_port%%;
location /websockify { websockify_pass desktops; }
--- steps
$t->client('/websockify')->expect('binary "one"') for 1 .. 6;
pass 'the one that is allowed, each time';
--- error_log
is refused: it matches no "websockify_allow"
--- target_connections
bad: 0
one: 6

=== TEST 11: every server of a group refused: 403
--- http_config
upstream several { server %%one%%; server %%two%%; server 127.0.0.9:22 backup; }
upstream single  { server %%one%%; }
upstream least   { zone least 64k; least_conn; server %%one%%; server %%two%%; }
upstream hash    { hash $arg_x consistent; server %%one%%; server %%two%%; }
upstream ip_hash { ip_hash; server %%one%%; server %%two%%; }
upstream random  { zone random 64k; random two; server %%one%%; server %%two%%; }
upstream kept    { server %%one%%; server %%two%%; keepalive 4; }
--- config
websockify_allow 10.0.0.0/8;
location ~ ^/(?<group>\w+)$ { websockify_pass $group; }
location = /static { websockify_pass several; }
--- steps
is $t->status_of("/$_"), 403, $_ for qw(several single least hash ip_hash random kept static);
--- error_log
is refused
--- target_connections
one: 0
two: 0

=== TEST 12: each balancer passes over a refused server
--- http_config
upstream least   { zone least 64k; least_conn; server %%one%%; server %%two%%; }
upstream hash    { hash $arg_x consistent; server %%one%%; server %%two%%; }
upstream ip_hash { ip_hash; server %%one%%; server %%two%%; }
upstream random  { zone random 64k; random two; server %%one%%; server %%two%%; }
upstream kept    { server %%one%%; server %%two%%; keepalive 4; }
upstream backup  { server %%one%%; server %%two%% backup; }
--- config
websockify_deny 127.0.0.1:%%one_port%%;
location ~ ^/(?<group>\w+)$ { websockify_pass $group; }
--- steps
for my $group (qw(least hash ip_hash random kept backup)) {
    $t->client("/$group?x=$_")->expect('binary "two"') for 1 .. 4;
    pass $group;
}
--- error_log
is refused by
--- target_connections
one: 0

=== TEST 13: the next server after a failure is checked as well
--- targets
down: refuses
bad: sends "bad", swallows
one: sends "one", swallows
--- http_config
upstream desktops { server %%down%% max_fails=0; server %%bad%%; server %%one%%; }
upstream lost     { server %%down%% max_fails=0; server %%bad%% backup; }
--- config
websockify_deny 127.0.0.1:%%bad_port%%;
location ~ ^/(?<group>\w+)$ { websockify_pass $group; }
--- steps
$t->client('/desktops')->expect('binary "one"') for 1 .. 6;
is $t->status_of('/lost'), 502, 'a failure is one, also where no other server is allowed';
--- error_log eval
[ qr/connect\(\) failed/, qr/is refused by "websockify_deny"/, qr/no live upstreams/ ]
--- target_connections
bad: 0

=== TEST 14: a refused server is not taken for one that failed
--- targets
one: sends "one", swallows
--- http_config
upstream desktops { zone desktops 64k; server %%one%% max_fails=1 fail_timeout=1h max_conns=1; server 127.0.0.9:9 backup; }
--- config
location /refused { websockify_deny 127.0.0.0/8; websockify_pass desktops; }
location /open { websockify_pass desktops; }
--- steps
is $t->status_of('/refused'), 403, 'refused' for 1 .. 3;
$t->client('/open')->expect('binary "one"');
pass 'up, and with room';
--- error_log
is refused by

=== TEST 15: a group of which a server is down and the other refused: 403
--- http_config
upstream desktops { server %%one%%; server %%two%% down; }
--- config
websockify_deny 127.0.0.1:%%one_port%%;
location /websockify { websockify_pass desktops; }
--- handshake
--- error_code: 403
--- error_log
is refused by

=== TEST 16: a name in the configuration is checked by its address
--- config
websockify_deny 127.0.0.0/8; websockify_deny ::1;
location /websockify { websockify_pass localhost:%%one_port%%; }
--- handshake
--- error_code: 403
--- error_log
qr/"(?:127\.0\.0\.1|\[::1\]):\d+" is refused by "websockify_deny"/
--- target_connections
one: 0

=== TEST 17: a name is checked by each of its addresses
--- dns
mixed.test   A 127.0.0.9, 127.0.0.1, 127.0.0.8
refused.test A 127.0.0.9, 127.0.0.8
--- config
resolver %%DNS%% ipv6=off;
websockify_allow 127.0.0.1;
location /websockify { websockify_pass $arg_to:%%one_port%%; }
--- steps
$t->client('/websockify?to=mixed.test')->expect('binary "one"') for 1 .. 4;
is $t->status_of('/websockify?to=refused.test'), 403, 'none is allowed';
--- error_log eval
[ qr/"127\.0\.0\.9:\d+" is refused/, qr/"127\.0\.0\.8:\d+" is refused/ ]
--- no_error_log
connect() failed

=== TEST 18: a name that changes its answer gains nothing
Each answer is checked, and what was checked is what is connected: there is no second look.
--- dns
rebinds.test ttl 0 A 127.0.0.1 then 127.0.0.2
--- config
resolver %%DNS%% ipv6=off;
websockify_allow 127.0.0.1;
location /websockify { websockify_pass rebinds.test$arg_x:%%one_port%%; }
--- steps
$t->client('/websockify?x=')->expect('binary "one"');
is scalar $t->targets->questions, 1, 'it was asked for once, and what was answered is what was connected';
WebsockifyTest::Util::await('the other answer', sub { $t->status_of('/websockify?x=') == 403 });
pass 'which is refused';
--- error_log
qr/"127\.0\.0\.2:\d+" is refused/
--- no_error_log
connect() failed

=== TEST 19: without rules, a variable does not lead to the link or to a cloud's metadata
--- dns
metadata.test A 169.254.169.254
--- config
resolver %%DNS%% ipv6=off;
location /websockify { websockify_pass $arg_to; }
--- steps
is $t->status_of("/websockify?to=$_"), 403, $_ for qw(
    169.254.169.254 169.254.0.1:80 [::ffff:169.254.169.254]:80 [::ffff:a9fe:a9fe]:80 [64:ff9b::a9fe:a9fe]:80
    [fe80::1]:80 [fd00:ec2::254]:80 metadata.test:80
);
is $t->status_of('/websockify?to=127.0.0.1:' . port($t)), 101, 'others it does';
--- error_log
is refused: link-local and metadata addresses need a "websockify_allow"

=== TEST 20: what the configuration names itself is nobody's trick
Without a zone the kernel connects to no address of the link.
--- http_config
upstream link { server [fe80::77]:9; }
--- config
location /static { websockify_pass [fe80::77]:9; }
location /group  { websockify_pass $arg_to; }
location /rule   { websockify_allow fe80::77; websockify_pass $arg_to; }
--- steps
is $t->status_of($_), 502, $_ for '/static', '/group?to=link', '/rule?to=[fe80::77]:9';
--- error_log
qr/connect\(\) to \[fe80::77\]:9 failed \(22: /
--- no_error_log
is refused

=== TEST 21: error_page
--- config
websockify_deny all;
location /websockify { websockify_pass %%one%%; error_page 403 = /sorry; }
location = /sorry { return 404; }
--- handshake
--- error_code: 404
--- error_log
is refused by

=== TEST 22: a kept connection to a refused server is not used
--- targets
one: awaits "GET", sends "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", swallows
--- http_config
upstream kept { server %%one%%; keepalive 4; }
--- config
location /http { proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection ""; }
location /websockify { websockify_deny 127.0.0.1; websockify_pass kept; }
--- steps
is $t->get('/http')->{status}, 200, 'there is a connection';
is $t->status_of('/websockify'), 403, 'refused';
--- error_log
is refused by
--- target_connections
one: 1

=== TEST 23: everything that a rule may be
--- http_config
websockify_allow 10.0.0.0/8; websockify_allow 10.0.0.1; websockify_allow 10.0.0.1:5900; websockify_deny 10.0.0.0/8:1-65535;
--- config
websockify_allow 2001:db8::/32; websockify_allow [2001:db8::1]; websockify_deny [2001:db8::/32]:5900-5999;
location /a { websockify_allow unix:; websockify_deny unix:/run/vnc/; websockify_allow all:22; websockify_deny all; websockify_pass $arg_a; }
location /b { websockify_pass $arg_b; if ($arg_c) { websockify_pass $arg_c; } }
--- config_ok

=== TEST 24: nginx -t warns of each target from a variable that no rule holds back
--- config
location /a { websockify_pass $arg_a; }
location /b { websockify_pass 127.0.0.1; if ($arg_b) { websockify_pass $arg_b; } }
location /c { websockify_allow all; websockify_pass $arg_c; }
location /d { websockify_pass 127.0.0.1; }
location /e { if ($arg_e) { set $e 1; } limit_except GET { deny all; } websockify_pass $arg_e; }
--- config_ok
--- error_log eval
[ map { qr{\[warn\] "websockify_pass" with variables may connect to any address: it has no "websockify_allow" or "websockify_deny" in \S+/nginx\.conf:$_\n} } 28, 29, 32 ]
--- no_error_log eval
qr{nginx\.conf:(?:30|31)\b|(\S+nginx\.conf:32)\b.*\1}s

=== TEST 25: bits behind the prefix are warned of
--- config
websockify_allow 10.0.0.1/8;
--- config_ok
--- error_log eval
qr{\[warn\] low address bits of 10\.0\.0\.1/8 are meaningless in \S+/nginx\.conf:28}

=== TEST 26: no address
--- config
websockify_allow desktop.example;
--- emerg: invalid parameter "desktop.example": neither an address, nor "unix:", nor "all"

=== TEST 27: a prefix that is too long
--- config
websockify_deny 10.0.0.0/33;
--- emerg: invalid parameter "10.0.0.0/33": prefix length is longer than the address

=== TEST 28: no port
--- config
websockify_deny 10.0.0.0/8:vnc;
--- emerg: invalid parameter "10.0.0.0/8:vnc": invalid port

=== TEST 29: ports from high to low
--- config
websockify_deny 10.0.0.0/8:5999-5900;
--- emerg: invalid parameter "10.0.0.0/8:5999-5900": the first port is above the last

=== TEST 30: a path that leads up
--- config
websockify_allow unix:/run/vnc/../;
--- emerg: invalid parameter "unix:/run/vnc/../": the path is not absolute, or has ".", ".." or "//" in it

=== TEST 31: one rule each
--- config
websockify_allow 10.0.0.0/8 11.0.0.0/8;
--- emerg: invalid number of arguments in "websockify_allow" directive

=== TEST 32: not in main
--- main_config
websockify_allow all;
--- emerg: "websockify_allow" directive is not allowed here

=== TEST 33: not in if in location
--- config
location / { if ($arg_a) { websockify_deny all; } }
--- emerg: "websockify_deny" directive is not allowed here

=== TEST 34: what a token file names is held back by rules, and by nothing else
--- files
>>> tokens
one: %%one%%
two: %%two%%
link: [fe80::77]:9
--- config
websockify_token_file tokens;
location /rules { websockify_deny 127.0.0.1:%%two_port%%; websockify_pass $websockify_target; }
location /free { websockify_pass $websockify_target; }
location /other { websockify_allow all; websockify_pass $arg_to; }
--- steps
is $t->status_of('/rules?token=one'), 101, 'allowed';
is $t->status_of('/rules?token=two'), 403, 'denied';
is $t->status_of('/free?token=link'), 502, 'whoever writes the file may name the link';
--- error_log eval
[ 'is refused by "websockify_deny"', qr/connect\(\) to \[fe80::77\]:9 failed/ ]
--- no_error_log
may connect to any address

=== TEST 35: a token does not make another variable's target safe
--- files
>>> tokens
one: %%one%%
--- config
websockify_token_file tokens;
location /other { websockify_pass $arg_to; }
--- steps
is $t->status_of('/other?token=one&to=[fe80::77]:9'), 403, 'guarded';
--- error_log eval
[ qr/\[warn\] .*may connect to any address/, 'link-local and metadata addresses need' ]

=== TEST 36: addresses that are refused do not count as tries: the answer is that of those tried
--- targets
hole: never accepts
--- dns
some.test A 127.0.0.1, 127.0.0.8, 127.0.0.9
--- config
resolver %%DNS%% ipv6=off;
websockify_allow 127.0.0.1;
websockify_connect_timeout 100ms;
location /websockify { websockify_pass $arg_to:%%hole_port%%; }
--- steps
is $t->status_of('/websockify?to=some.test'), 504, 'too late' for 1 .. 4;
--- error_log eval
[ 'is refused', qr/upstream timed out .* while connecting to upstream/ ]

=== TEST 37: a server that another location names is no group: a variable that comes to it is guarded as any
--- config
location /page   { proxy_pass http://[fe80::77]:9; }
location /static { websockify_pass [fe80::78]:9; }
location /free   { websockify_pass $arg_to; }
location /rule   { websockify_allow fe80::/10; websockify_pass $arg_to; }
--- steps
is $t->status_of("/free?to=[fe80::7$_]:9"), 403, 'guarded' for 7, 8;
is $t->status_of('/rule?to=[fe80::77]:9'), 502, 'allowed';
--- error_log eval
[ 'link-local and metadata addresses need', qr/connect\(\) to \[fe80::77\]:9 failed/ ]
