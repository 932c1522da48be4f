#!/usr/bin/perl

# nginx-conf/signed/: the page with a user's desktops, the back end that signs an address for one of them, and nginx with
# signed-lua.conf, which checks it; also in Chromium.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP     qw(decode_json);
use MIME::Base64 qw(encode_base64);
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Program qw(require_programs require_file);
use WebsockifyTest::Samples qw(write_file);
use WebsockifyTest::Util qw(slurp);

my $samples = "$FindBin::Bin/../nginx-conf";
my $browser = "$FindBin::Bin/browser";
my @modules = qw(ndk_http_module.so ngx_http_lua_module.so);
require_modules(@modules);
require_programs('python3', 'node', $ENV{CHROMIUM} // '/usr/bin/chromium');
require_file("$browser/node_modules/playwright-core", 'run `npm ci --prefix t/browser`');

my $scene = WebsockifyTest::Scene->new({
    name     => 'signed',
    sections => {
        load_modules => "@modules",
        targets      => qq(one: sends "one", swallows\ntwo: sends "two", swallows),
    },
});
my $prefix = $scene->nginx->prefix;
my ($one, $two) = map { $scene->targets->address($_) } qw(one two);
write_file($scene, 'key', "0123456789abcdef0123456789abcdef\n");
write_file($scene, 'htpasswd', "alice:{PLAIN}secret\nbob:{PLAIN}secret\n");
mkdir "$prefix/novnc";
write_file($scene, 'novnc/vnc.html', "<!DOCTYPE html>\n<title>noVNC's place</title>\n");
write_file($scene, "novnc/favicon.ico", "");
write_file($scene, 'desktops.py', changed(slurp("$samples/signed/desktops.py"), '10.0.0.11:5900' => $one, '10.0.0.12:5901' => $two));

my $server  = WebsockifyTest::Program->start('desktops', [ 'python3', "$prefix/desktops.py", 0, "$prefix/key" ]);
my $backend = $server->await_output(qr/listening on (\S+)/);
$scene->nginx->configure($scene->conf(http_config => 'types { text/html html; }' . changed(
    slurp("$samples/signed-lua.conf") =~ s/(?=\n    # As a variable)/slurp("$samples\/signed\/nginx.conf")/re,
    'listen 8080'                 => 'listen 127.0.0.1:%%PAGE_PORT%%',
    '10.0.0.0/24:5900-5999'       => '127.0.0.1',
    '"^10%.0%.0%.%d+:59%d%d$"'    => '"^127%.0%.0%.1:%d+$"',
    '/etc/nginx/websockify.key'   => '%%PREFIX%%/key',
    '/etc/nginx/desktop.htpasswd' => '%%PREFIX%%/htpasswd',
    '/etc/nginx/signed'           => "$samples/signed",
    '/usr/share/novnc'            => '%%PREFIX%%/novnc',
    'http://127.0.0.1:3000'       => "http://$backend",
)));
$scene->start;

is(ask('/desktops')->{status}, 401, 'nobody without a password');
is_deeply(decode_json(ask('/desktops', 'alice')->{body}), ['reception'], q{alice's desktops});
is_deeply(decode_json(ask('/desktops', 'bob')->{body}), [qw(reception workshop)], q{bob's desktops});
is(ask('/desktops/workshop', 'alice')->{status}, 404, 'alice has no workshop');
is(ask('/desktops/workshop', 'alice', 'X-User: bob')->{status}, 404, 'nor has she if she says that she is bob');
is(ask("/desktops/$_", 'bob')->{status}, 404, "<$_> is none") for qw(cellar 10.0.0.11:5900 reception/x);
is(greeting_of('reception', 'alice'), 'one', 'a session');
is(greeting_of('workshop', 'bob'), 'two', 'another');

my $address = 'http://127.0.0.1:' . $scene->port('PAGE_PORT') . '/';
WebsockifyTest::Program->start('node', [ 'node', "$browser/signed.mjs", $address ])->pass_on_checks(60);

is($server->running, 1, 'the back end runs');
$server->signal('TERM');
$scene->leave;
WebsockifyTest::Checks::ending($scene);
done_testing;

sub changed ($text, %with) {
    for my $from (keys %with) {
        $text =~ s/\Q$from\E/$with{$from}/g or die "there is no $from\n";
    }
    return $text;
}

sub password ($user) { 'Authorization: Basic ' . encode_base64("$user:secret", '') }

sub ask ($path, $user = undef, @headers) {
    my $client = $scene->connect(port => $scene->port('PAGE_PORT'));
    push @headers, password($user) if $user;
    $client->send_bytes(WebsockifyTest::Client::request_bytes("GET $path", 'Host: desktop.example', 'Connection: close', @headers));
    my $response = $client->response;
    $client->close;
    return $response;
}

sub greeting_of ($desktop, $user) {
    my $path = decode_json(ask("/desktops/$desktop", $user)->{body})->{path};
    my $client = $scene->client("/$path", port => $scene->port('PAGE_PORT'), headers => '+' . password($user));
    return $client->expect('binary qr/./')->{payload};
}
