# A panic anywhere ends one session: the worker, and the other sessions in it, go on. The module is a build of its own
# with the cargo feature `test-faults`, whose `websockify_test_panic` panics where it is told to.

use v5.36;
use lib 't/lib';
BEGIN { $ENV{TEST_NGINX_MODULE} = $ENV{TEST_NGINX_FAULTY_MODULE} // 'build/test-faults/ngx_http_websockify_module.so' }
use WebsockifyTest;
use WebsockifyTest::Tokens qw(put status_of comes_to);

defaults(
    targets => 'vnc: echoes',
    dns     => 'a.test A 127.0.0.1',
    config  => <<~'CONFIG',
        resolver %%DNS%% ipv6=off;
        set $name a.test;
        location /websockify   { websockify_pass %%vnc%%; }
        location /handler      { websockify_pass %%vnc%%; websockify_test_panic handler; }
        location /resolved     { websockify_pass $name:%%vnc_port%%; websockify_test_panic resolved; }
        location /choose_peers { websockify_pass %%vnc%%; websockify_test_panic choose_peers; }
        location /may_connect  { websockify_pass %%vnc%%; websockify_test_panic may_connect; }
        location /connected    { websockify_pass %%vnc%%; websockify_test_panic connected; }
        location /event        { websockify_pass %%vnc%%; websockify_test_panic event; }
        location /release      { websockify_pass %%vnc%%; websockify_test_panic release; }
        CONFIG
);
run_tests;

# A session that was there before goes on after `$play`, in the same worker.
sub beside_another ($t, $play) {
    my $other = $t->client;
    $other->send('binary "before"');
    $other->expect('binary "before"');
    $play->();
    $other->send('binary "after"');
    $other->expect('binary "after"');
    $other->send('close 1000');
    $other->expect('close 1000');
}

# The answer to a handshake at `$path`.
sub answer ($t, $path) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path"));
    return $client->response->{status};
}

__DATA__

=== TEST 1: in the content handler: 500
--- steps
beside_another($t, sub { is answer($t, '/handler'), 500, 'status' });
--- error_log
qr/\[alert\] .*panicked at .*on demand: handler/s

=== TEST 2: where a name has been resolved: the client is let go
--- steps
beside_another($t, sub {
    my $client = $t->connect;
    $client->send_bytes($t->handshake('GET /resolved'));
    is $client->saw_end, 'end', 'the connection is closed';
});
--- error_log
qr/\[alert\] .*panicked at .*on demand: resolved/s

=== TEST 3: where a server is chosen: 500
--- steps
beside_another($t, sub { is answer($t, '/choose_peers'), 500, 'status' });
--- error_log
qr/\[alert\] .*panicked at .*on demand: choose_peers/s

=== TEST 4: before the 101: the client is let go
--- steps
beside_another($t, sub {
    my $client = $t->connect;
    $client->send_bytes($t->handshake('GET /connected'));
    is $client->saw_end, 'end', 'the connection is closed';
});
--- error_log
qr/\[alert\] .*panicked at .*on demand: connected/s

=== TEST 5: our own fault: close 1011, and an alert in the log
--- steps
beside_another($t, sub {
    my $client = $t->client('/event');
    $client->send('binary "x"');
    $client->expect('close 1011 "internal error"');
    is $client->saw_end, 'end', 'and no reset';
});
--- error_log
qr/\[alert\] .*panicked at .*on demand: event/s

=== TEST 6: at the end of a session: it ends
--- steps
beside_another($t, sub {
    my $client = $t->client('/release');
    $client->send('binary "x"');
    $client->expect('binary "x"');
    $client->send('close 1000');
    $client->expect('close 1000');
    is $client->saw_end, 'end', 'and no reset';
});
--- error_log
qr/\[alert\] .*panicked at .*on demand: release/s

=== TEST 7: in the thread that reads token files: the tokens stay, and the next change is read
--- files
>>> tokens
desk1: %%vnc%%
--- config
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
--- steps
my $client = $t->client('/websockify?token=desk1');
put($t, 'tokens.panic', '');
put($t, 'tokens', "desk2: %%vnc%%\n");
$t->nginx->await_log(qr/\[alert\] .*websockify panicked over token file/);
is status_of($t, 'desk1'), 101, 'the tokens as they were';
unlink $t->nginx->prefix . '/tokens.panic';
put($t, 'tokens', "desk3: %%vnc%%\n");
comes_to($t, 'desk3', 101);
$client->send('binary "still"');
$client->expect('binary "still"');
my $alerts = () = $t->nginx->error_log =~ /panicked/g;
is $alerts, 1, 'said once';
--- error_log
websockify panicked over token file

=== TEST 8: where rules are asked about an address: 500, and nobody is connected to
--- steps
beside_another($t, sub { is answer($t, '/may_connect'), 500, 'status' });
--- error_log
qr/\[alert\] .*panicked at .*on demand: may_connect/s
--- target_connections
vnc: 1

=== TEST 9: as a configuration is read: it is refused, and the one before stays
--- steps
my $client = $t->client;
$t->nginx->configure($t->conf(config => 'location /websockify { websockify_pass %%vnc%%; websockify_test_panic merge; }'));
my ($code, $said) = $t->nginx->config_test;
is $code, 1, 'nginx -t';
like $said, qr/on demand: merge/, 'which says why';
$t->nginx->signal('HUP');
$t->nginx->await_log(qr/websockify panicked as it read the configuration/);
$client->send('binary "still"');
$client->expect('binary "still"');
is answer($t, '/websockify'), 101, 'and new ones';
--- error_log
qr/\[alert\] .*panicked at .*on demand: merge/
qr/\[emerg\] .*websockify panicked as it read the configuration$/m
