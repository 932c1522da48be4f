# websockify_bind ... transparent: the target is connected from an address that is not this machine's. In a network
# namespace of the test's own, where a rule brings the target's answers to that address back.

use v5.36;
use lib 't/lib';
use WebsockifyTest::Namespace;
use WebsockifyTest;

for (
    'ip route add local 198.51.100.0/24 dev lo table 100',
    'ip rule add to 198.51.100.0/24 lookup 100',
) { system($_) == 0 or die "cannot $_\n" }

defaults(targets => 'vnc: sends "hello", echoes');
run_tests;

__DATA__

=== TEST 1: the client's address, as realip has it
--- config
set_real_ip_from 127.0.0.1;
location /websockify { websockify_pass %%vnc%%; websockify_bind $remote_addr transparent; }
--- handshake
X-Real-IP: 198.51.100.7
--- dialogue
client gets binary "hello"
client sends binary "from afar"
client gets binary "from afar"
--- steps
like $t->targets->report('vnc')->{connections}[0]{peer}, qr/^198\.51\.100\.7:/, 'its address';

=== TEST 2: without the word the system refuses
--- config
location /websockify { websockify_pass %%vnc%%; websockify_bind 198.51.100.7; }
--- handshake
--- error_code: 500
--- error_log
qr/\[crit\] .*bind\(198\.51\.100\.7\) failed \(99: /
