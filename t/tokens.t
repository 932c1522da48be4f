# BEHAVIOUR.md section 3, websockify_token_file: who shows a token of the file gets to its target, and nobody else.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Tokens qw(put status_of comes_to);
use WebsockifyTest::Util qw(await slurp);

defaults(
    targets => qq(one: sends "one", swallows\ntwo: sends "two", swallows),
    config  => 'location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }',
);
run_tests;

sub greeting ($t, $token, $path = '/websockify') {
    my $client = $t->client("$path?token=$token");
    my $word   = $client->expect('binary qr/./')->{payload};
    $client->close;
    return $word;
}

__DATA__

=== TEST 1: each token has its target
--- files
>>> tokens
# a comment

desk1: %%one%%
 desk2:	%%two%%
a b+c/d=:e: %%two%%
--- log_format: $status $websockify_target
--- steps
is greeting($t, 'desk1'), 'one', 'a token';
is greeting($t, 'desk2'), 'two', 'another';
is greeting($t, 'a%20b+c/d=:%65'), 'two', 'a token as it is written in an address';
--- access_log
101 %%one%%
101 %%two%%

=== TEST 2: without a token of the file: 403, all alike, and the token is not logged
--- files
>>> tokens
desk1: %%one%%
--- steps
my %answer;
for my $query ('', '?', '?token', '?token=', '?token=desk', '?token=desk11', '?token=DESK1', '?token=desk1%20',
    '?token=desk1:', '?token=../desk1', '?token=%64esk2', "?token=" . 'x' x 2000, '?other=desk1', '?token=x&token=desk1')
{
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET /websockify$query"));
    my $response = $client->response;
    $client->close;
    my @headers = map { join ',', $client->header($_) } qw(Content-Type Content-Length Connection Server);
    $answer{ join '|', $response->{status}, $response->{body}, @headers }++;
}
is_deeply [ map { substr $_, 0, 4 } keys %answer ], ['403|'], 'one answer for all';
--- error_log
client sent no token
client sent unknown token
--- no_error_log eval
qr/ client sent .*desk1.*, client:/
--- target_connections
one: 0

=== TEST 3: a change is seen, without a reload
--- files
>>> tokens
desk1: %%one%%
--- workers: 3
--- steps
is greeting($t, 'desk1'), 'one', 'before';
put($t, 'tokens', "desk1: %%two%%\ndesk2: %%one%%\n");
comes_to($t, 'desk2', 101);
await 'all workers to know', sub { !grep { greeting($t, 'desk1') ne 'two' } 1 .. 20 };
put($t, 'tokens', "# nobody\n");
comes_to($t, 'desk1', 403);
--- error_log
qr/\[notice\] .*tokens has been read: 2 tokens/
qr/\[notice\] .*tokens has been read: 0 tokens/

=== TEST 4: a change is seen in a second
--- files
>>> tokens
--- steps
require Time::HiRes;
my @times;
for my $n (1 .. 3) {
    my $start = Time::HiRes::time();
    put($t, 'tokens', "desk$n: %%one%%\n");
    comes_to($t, "desk$n", 101);
    push @times, Time::HiRes::time() - $start;
}
my ($best) = sort { $a <=> $b } @times;
cmp_ok $best, '<', 1, "seen after $best s (the best of three, on a machine with other work)";

=== TEST 5: written in place, and a link that is moved
--- files
>>> one.tokens
desk1: %%one%%
>>> two.tokens
desk1: %%two%%
desk2: %%two%%
--- config
location /websockify { websockify_token_file link; websockify_pass $websockify_target; }
--- before
symlink 'one.tokens', $t->nginx->prefix . '/link';
--- steps
my $prefix = $t->nginx->prefix;
is greeting($t, 'desk1'), 'one', 'before';
symlink 'two.tokens', "$prefix/link.new";
rename "$prefix/link.new", "$prefix/link";
comes_to($t, 'desk2', 101);
is greeting($t, 'desk1'), 'two', 'the other file';
open my $file, '>>', "$prefix/two.tokens" or die;
print {$file} $t->expand("desk3: %%one%%\n");
close $file;
comes_to($t, 'desk3', 101);

=== TEST 6: a broken line: one line in the log, and the last good table stays in force
--- files
>>> tokens
desk1: %%one%%
>>> other
--- config
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
location /other { websockify_token_file other; websockify_pass $websockify_target; }
--- steps
put($t, 'tokens', "desk2: %%two%%\n\ndesk3 %%two%%\n");
$t->nginx->await_log(qr/tokens:3: no ": " between token and target, the tokens stay as they were/);
is greeting($t, 'desk1'), 'one', 'the good table';
is status_of($t, 'desk2'), 403, 'nothing of the broken file';
# The same thread looks at both, one after another: it has more than one look at the broken one meanwhile.
for my $n (1 .. 2) {
    put($t, 'other', "other$n: %%one%%\n");
    comes_to($t, "other$n", 101, '/other');
}
put($t, 'tokens', "desk2: %%two%%\n");
comes_to($t, 'desk2', 101);
is status_of($t, 'desk1'), 403, 'and it is replaced when the file is good again';
my $lines = () = $t->nginx->error_log =~ /stay as they were/g;
is $lines, 1, 'said once';
--- error_log
qr/\[error\] \S+ token file .*tokens:3: no ": "/

=== TEST 7: a file that goes, and comes again; a directory in its place; a pipe
--- files
>>> tokens
desk1: %%one%%
--- steps
my $path = $t->nginx->prefix . '/tokens';
unlink $path;
$t->nginx->await_log(qr/stat\(\) ".*tokens" failed \(2: No such file or directory\), the tokens stay/);
is greeting($t, 'desk1'), 'one', 'it is gone';
put($t, 'tokens', "desk2: %%two%%\n");
comes_to($t, 'desk2', 101);
unlink $path;
system 'mkfifo', $path;
$t->nginx->await_log(qr/token file .*tokens is not a regular file/);
is greeting($t, 'desk2'), 'two', 'a pipe';
unlink $path;
mkdir $path;
put($t, 'tokens/more', "desk3: %%one%%\n");
comes_to($t, 'desk3', 101);
is status_of($t, 'desk2'), 403, 'a directory';
--- error_log
failed (2: No such file or directory)
is not a regular file

=== TEST 8: a directory: files of tokens, files that are targets, sockets
--- targets
one: sends "one", swallows
two: sends "two", swallows
un (unix): sends "un", swallows
out (unix): sends "out", swallows
--- files
>>> d/00-list
desk1: %%one%%
desk2: %%one%%
>>> d/50-more
desk2: %%two%%
>>> d/desk3
%%two%%
>>> d/.hidden
desk4: %%one%%
>>> d/copy~
desk5: %%one%%
>>> d/below/list
desk6: %%one%%
--- config
location /websockify { websockify_token_file d; websockify_pass $websockify_target; }
--- before
my $prefix = $t->nginx->prefix;
my ($un, $out) = map { $t->targets->address($_) =~ s/^unix://r } qw(un out);
rename $un, "$prefix/d/desk7" or die "rename: $!";
symlink 'desk7', "$prefix/d/desk8";
symlink $out, "$prefix/d/desk9";
symlink '/nowhere', "$prefix/d/desk10";
--- steps
is greeting($t, "desk$_->[0]"), $_->[1], "desk$_->[0]" for [ 1, 'one' ], [ 2, 'two' ], [ 3, 'two' ], [ 7, 'un' ], [ 8, 'un' ];
is status_of($t, "desk$_"), 403, "desk$_" for 4, 5, 6, 9, 10;
is status_of($t, $_), 403, $_ for '00-list', '.', '..', '../tokens', 'below/list', 'below', '', '%2e%2e/d/desk7', './desk7', 'd/desk7';
my $d = $t->nginx->prefix . '/d';
rename "$d/desk7", "$d/desk11";
comes_to($t, 'desk11', 101);
comes_to($t, 'desk7', 403);
is status_of($t, 'desk8'), 403, 'a link that leads nowhere now';
--- error_log
qr/\[warn\] .*token of .*00-list:2 is given again in .*50-more:1, which counts/
qr/\[warn\] .*token socket .*desk9 is left out: leads out of the directory/
--- target_connections
out: 0

=== TEST 9: Kubernetes' way: a directory of links by way of ..data, which is moved
--- config
location /websockify { websockify_token_file d; websockify_pass $websockify_target; }
--- files
>>> d/..1/tokens.cfg
desk1: %%one%%
>>> d/..2/tokens.cfg
desk2: %%two%%
--- before
my $d = $t->nginx->prefix . '/d';
symlink '..1', "$d/..data";
symlink '..data/tokens.cfg', "$d/tokens.cfg";
--- steps
is greeting($t, 'desk1'), 'one', 'before';
my $d = $t->nginx->prefix . '/d';
symlink '..2', "$d/..data_tmp";
rename "$d/..data_tmp", "$d/..data";
comes_to($t, 'desk2', 101);
is status_of($t, 'desk1'), 403, 'and the old is gone';

=== TEST 10: two locations with files of their own, one with the same as another, one with none
--- files
>>> tokens
desk1: %%one%%
>>> more
desk1: %%two%%
--- config
websockify_token_file tokens;
location /a { websockify_pass $websockify_target; }
location /b { websockify_token_file more; websockify_pass $websockify_target; }
location /c { websockify_token_file tokens; websockify_pass $websockify_target; }
location /d { websockify_token_file off; websockify_pass %%two%%; }
location /e { websockify_token $http_x_token; websockify_pass $websockify_target; }
location /f { websockify_pass %%two%%; }
--- steps
is greeting($t, 'desk1', '/a'), 'one', 'inherited';
is greeting($t, 'desk1', '/b'), 'two', 'another';
is greeting($t, 'desk1', '/c'), 'one', 'the same';
is greeting($t, 'none',  '/d'), 'two', 'none needed';
is greeting($t, 'desk1', '/f'), 'two', 'a token is needed, whatever the target is';
is status_of($t, 'none', '/f'), 403, 'and without one';
is status_of($t, 'desk1', '/e'), 403, 'not in the address';
is $t->client('/e', headers => '+X-Token: desk1')->expect('binary qr/./')->{payload}, 'one', 'in a header';
my @tables = grep { (readlink($_) // '') =~ /websockify tokens/ } glob '/proc/' . $t->nginx->pid . '/fd/*';
is @tables, 2, 'a table for each file, not for each location';
put($t, 'tokens', "desk2: %%two%%\n");
comes_to($t, 'desk2', 101, $_) for qw(/a /c);

=== TEST 11: the host's name as token
--- files
>>> tokens
desk1: %%one%%
--- http_config
server {
    listen 127.0.0.1:%%HOST_PORT%%;
    server_name ~^(?<token>[a-z0-9-]+)\.desktops\.example$;
    location /websockify { websockify_token_file tokens; websockify_token $token; websockify_pass $websockify_target; }
}
server { listen 127.0.0.1:%%HOST_PORT%% default_server; return 404; }
--- steps
my $client = $t->connect(port => $t->port('HOST_PORT'));
$client->send_bytes($t->handshake('GET /websockify', 'Host: desk1.desktops.example'));
is $client->response->{status}, 101, 'a name';
$client = $t->connect(port => $t->port('HOST_PORT'));
$client->send_bytes($t->handshake('GET /websockify', 'Host: desk2.desktops.example'));
is $client->response->{status}, 403, 'another';

=== TEST 12: $websockify_target is the token's target, and nothing else
--- files
>>> tokens
desk1: 10.0.0.1:5901
--- config
location /token { websockify_token_file tokens; return 200 "<$websockify_target>"; }
location /none  { return 200 "<$websockify_target>"; }
--- steps
is $t->get('/token?token=desk1')->{body}, '<10.0.0.1:5901>', 'a token';
is $t->get("/token?token=$_")->{body}, '<>', "<$_>" for '', 'desk2', '10.0.0.1:5901';
is $t->get('/none?token=desk1&websockify_target=x')->{body}, '<>', 'no file';

=== TEST 13: names by the location's resolver, and a target that is not there
--- dns
desk.test A 127.0.0.1
--- targets
one: sends "one", swallows
down: refuses
--- files
>>> tokens
desk1: desk.test:%%one_port%%
desk2: nobody.test:1
desk3: %%down%%
--- config
resolver %%DNS%% ipv6=off;
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
--- steps
is greeting($t, 'desk1'), 'one', 'a name';
is status_of($t, 'desk2'), 502, 'one that is not known';
is status_of($t, 'desk3'), 502, 'nobody there';
--- error_log
target "nobody.test" could not be resolved
connect() failed

=== TEST 14: IPv6, with brackets and without, and websockify's word for a socket
--- targets
six (ipv6): sends "six", swallows
un (unix): sends "un", swallows
--- files
>>> tokens
desk1: [::1]:%%six_port%%
desk2: ::1:%%six_port%%
desk3: %%un%%
--- before
my $path = $t->targets->address('un') =~ s/^unix://r;
put($t, 'tokens', slurp($t->nginx->prefix . '/tokens') . "desk4: unix_socket:$path\n");
--- steps
is greeting($t, "desk$_->[0]"), $_->[1], "desk$_->[0]" for [ 1, 'six' ], [ 2, 'six' ], [ 3, 'un' ], [ 4, 'un' ];

=== TEST 15: who is no WebSocket client learns nothing of tokens
--- files
>>> tokens
desk1: %%one%%
--- request: GET /websockify?token=desk1
--- error_code: 426
--- target_connections
one: 0

=== TEST 16: a browser can be told by a Close
--- files
>>> tokens
desk1: %%one%%
--- config
location /websockify {
    websockify_token_file tokens;
    websockify_error_mode close;
    websockify_pass $websockify_target;
}
--- request: GET /websockify?token=desk2
--- dialogue
client gets close 4403 qr/./
client sees end
--- target_connections
one: 0

=== TEST 17: in an `if` of the location, and behind an error_page
--- files
>>> tokens
desk1: %%one%%
--- config
location /if {
    websockify_token_file tokens;
    if ($arg_token) { websockify_pass $websockify_target; }
    websockify_pass %%two%%;
}
location /error {
    error_page 403 =200 /refused;
    websockify_token_file tokens;
    websockify_pass $websockify_target;
}
location = /refused { return 200 "no entry\n"; }
--- steps
is greeting($t, 'desk1', '/if'), 'one', 'in an if';
is status_of($t, 'desk2', '/if'), 403, 'and not';
is greeting($t, 'desk1', '/error'), 'one', 'a good token';
is status_of($t, 'desk2', '/error'), 200, 'and an error_page for a bad one';
