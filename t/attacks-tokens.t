# SECURITY.md, what may be tried against tokens.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Tokens qw(status_of);
use WebsockifyTest::Util qw(await);

defaults(
    targets => qq(one: sends "one", swallows\ntwo: sends "two", swallows),
    files   => ">>> tokens\ngood-token: %%one%%\nrefused-token: 127.0.0.2:1\n",
    config  => <<'END',
location /websockify {
    websockify_token_file tokens;
    websockify_allow 127.0.0.1;
    websockify_pass $websockify_target;
}
END
);
run_tests;

# All that a client sees of an answer, but for the date.
sub whole_answer ($t, $query) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /websockify$query"));
    my $response = $client->response;
    my %headers  = map { $_ => [ $client->header($_) ] }
        qw(Server Content-Type Content-Length Connection Location Upgrade Sec-WebSocket-Accept Set-Cookie);
    $client->close;
    return explain([ $response->@{qw(line body)}, \%headers ]);
}

__DATA__

=== TEST 1: whether a token exists cannot be told from the answer
--- steps
my @queries = map { "?token=$_" } '', 'bad-token', 'good-toke', 'good-token2', 'Good-Token', 'refused-token', 'x' x 1000;
my %answers = map { join('', whole_answer($t, $_)) => 1 } '', @queries;
is keys %answers, 1, 'one answer for all' or diag explain(\%answers);
like((keys %answers)[0], qr/403/, 'and it is 403');
is status_of($t, 'good-token'), 101, 'while a good one is good';
--- error_log
is refused

=== TEST 2: who guesses is slowed down by limit_req, before a token is looked at
--- http_config
limit_req_zone $binary_remote_addr zone=tokens:1m rate=1r/m;
--- config
location /websockify {
    limit_req zone=tokens burst=3 nodelay;
    limit_req_status 429;
    websockify_token_file tokens;
    websockify_allow 127.0.0.1;
    websockify_pass $websockify_target;
}
--- steps
is status_of($t, "guess$_"), 403, "guess $_" for 1 .. 4;
is status_of($t, "guess$_"), 429, "guess $_" for 5 .. 7;
is status_of($t, 'good-token'), 429, 'and a good one, now, tells nothing';
--- error_log
limiting requests
--- target_connections
one: 0

=== TEST 3: a token is no path: it reaches no file and no socket that is not listed
--- targets
un (unix): sends "un", swallows
hidden (unix): sends "hidden", swallows
--- files
>>> d/list
desk: 127.0.0.1:1
>>> d/below/name
127.0.0.1:1
--- config
location /websockify {
    websockify_token_file d;
    websockify_pass $websockify_target;
}
--- before
my $prefix = $t->nginx->prefix;
my ($un, $hidden) = map { $t->targets->address($_) =~ s/^unix://r } qw(un hidden);
rename $un, "$prefix/d/sock" or die "rename: $!";
rename $hidden, "$prefix/hidden" or die "rename: $!";
symlink '../hidden', "$prefix/d/up";
symlink "$prefix/hidden", "$prefix/d/away";
symlink '..', "$prefix/d/parent";
symlink 'sock', "$prefix/d/also";
--- steps
my $prefix = $t->nginx->prefix;
is status_of($t, $_), 101, $_ for qw(sock also);
is status_of($t, $_), 403, $_ for qw(up away parent below list ../hidden ..%2fhidden %2e%2e%2fhidden parent/hidden
    ./sock d/sock below/name sock/ sock%00 %00sock .. . / //), "$prefix/hidden", "unix:$prefix/hidden", "unix_socket:$prefix/hidden";
--- error_log
up is left out: leads out of the directory
away is left out: leads out of the directory
--- target_connections
hidden: 0

=== TEST 4: a link out of the directory that is made while nginx runs
--- targets
un (unix): sends "un", swallows
hidden (unix): sends "hidden", swallows
--- files
>>> d/list
--- config
location /websockify {
    websockify_token_file d;
    websockify_pass $websockify_target;
}
--- before
my $prefix = $t->nginx->prefix;
my ($un, $hidden) = map { $t->targets->address($_) =~ s/^unix://r } qw(un hidden);
rename $un, "$prefix/d/sock" or die "rename: $!";
rename $hidden, "$prefix/hidden" or die "rename: $!";
symlink 'sock', "$prefix/d/link";
--- steps
my $prefix = $t->nginx->prefix;
is status_of($t, 'link'), 101, 'a link in the directory';
# The very link that was good: what is connected is what was checked, not what it leads to now.
symlink '../hidden', "$prefix/d/new";
rename "$prefix/d/new", "$prefix/d/link";
await 'the link to be seen', sub {
    my $client = $t->connect;
    $client->send_bytes($t->handshake('GET /websockify?token=link'));
    my $status = $client->response->{status};
    $client->expect('binary "un"') if $status == 101;
    $client->close;
    return $status == 403;
};
pass 'the link is of no use any more';
--- error_log
link is left out: leads out of the directory
--- target_connections
hidden: 0

=== TEST 5: no line of the error log is the client's, and ours have no token
--- log_level: info
--- steps
is status_of($t, $_), 403, $_ for 'secret-guess', '%0a2026/11/28%2000:00:00%20[alert]%20forged', '%1b[31mred', '%00';
is status_of($t, 'good-token'), 101, 'a good one';
--- error_log
client sent unknown token
--- no_error_log eval
[ qr/^2026.{17}alert.*forged/m, qr/\e/, qr/client sent[^,]*secret-guess/, qr/\[\w+\] [^,]*good-token/ ]

=== TEST 6: who may not know the target cannot name it: no header, argument or cookie sets $websockify_target
--- steps
my $one = $t->targets->address('one');
for my $try ("?websockify_target=$one", "?token=$one", "?token=&websockify_target=$one") {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /websockify$try", "+Websockify-Target: $one\n+X-Websockify-Target: $one\n+Cookie: websockify_target=$one; token=good-token"));
    is $client->response->{status}, 403, $try;
    $client->close;
}
--- target_connections
one: 0

=== TEST 7: a target in the file that no rule allows is not connected to
--- steps
is status_of($t, 'refused-token'), 403, 'refused by websockify_allow';
--- error_log
qr/\[error\] .*127\.0\.0\.2.* is refused/
