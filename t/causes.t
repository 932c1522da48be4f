# Why a target could not be had: for each cause one line of level `error` (or `crit`) that names the target, and a status.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

require_perl_modules('IO::Socket::SSL');

defaults(dns => "mute.test silent\nbroken.test SERVFAIL\ndesk.test A 127.0.0.1");
run_tests;

# Each case: what it is, the path, the status, what the line says.
sub causes ($t, @cases) {
    for my $case (@cases) {
        my ($name, $path, $status, $said) = @$case;
        my $before = length $t->nginx->error_log;
        is $t->status_of($path), $status, "$name: $status";
        my @lines = grep { /\[(?:error|crit|alert|emerg)\]/ } split /\n/, substr $t->nginx->error_log, $before;
        is @lines, 1, 'one line' or diag @lines;
        like $lines[0] // '', $said, 'which says why';
    }
}

__DATA__

=== TEST 1: no connection
--- targets
down: refuses
hole: never accepts
--- http_config
upstream full { zone full 64k; server %%down%% max_conns=1 down; }
--- config
location /refused   { websockify_pass %%down%%; }
location /silent    { websockify_pass %%hole%%; websockify_connect_timeout 200ms; }
location /no-socket { websockify_pass unix:%%PREFIX%%/no.sock; }
location /full      { websockify_pass full; }
location /bind      { websockify_pass %%down%%; websockify_bind 198.51.100.1; }
--- steps
my ($down, $hole) = map { $t->targets->address($_) } qw(down hole);
causes($t,
    [ 'refused', '/refused', 502, qr{connect\(\) failed \(111: .*upstream: "tcp://\Q$down\E"} ],
    [ 'silent', '/silent', 504, qr{upstream timed out .*while connecting to upstream.*upstream: "tcp://\Q$hole\E"} ],
    [ 'no socket', '/no-socket', 502, qr{connect\(\) to unix:\S+/no\.sock failed \(2: } ],
    [ 'no server left', '/full', 502, qr{no live upstreams .*upstream: "tcp://full"} ],
    [ 'no such address here', '/bind', 500, qr{bind\(198\.51\.100\.1\) failed \(99: } ],
);
--- error_log
qr/\[(?:error|crit)\]/

=== TEST 2: no address
--- config
websockify_allow 127.0.0.1;
location /none     { websockify_pass $arg_to; }
location /resolver { websockify_pass $arg_to; resolver %%DNS%% ipv6=off; }
location /hurry    { websockify_pass $arg_to; resolver %%DNS%% ipv6=off; resolver_timeout 200ms; }
--- steps
causes($t,
    [ 'no resolver', '/none?to=desk.test:5900', 502, qr{no resolver defined to resolve "desk\.test"} ],
    [ 'no such name', '/resolver?to=gone.test:5900', 502, qr{target "gone\.test" could not be resolved: Host not found} ],
    [ 'a broken server', '/resolver?to=broken.test:5900', 502, qr{target "broken\.test" could not be resolved: Server failure} ],
    [ 'a mute server', '/hurry?to=mute.test:5900', 502, qr{target "mute\.test" could not be resolved: Operation timed out} ],
    [ 'nothing', '/none', 500, qr{value of "websockify_pass" is empty: no target} ],
    [ 'no address', '/none?to=:x', 500, qr{in target ":x" of "websockify_pass"} ],
);
--- error_log
qr/\[(?:error|crit|warn)\]/

=== TEST 3: no TLS
--- targets
plain:    sends "RFB 003.008\n", swallows
mute:     swallows
hangs_up: awaits 1, closes
desk (tls): swallows
old (tls 1.2): swallows
--- config
websockify_ssl on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem;
location /plain    { websockify_pass %%plain%%; }
location /mute     { websockify_pass %%mute%%; websockify_connect_timeout 300ms; }
location /hangs-up { websockify_pass %%hangs_up%%; }
location /old      { websockify_pass %%old%%; websockify_ssl_protocols TLSv1.3; }
location /foreign  { websockify_pass %%desk%%; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/other-ca.pem; }
location /name     { websockify_pass %%desk%%; websockify_ssl_verify on; }
location /our-own  {
    websockify_pass %%desk%%;
    websockify_ssl_certificate %%TLS%%/$arg_name.pem; websockify_ssl_certificate_key %%TLS%%/$arg_name.key;
}
--- steps
my %at = map { $_ => qr{while SSL handshaking to upstream.*upstream: "tls://\Q${\$t->targets->address($_)}\E"} } $t->targets->names;
causes($t,
    [ 'no TLS', '/plain', 502, qr{SSL_do_handshake\(\) failed .*wrong version number.*$at{plain}} ],
    [ 'no answer', '/mute', 504, qr{upstream timed out .*$at{mute}} ],
    [ 'no handshake', '/hangs-up', 502, qr{peer closed connection in SSL handshake.*$at{hangs_up}} ],
    [ 'no common protocol', '/old', 502, qr{SSL_do_handshake\(\) failed .*alert.*$at{old}} ],
    [ 'somebody else\'s CA', '/foreign', 502, qr{upstream SSL certificate verify error: .*$at{desk}} ],
    [ 'an address as the name', '/name', 502, qr{upstream SSL certificate does not match "127\.0\.0\.1".*$at{desk}} ],
    [ 'no certificate of our own', '/our-own?name=nobody', 500, qr{cannot load certificate "\S+/nobody\.pem".*upstream: "tls://} ],
);
--- error_log
qr/\[(?:error|crit|warn)\]/
