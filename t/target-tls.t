# TLS to the target: names, certificates, sessions, bytes, and how it ends.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Util qw(pattern_md5 slurp);

require_perl_modules('IO::Socket::SSL');

defaults(
    targets => 'desk (tls): sends "hello", echoes',
    config  => 'location /websockify { websockify_pass %%desk%%; websockify_ssl on; }',
);
run_tests;

# What the target knows of its last connection's TLS.
sub tls ($t) { $t->await('desk', 'do TLS', sub ($report) { $report->{connections}[-1]{tls} }) }

# A whole session at `$path`; what the target then knows of its TLS. It has sent its session tickets by then.
sub session ($t, $path) {
    my $client = $t->client($path);
    $client->expect('binary "hello"');
    $client->send('binary "x"');
    $client->expect('binary "x"');
    my $tls = tls($t);
    $client->send('close 1000');
    $client->expect('close 1000 ""');
    $client->saw_end;
    $client->close;
    return $tls;
}

__DATA__

=== TEST 1: a session, and its end by close_notify
--- dialogue
client gets binary "hello"
client sends binary "Hel"
client gets binary "Hel"
client sends close 1000 "bye"
client gets close 1000 ""
client sees end
desk sees end
--- steps
ok $t->targets->report('desk')->{connections}[0]{notified}, 'close_notify has come';

=== TEST 2: off by default, and where an inner level says so
--- targets
desk: sends "hello", swallows
--- http_config
websockify_ssl on;
--- config
location /websockify { websockify_pass %%desk%%; websockify_ssl off; }
--- dialogue
client gets binary "hello"

=== TEST 3: byte for byte, 20 MiB each way at once
--- steps
my $client = $t->client;
$client->expect('binary "hello"');
my $result = $client->pump(send => 20 << 20, receive => 20 << 20);
is $result->{md5}, pattern_md5(20 << 20), 'byte for byte';

=== TEST 4: through small buffers, with frames of odd sizes
--- config
location /websockify { websockify_pass %%desk%%; websockify_ssl on; websockify_buffer_size 2k; }
--- steps
my $client = $t->client;
$client->expect('binary "hello"');
my $result = $client->pump(send => 3_000_000, receive => 3_000_000, frame => 4_093);
is $result->{md5}, pattern_md5(3_000_000), 'byte for byte';

=== TEST 5: much to a client that reads slowly, and the target closes
--- targets
desk (tls): streams 5_000_000, closes
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
$client->stream->{reading} = 0;
$t->await('desk', 'be stopped', sub ($report) { $report->{connections}[0]{sent} > 100_000 });
$client->stream->{reading} = 1;
my $result = $client->pump(receive => 5_000_000);
is $result->{md5}, pattern_md5(5_000_000), 'byte for byte';
$client->expect('close 1000 "target closed"');
$client->send('close 1000');
is $client->saw_end, 'end', 'the end';

=== TEST 6: a target that takes little at a time
--- targets
desk (tls, rcvbuf 4096): sips 1000, swallows
--- steps
my $client = $t->client;
$client->pump(send => 1_000_000);
my $got = $t->await('desk', 'receive it', sub ($report) { my $c = $report->{connections}[0]; $c->{size} >= 1_000_000 && $c });
is $got->{md5}, pattern_md5(1_000_000), 'byte for byte';

=== TEST 7: what the client sent before its Close is delivered, and then the end, though the target talks all the time
Guards: a TLS target was closed without lingering; what it said then met a reset, and it lost what it had not read yet.
--- targets
desk (tls, rcvbuf 4096): streams 100_000, pauses, awaits 1_000_000, streams 200_000, awaits end
--- steps
my $client = $t->client;
$client->pump(receive => 100_000);
$client->send('binary mask 00000000 pattern(1_000_000) & close 1000');
$client->expect('close 1000 ""');
is $client->saw_end, 'end', 'the session is over';
$t->targets->tell('desk');
my $got = $t->await('desk', 'see the end', sub ($report) { my $c = $report->{connections}[0]; $c->{eof} && $c });
is $got->{size}, 1_000_000, 'all of it';
is $got->{md5}, pattern_md5(1_000_000), 'byte for byte';
ok $got->{notified}, 'and a close_notify';
ok !$got->{reset}, 'no reset';

=== TEST 8: a client that is gone without a word
--- dialogue
client gets binary "hello"
client sends binary "and gone"
desk gets "and gone"
client leaves
desk sees end
--- steps
ok $t->targets->report('desk')->{connections}[0]{notified}, 'close_notify';

=== TEST 9: the target ends its half, and still hears what the client says
--- targets
desk (tls): sends "bye", half-closes, awaits "ok", awaits end
--- dialogue
client gets binary "bye"
client gets close 1000 "target closed"
client sends binary "ok" & close 1000
desk gets "ok"
client sees end
desk sees end
--- steps
ok $t->targets->report('desk')->{connections}[0]{notified}, 'close_notify, though the target sent its own first';

=== TEST 10: a target that resets
--- targets
desk (tls): waits, resets
--- steps
my $client = $t->client;
tls($t);
$t->targets->tell('desk');
$client->expect('close 1011 "target reset the connection"');
--- error_log
qr/\[error\] .*SSL_read\(\) failed \(104: .*while tunneling/

=== TEST 11: TLS 1.2 and the settings of protocols and ciphers
--- targets
desk (tls): echoes
old (tls 1.2): echoes
--- config
# The sanitizer does not see that a session of TLS 1.2 which nginx keeps is nginx's.
websockify_ssl on; websockify_ssl_session_reuse off;
location /new { websockify_pass %%desk%%; }
location /old { websockify_pass %%old%%; }
location /12  { websockify_pass %%desk%%; websockify_ssl_protocols TLSv1.2; websockify_ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; }
location /13  { websockify_pass %%old%%; websockify_ssl_protocols TLSv1.3; }
location /conf { websockify_pass %%desk%%; websockify_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; }
--- steps
my $client = $t->client('/new');
is tls($t)->{version}, 'TLSv1_3', 'TLS 1.3';
$t->client('/12');
is tls($t)->{version}, 'TLSv1_2', 'websockify_ssl_protocols';
is tls($t)->{cipher}, 'ECDHE-ECDSA-AES256-GCM-SHA384', 'websockify_ssl_ciphers';
$t->client('/conf');
is tls($t)->{cipher}, 'TLS_CHACHA20_POLY1305_SHA256', 'websockify_ssl_conf_command';
my $old = $t->client('/old');
$old->send('binary "x"');
$old->expect('binary "x"');
is $t->status_of('/13'), 502, 'nothing in common: 502';
--- error_log
qr/\[\w+\] .*SSL_do_handshake\(\) failed .*while SSL handshaking to upstream.*upstream: "tls:/

=== TEST 12: the name that the target is told
--- dns
desk.test A 127.0.0.1
--- config
resolver %%DNS%% ipv6=off;
location /variable { websockify_pass desk.test:$arg_port; websockify_ssl on; }
location /given    { websockify_pass %%desk%%; websockify_ssl on; websockify_ssl_name $arg_name; }
location /address  { websockify_pass %%desk%%; websockify_ssl on; }
location /off      { websockify_pass localhost:%%desk_port%%; websockify_ssl on; websockify_ssl_server_name off; }
location /static   { websockify_pass localhost:%%desk_port%%; websockify_ssl on; }
--- steps
my $port = $t->targets->port('desk');
my %name = ("/variable?port=$port" => 'desk.test', '/given?name=other.test:443' => 'other.test', '/address' => '',
    '/off' => '', '/static' => 'localhost');
for my $path (sort keys %name) {
    $t->client($path);
    is tls($t)->{name}, $name{$path}, "$path: <$name{$path}>";
}

=== TEST 13: a unix socket's name is localhost
--- targets
desk (tls unix): sends "hello", echoes
--- config
location /websockify {
    websockify_pass %%desk%%; websockify_ssl on;
    websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem;
}
--- dialogue
client gets binary "hello"
client sends binary pattern(100_000)
client gets binary pattern(100_000)
--- steps
is tls($t)->{name}, 'localhost', 'localhost';

=== TEST 14: websockify_ssl_verify
--- config
websockify_ssl on; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem;
location /right   { websockify_pass %%desk%%; websockify_ssl_name desk.test; }
location /name    { websockify_pass %%desk%%; websockify_ssl_name other.test; }
location /other   { websockify_pass %%desk%%; websockify_ssl_name desk.test; websockify_ssl_trusted_certificate %%TLS%%/other-ca.pem; }
location /fine    { websockify_pass %%desk%%; websockify_ssl_name desk.test; websockify_ssl_crl %%TLS%%/none.crl; }
location /revoked { websockify_pass %%desk%%; websockify_ssl_name desk.test; websockify_ssl_crl %%TLS%%/desk.crl; }
location /blind   { websockify_pass %%desk%%; websockify_ssl_name other.test; websockify_ssl_verify off; }
--- steps
my %status = (right => 101, name => 502, other => 502, fine => 101, revoked => 502, blind => 101);
is $t->status_of("/$_"), $status{$_}, "$_: $status{$_}" for sort keys %status;
--- error_log
qr/\[error\] .*upstream SSL certificate does not match "other\.test"/
qr/\[error\] .*upstream SSL certificate verify error: \((?:20|21):unable to \w+/
qr/\[error\] .*upstream SSL certificate verify error: \(23:certificate revoked\)/

=== TEST 15: websockify_ssl_verify_depth
--- targets
desk (tls chain): sends "hello", swallows
--- config
websockify_ssl on; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem; websockify_ssl_name desk.test;
location /default { websockify_pass %%desk%%; }
location /none    { websockify_pass %%desk%%; websockify_ssl_verify_depth 0; }
--- steps
is $t->status_of('/default'), 101, 'a depth of 1';
is $t->status_of('/none'), 502, 'of 0';
--- error_log
certificate verify error

=== TEST 16: a certificate of our own
--- targets
desk (tls demands): sends "hello", swallows
--- http_config
websockify_ssl_certificate_key %%TLS%%/client.key;
--- config
websockify_ssl on;
websockify_ssl_certificate %%TLS%%/client.pem;
location /right  { websockify_pass %%desk%%; }
location /locked {
    websockify_pass %%desk%%;
    websockify_ssl_certificate %%TLS%%/client.pem;
    websockify_ssl_certificate_key %%TLS%%/locked.key;
    websockify_ssl_password_file %%TLS%%/password;
}
location /variable {
    websockify_pass %%desk%%;
    websockify_ssl_certificate %%TLS%%/$arg_name.pem;
    websockify_ssl_certificate_key %%TLS%%/$arg_key.key;
    websockify_ssl_password_file %%TLS%%/password;
}
location /none { websockify_pass %%desk%%; websockify_ssl_certificate ""; websockify_ssl_certificate_key ""; }
--- steps
my %client = ('/right' => 'client', '/locked' => 'client', '/variable?name=two&key=two' => 'two',
    '/variable?name=client&key=locked' => 'client');
for my $path (sort keys %client) {
    $t->client($path)->expect('binary "hello"');
    is tls($t)->{client}, $client{$path}, $path;
}
my $client = $t->connect;
$client->send_bytes($t->handshake('GET /none'));
my $status = $client->response->{status};
ok $status == 502 || $status == 101, 'none: it depends on when the target says so';
is $client->expect('close 1011 qr/target/')->{opcode}, 8, 'but no session' if $status == 101;
--- error_log
qr{\[(?:crit|error)\] .*(?:certificate required|\(104: )}

=== TEST 17: sessions are taken up again, and not if they shall not be
--- http_config
upstream group { server %%desk%%; }
upstream zone { zone z 256k; server %%desk%%; }
--- config
websockify_ssl on;
location /group { websockify_pass group; }
location /zone { websockify_pass zone; }
location /implicit { websockify_pass %%desk%%; }
location /off { websockify_pass group; websockify_ssl_session_reuse off; }
location /variable {
    websockify_pass group;
    websockify_ssl_certificate %%TLS%%/$arg_name.pem;
    websockify_ssl_certificate_key %%TLS%%/$arg_name.key;
}
--- steps
for my $path (qw(/group /zone /implicit)) {
    is session($t, $path)->{reused}, 0, "$path: a new session";
    is session($t, $path)->{reused}, 1, "$path: taken up again";
}
is session($t, '/off')->{reused}, 0, 'off' for 1 .. 2;
is session($t, "/variable?name=$_")->{reused}, 0, 'never with the certificate of a variable' for qw(client client two);
is session($t, '/group')->{reused}, 1, 'and the group still has its own' for 1 .. 2;

=== TEST 18: a session of a location that trusts anybody is nothing to one that does not
Guards: nginx keeps one session for a server, whoever has made it. A location with websockify_ssl_verify then took up the
session of one without, which had found no issuer, and answered 502.
--- http_config
upstream group { server %%desk%%; }
--- config
websockify_ssl on; websockify_ssl_name desk.test;
location /blind  { websockify_pass group; }
location /verify { websockify_pass group; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem; }
location /other  { websockify_pass group; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/other-ca.pem; }
--- steps
is session($t, '/blind')->{reused}, 0, 'trusts anybody';
is session($t, '/verify')->{reused}, 0, 'trusts whom it should: a session of its own';
is session($t, '/verify')->{reused}, 1, 'which it takes up again';
is $t->status_of('/other'), 502, 'trusts somebody else: not helped by the session of the one before';
is session($t, '/blind')->{reused}, 0, 'trusts anybody, and takes nobody\'s session';
--- error_log
certificate verify error

=== TEST 19: the same with a name and an address in place of a group, and in shared memory
--- http_config
upstream zone { zone z 256k; server %%desk%%; }
--- config
websockify_ssl on; websockify_ssl_name desk.test;
location /blind  { websockify_pass %%desk%%; }
location /verify { websockify_pass %%desk%%; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem; }
location /zone/blind  { websockify_pass zone; }
location /zone/verify { websockify_pass zone; websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem; }
--- steps
for my $path ('', '/zone') {
    is session($t, "$path/blind")->{reused}, 0, 'trusts anybody';
    is session($t, "$path/verify")->{reused}, 0, 'trusts whom it should';
    is session($t, "$path/verify")->{reused}, 1, 'again';
}

=== TEST 20: a target that speaks no TLS: 502, or the next server
--- targets
plain: sends "RFB 003.008\n", swallows
desk (tls): sends "hello", swallows
--- http_config
upstream group { server %%plain%%; server %%desk%%; }
--- config
websockify_ssl on;
location /plain { websockify_pass %%plain%%; }
location /group { websockify_pass group; }
--- log_format: $uri $status $upstream_addr $upstream_connect_time
--- steps
is $t->status_of('/plain'), 502, 'refused';
$t->client('/group')->expect('binary "hello"');
pass 'the next server';
--- error_log
qr/\[error\] .*SSL_do_handshake\(\) failed .*wrong version number.*while SSL handshaking to upstream.*upstream: "tls:\/\/127\.0\.0\.1:\d+"/
--- access_log
qr{^/plain 502 \S+ -$}m
qr{^/group 101 \S+, \S+ -, \d\.\d+$}m

=== TEST 21: a target that takes the connection and says nothing: 504, or the next server
--- targets
mute: swallows
desk (tls): sends "hello", swallows
--- http_config
upstream group { server %%mute%%; server %%desk%%; }
--- config
websockify_ssl on;
location /mute  { websockify_pass %%mute%%; websockify_connect_timeout 200ms; }
# Time enough for the second, on a busy machine.
location /group { websockify_pass group; websockify_connect_timeout 2s; }
--- steps
is $t->status_of('/mute'), 504, 'too late';
$t->client('/group')->expect('binary "hello"');
pass 'the next server';
--- error_log
qr/\[error\] .*upstream timed out .*while SSL handshaking to upstream/

=== TEST 22: a target that ends before the handshake does
--- targets
gone: closes
--- config
location /websockify { websockify_pass %%gone%%; websockify_ssl on; }
--- handshake
--- error_code: 502
--- error_log
qr/\[(?:error|info)\] .*(?:peer closed connection in SSL handshake|SSL_do_handshake\(\) failed).*while SSL handshaking to upstream/

=== TEST 23: what nginx logs of a session with TLS
--- log_format: $status $upstream_addr $upstream_status $upstream_connect_time $upstream_bytes_sent $upstream_bytes_received
--- dialogue
client gets binary "hello"
client sends binary "12345678"
client gets binary "12345678"
client sends close 1000
client gets close 1000 ""
client sees end
--- access_log
qr/^101 %%desk%% 101 \d\.\d{3} 8 13$/

=== TEST 24: early frames go to a TLS target once its handshake is done
--- early_frames
binary "early" & binary " bird"
--- dialogue
client gets binary "helloearly bird"

=== TEST 25: wss in front, TLS behind
--- tls
--- dialogue
client gets binary "hello"
client sends binary pattern(100_000)
client gets binary pattern(100_000)
client sends close 1000
client gets close 1000 ""
client sees end
desk sees end

=== TEST 26: a target that wants new keys in the middle of a session
With TLS 1.3 both sides change them; with 1.2 nginx refuses to renegotiate, and the session goes on.
--- config
location /websockify { websockify_pass 127.0.0.1:$arg_to; websockify_ssl on; websockify_allow 127.0.0.1; }
--- steps
my $tls = $t->expand('%%TLS%%');
for my $version ([ 'tls1_3', 'K' ], [ 'tls1_2', 'r' ]) {
    my ($option, $command) = @$version;
    my $out = $t->nginx->prefix . "/$option";
    open my $server, '|-', "exec stdbuf -o0 openssl s_server -$option -accept 127.0.0.1:0 -cert $tls/desk.pem "
        . "-key $tls/desk.key >$out 2>&1" or die "openssl: $!";
    $server->autoflush;
    my $said = sub ($pattern) {
        WebsockifyTest::Util::await("$pattern of the target", sub { slurp($out) =~ $pattern });
        return slurp($out) =~ $pattern ? $1 : undef;
    };
    my $client = $t->client('/websockify?to=' . $said->(qr/^ACCEPT \S*:(\d+)$/m));
    $client->send('binary "one\n"');
    $said->(qr/^(one)$/m);
    for my $round (1 .. 3) {
        print {$server} "$command\n";
        $said->(qr/((?:SSL_do_handshake -> 1.*?){$round})/s);
        print {$server} "down $round\n";
        $client->expect(qq(binary "down $round\\n"));
        $client->send(qq(binary "up $round\\n"));
        $said->(qr/^(up $round)$/m);
    }
    pass "$option: nothing is lost";
    print {$server} "Q\n";
    $client->expect('close 1000 "target closed"');
    $client->close;
    close $server;
}

=== TEST 27: websockify_ssl_certificate_cache
--- needs_nginx: 1.27.4
--- targets
desk (tls demands): sends "hello", swallows
--- files
>>> name.pem
>>> name.key
--- config
websockify_ssl on;
location /cached {
    websockify_ssl_certificate_cache max=10 valid=1h;
    websockify_pass %%desk%%;
    websockify_ssl_certificate %%PREFIX%%/$arg_name.pem;
    websockify_ssl_certificate_key %%PREFIX%%/$arg_name.key;
}
location /read {
    websockify_pass %%desk%%;
    websockify_ssl_certificate %%PREFIX%%/$arg_name.pem;
    websockify_ssl_certificate_key %%PREFIX%%/$arg_name.key;
}
--- steps
my $use = sub ($whose) {
    for my $kind (qw(pem key)) {
        open my $file, '>', $t->nginx->prefix . "/name.$kind" or die "open: $!";
        print {$file} slurp($t->expand("%%TLS%%/$whose.$kind"));
        close $file;
    }
};
my $client = sub ($path) {
    $t->client("$path?name=name")->expect('binary "hello"');
    return tls($t)->{client};
};
$use->('client');
is $client->($_), 'client', "$_: the one" for qw(/cached /read);
$use->('two');
is $client->('/cached'), 'client', 'still the one';
is $client->('/read'), 'two', 'the other';

=== TEST 28: a target that is still starting, and speaks TLS when it is up
--- targets
desk (tls): refuses then sends "hello", echoes
--- config
location /websockify { websockify_pass %%desk%%; websockify_ssl on; websockify_connect_retry 20s; }
--- steps
my $client = $t->connect;
$client->send_bytes($t->handshake);
WebsockifyTest::Util::await('a failure', sub { $t->nginx->error_log =~ /connect\(\) failed/ });
$t->targets->listen('desk');
is $client->response->{status}, 101, 'a session';
$client->expect('binary "hello"');
$client->send('binary "x"');
$client->expect('binary "x"');
is tls($t)->{version}, 'TLSv1_3', 'with TLS';
--- error_log
connect() failed
