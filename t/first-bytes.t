# `websockify_first_bytes`: nothing goes either way before the target has greeted as it should.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

run_tests;

sub received ($t, $target) { join '', map { $_->{received} } $t->targets->report($target)->{connections}->@* }

__DATA__

=== TEST 1: a target that greets as it should
--- targets
vnc: sends "RFB 003.008\n", echoes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_first_bytes "RFB "; }
--- dialogue
client gets binary "RFB "
client gets binary "003.008\n"
client sends binary "RFB 003.008\n"
client gets binary "RFB 003.008\n"

=== TEST 2: one that does not: 1011, and neither side has heard a byte of the other
--- targets
http: sends "HTTP/1.1 400 Bad Request\r\n", swallows
--- config
location /websockify { websockify_pass %%http%%; websockify_first_bytes "RFB " "SSH-"; }
--- early_frames: binary "GET / HTTP/1.1\r\n\r\n"
--- dialogue
client gets close 1011 "first bytes"
client sees end
http sees end
--- steps
is received($t, 'http'), '', 'the target heard nothing';
--- error_log
qr/\[error\] .*target sent first bytes other than those of "websockify_first_bytes" while tunneling, client: .*, upstream: "tcp:\/\/%%http%%"/
--- no_error_log
HTTP/1.1 400

=== TEST 3: the client is not heard before; what it sent then is not lost
--- targets
vnc: waits, sends "RFB ", echoes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_first_bytes "RFB "; }
--- early_frames: binary "early"
--- steps
$client->send('binary "later" & ping "are you there"');
$t->target_accepts('vnc', 1);
select undef, undef, undef, 0.2;
is received($t, 'vnc'), '', 'nothing yet';
$t->targets->tell('vnc');
$client->expect('binary "RFB "');
$t->target_gets('vnc', 'earlylater');
pass 'and then all of it';

=== TEST 4: a greeting in pieces, and what follows it at once
--- targets
vnc: sends "R", waits, sends "F", waits, sends "B 003.008\nmore", swallows
--- config
location /websockify { websockify_pass %%vnc%%; websockify_first_bytes "SSH-2.0" "RFB 003."; }
--- steps
my $client = $t->client;
for (1, 2) { $t->target_accepts('vnc', 1); select undef, undef, undef, 0.1; $t->targets->tell('vnc') }
$client->expect('binary "RFB 003."');
$client->expect('binary "008\nmore"');

=== TEST 5: a target that ends before it has greeted
--- targets
silent: closes
half: sends "RF", closes
broken: sends "RF", waits, resets
--- config
websockify_first_bytes "RFB ";
location /silent { websockify_pass %%silent%%; }
location /half   { websockify_pass %%half%%; }
location /broken { websockify_pass %%broken%%; }
--- steps
$t->client($_)->expect('close 1011 "first bytes"') for '/silent', '/half';
my $client = $t->client('/broken');
$t->targets->tell('broken');
$client->expect('close 1011 qr/./');
pass 'told so';
--- error_log eval
[ qr/\[error\] .*target ended before it sent the "websockify_first_bytes"/, qr/recv\(\) failed|target ended/ ]

=== TEST 6: a target that says nothing has `websockify_connect_timeout` for it
--- targets
silent: swallows
--- config
location /websockify { websockify_pass %%silent%%; websockify_first_bytes "RFB "; websockify_connect_timeout 300ms; }
--- dialogue
client sends binary "anybody?"
client gets close 1011 "first bytes"
client sees end
silent sees end
--- steps
is received($t, 'silent'), '', 'and hears nothing';
--- error_log
qr/\[error\] .*target timed out: it did not send the "websockify_first_bytes"/

=== TEST 7: a client that leaves while the target is silent is not kept
--- targets
silent: swallows
--- config
location /websockify { websockify_pass %%silent%%; websockify_first_bytes "RFB "; }
--- early_frames: binary "early" & close 1000
--- steps
$client->close;
$t->target_sees('silent', 'end');
is received($t, 'silent'), '', 'and nothing of it arrives';

=== TEST 8: the base64 subprotocol
--- targets
vnc: sends "RFB 003.008\n", echoes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_first_bytes "RFB 003.008\x0a"; }
--- handshake
Sec-WebSocket-Protocol: base64
--- dialogue
client gets text "UkZCIDAwMy4wMDgK"
client sends text "aGVsbG8="
client gets text "aGVsbG8="

=== TEST 9: bytes that are no text
--- targets
pg: sends "\x00\xff\x5c", echoes
--- config
location /websockify { websockify_pass %%pg%%; websockify_first_bytes "\x00\xFf\x5c"; }
--- dialogue
client gets binary "\x00\xff\x5c"

=== TEST 10: a right that ends, and a shutdown, before the target has greeted
--- targets
silent: swallows
--- log_level: info
--- config
websockify_first_bytes "RFB ";
location /websockify { websockify_pass %%silent%%; websockify_session_timeout $arg_x; }
--- request: GET /websockify?x=200ms
--- dialogue
client sends binary "anybody?"
client gets close 4401 "right expired"
client sees end
--- steps
is received($t, 'silent'), '', 'the target heard nothing';
--- error_log
the right to it has ended

=== TEST 11: it is inherited, replaced, and off
--- targets
vnc: sends "RFB 003.008\n", swallows
ssh: sends "SSH-2.0-x\n", swallows
--- http_config
websockify_first_bytes "RFB ";
--- config
location /vnc { websockify_pass %%vnc%%; }
location /ssh { websockify_pass %%ssh%%; websockify_first_bytes "SSH-"; }
location /off { websockify_pass %%ssh%%; websockify_first_bytes off; }
location /not { websockify_pass %%ssh%%; }
--- steps
$t->client('/vnc')->expect('binary "RFB "');
$t->client('/ssh')->expect('binary "SSH-"');
$t->client('/off')->expect('binary "SSH-2.0-x\n"');
$t->client('/not')->expect('close 1011 "first bytes"');
pass 'each';
--- error_log
sent first bytes other than

=== TEST 12: everything that it may be
--- config
location /a { websockify_first_bytes "RFB " SSH- "\x00\x01" 'it\'s' off; }
location /b { websockify_first_bytes off; }
--- config_ok

=== TEST 13: nothing to say
--- config
websockify_first_bytes "";
--- emerg: invalid parameter "": empty

=== TEST 14: half a byte
--- config
websockify_first_bytes "\x4";
--- emerg: invalid parameter "\\x4": "\x" without two hexadecimal digits

=== TEST 15: twice
--- config
websockify_first_bytes "RFB "; websockify_first_bytes off;
--- emerg: "websockify_first_bytes" directive is duplicate

=== TEST 16: no argument
--- config
websockify_first_bytes;
--- emerg: invalid number of arguments in "websockify_first_bytes" directive
