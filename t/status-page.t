#!/usr/bin/perl

# The live page of `websockify_status` in a real browser, which sees three sessions and ends one.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Program qw(require_programs require_file);

my $here = "$FindBin::Bin/browser";
require_programs('node', $ENV{CHROMIUM} // '/usr/bin/chromium');
require_file("$here/node_modules/playwright-core", 'run `npm ci --prefix t/browser`');

my $scene = WebsockifyTest::Scene->new({
    name     => 'status page',
    sections => {
        workers => 2,
        targets => 'vnc: echoes',
        # A slow browser takes its time, and these clients answer no pings.
        config  => <<~'END',
            websockify_ping_interval 0;
            location = /websockify { websockify_pass %%vnc%%; }
            location = /reception { websockify_pass %%vnc%%; websockify_status_name reception; }
            location = /status { websockify_status control; }
            location = /list { websockify_status sessions; }
            END
    },
});
$scene->start;
my @clients = map { $scene->client($_) } '/websockify', '/websockify', '/reception';
$_->send('binary "hello"'), $_->expect('binary "hello"') for @clients;
my $refused = $scene->connect;
$refused->send_bytes($scene->handshake('GET /websockify', 'Sec-WebSocket-Version: 8'));
is $refused->response->{status}, 426, 'a refusal';

my sub header_of ($path) {
    my $client = $scene->connect;
    $client->send_bytes(WebsockifyTest::Client::request_bytes("GET $path", 'Host: localhost', 'Connection: close', 'Accept: text/html,*/*'));
    $client->response;
    return $client;
}
my $page = header_of('/status');
is_deeply [ map { $page->header($_) } 'Content-Type', 'Cache-Control', 'X-Content-Type-Options' ],
    [ 'text/html; charset=utf-8', 'no-store', 'nosniff' ], 'a browser gets a page';
like join('', $page->header('Content-Security-Policy')), qr/\Adefault-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'\z/,
    'which may do nothing but its own';
unlike $page->{response}{body}, qr/<script[^>]*>[^<]|<style|\son\w+=|\sstyle=|https?:/, 'nothing is inline or from elsewhere';
is_deeply [ header_of('/status?format=json')->header('Content-Type') ], ['application/json'], 'or JSON if it wants that';

my $browser = WebsockifyTest::Program->start('node', [
    'node', "$here/status.mjs", 'http://127.0.0.1:' . $scene->port . '/status', 'lunch is ready', $ENV{STATUS_PICTURE} // (),
]);
my $close = eval { $clients[2]->expect('close 4000 "lunch is ready"') };
ok $close, 'the session is told why' or diag($@);
$browser->pass_on_checks(60);
$_->send('binary "still"'), $_->expect('binary "still"') for @clients[ 0, 1 ];
pass 'the others go on';
WebsockifyTest::Checks::ending($scene);
done_testing;
