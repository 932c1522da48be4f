# Ways into a session that a second reader found open: what leads to a location, what a target's text may hold, and who
# waits while its name is being resolved.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(targets => 'vnc: sends "hello", echoes');
run_tests;

# Lets nginx find the request and what comes after it at one and the same time.
sub at_once ($t, $what) {
    my ($worker) = $t->nginx->workers;
    kill 'STOP', $worker;
    $what->();
    kill 'CONT', $worker;
}

__DATA__

=== TEST 1: `error_page 404 /ws;` that leads a valid handshake here: a 101 as any other
Guards: r->err_status put the 404 in the place of the 101, in chunks.
--- config
location /        { error_page 404 /websockify; }
location /proxied { error_page 403 = @websockify; deny all; }
location @websockify { websockify_pass %%vnc%%; }
location /websockify { websockify_pass %%vnc%%; }
--- request: GET /missing
--- dialogue
client gets binary "hello"
client sends binary "and back"
client gets binary "and back"
client sends close 1000
client gets close 1000 ""
client sees end
--- steps
my $other = $t->client('/proxied');
is $other->{response}{line}, 'HTTP/1.1 101 Switching Protocols', 'the line';
is_deeply [ $other->header('Transfer-Encoding') ], [], 'no Transfer-Encoding';
$other->expect('binary "hello"');
--- error_log eval
[ 'No such file or directory', 'access forbidden by rule' ]
--- access_log
qr/"GET \/missing HTTP\/1.1" 101 /
qr/"GET \/proxied HTTP\/1.1" 101 /

=== TEST 2: and one that is none: the refusal's status
--- config
location / { error_page 404 /websockify; }
location /websockify { websockify_pass %%vnc%%; }
--- request: GET /missing
--- handshake
Sec-WebSocket-Version: 8
--- error_code: 426
--- error_log: No such file or directory
--- target_connections
vnc: 0

=== TEST 3: control characters in a unix: target from a variable: 500 and one escaped line in the error log
Guards: nginx writes the address of a target that refuses into its log as it is, new lines and all.
--- config
location ~ (?s)^/to/(.*)$ { websockify_pass unix:%%PREFIX%%/$1; }
--- request: GET /to/x%0A2026/11/23%2007:00:00%20[alert]%201%231:%20evil%1b[2J%7f
--- handshake
--- error_code: 500
--- error_log
qr/^\S+ \S+ \[error\] .*control character in target "unix:[^"]*\/x\\n2026[^"]*evil\\x1b\[2J\\x7f"/m
--- no_error_log
qr/^2026.{15} \[alert\] 1#1: evil/m
qr/[\x00-\x09\x0b-\x1f\x7f]/

=== TEST 4: control characters in a target that is no path
--- config
location ~ (?s)^/to/(.*)$ { websockify_pass $1; }
--- steps
for my $text ('127.0.0.1%0a:5900', 'unix:/a%09b', 'na%00me:5900', '%7f', 'host:59%0d00') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /to/$text"));
    my $status = $client->response->{status};
    like $status, qr/^(?:400|500)$/, "$text: $status";
    $client->close;
}
--- error_log eval
[ qr/\[error\] .*control character in target "127\.0\.0\.1\\n:5900"/, qr/\[error\] .*control character in target "unix:\/a\\tb"/, 'control character' ]
--- no_error_log
qr/[\x00-\x09\x0b-\x1f\x7f]/

=== TEST 5: a client that leaves while its target's name is being resolved: 499 at once
--- dns
slow.test silent
--- config
resolver %%DNS%%; resolver_timeout 1h;
location /websockify { websockify_pass slow.test:$arg_port; }
--- log_format: status=$status
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake('GET /websockify?port=' . $t->targets->port('vnc')));
WebsockifyTest::Util::await('the question', sub { $t->targets->questions });
$client->close;
$t->nginx->await_access_log(qr/^status=499$/m);
pass 'long before the name server is given up';
--- target_connections
vnc: 0

=== TEST 6: also when its FIN came right with the request
Guards: nothing was announced any more that had come before the client was watched.
--- dns
slow.test silent
--- config
resolver %%DNS%%; resolver_timeout 1h;
location /websockify { websockify_pass slow.test:$arg_port; }
--- log_format: status=$status
--- steps
my $request = $t->handshake('GET /websockify?port=' . $t->targets->port('vnc'));
for my $way (qw(close end)) {
    my $client = $t->connect;
    my $seen   = () = $t->nginx->access_log =~ /^status=499$/mg;
    at_once($t, sub { $client->send_bytes($request); $client->$way });
    WebsockifyTest::Util::await("the end after $way", sub { (() = $t->nginx->access_log =~ /^status=499$/mg) > $seen });
    pass $way;
}
--- target_connections
vnc: 0
