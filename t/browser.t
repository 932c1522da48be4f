#!/usr/bin/perl

# A real desktop in a real browser: Xvnc with an xterm, noVNC's library in a page served by the nginx that also has
# websockify_pass, Chromium; over ws and over wss.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Desktop;
use WebsockifyTest::Program qw(require_programs require_file);

my $here = "$FindBin::Bin/browser";
require_programs(qw(Xvnc xterm xsetroot node openssl), $ENV{CHROMIUM} // '/usr/bin/chromium');
require_file("$here/node_modules/playwright-core", 'run `npm ci --prefix t/browser`');

my $desktop = WebsockifyTest::Desktop->start;
my $scene   = WebsockifyTest::Scene->new({
    name     => 'browser',
    sections => {
        tls         => '',
        workers     => 2,
        http_config => 'types { text/html html; text/javascript js; }',
        config      => <<~"END",
            location = /page.html   { alias $here/page.html; }
            location /novnc/        { alias $here/node_modules/\@novnc/novnc/; }
            location = /favicon.ico { return 204; }
            location = /websockify  { websockify_pass ${\$desktop->address}; }
            END
    },
});
$scene->start;

my $typed = $scene->nginx->prefix . '/typed';
my $xterm = $desktop->run('xterm', 'xsetroot -solid "#2a6f97" && exec xterm -geometry 60x20+40+40 -bg "#fdf0d5" -fg black'
    . " +sb -b 4 -fn fixed -e '$here/note-lines.sh' '$typed'");
$desktop->await_file($typed, $xterm);

my $browser = WebsockifyTest::Program->start('node', [
    'node', "$here/session.mjs", $typed,
    'http://127.0.0.1:' . $scene->port . '/page.html', 'https://127.0.0.1:' . $scene->port('TLS_PORT') . '/page.html',
]);
$browser->pass_on_checks(300);

# A session is logged when it has ended.
my $line = qr{"GET /websockify HTTP/1\.1" (\d+) };
my @statuses = eval { $scene->nginx->await_access_log(qr/$line.*$line/s) };
is("@statuses", '101 101', 'both sessions are logged, as 101') or diag(grep { /websockify/ } $scene->nginx->access_log =~ /.*\n/g);
WebsockifyTest::Checks::ending($scene);
diag($xterm->story, $desktop->story) unless Test::More->builder->is_passing;
done_testing;
