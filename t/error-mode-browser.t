#!/usr/bin/perl

# What noVNC shows of sessions that are refused or fail, by `websockify_error_mode`.

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
    name     => 'error mode',
    sections => {
        targets     => 'down: refuses',
        error_log   => "access forbidden\nconnect() failed",
        http_config => 'types { text/html html; text/javascript js; }',
        # The page asks for "websockify" beside itself.
        config      => <<~"END",
            location /novnc/ { alias $here/node_modules/\@novnc/novnc/; }
            location ~ ^/\\w+/page.html\$ { alias $here/page.html; }
            location ~ ^/\\w+/novnc/(.*)\$ { alias $here/node_modules/\@novnc/novnc/\$1; }
            location = /favicon.ico { return 204; }
            websockify_error_mode close;
            location = /http/websockify { websockify_error_mode http; deny all; }
            location = /who/websockify { return 401; }
            location = /denied/websockify { deny all; }
            location = /busy/websockify { return 503; }
            location = /down/websockify { websockify_pass %%down%%; }
            END
    },
});
$scene->start;
my %words = (
    http   => '(code: 1006)',
    who    => '(code: 4401, reason: authorization required)',
    denied => '(code: 4403, reason: forbidden)',
    none   => '(code: 4404, reason: not found)',
    busy   => '(code: 1013, reason: service unavailable)',
    down   => '(code: 1011, reason: target is not there)',
);
my $browser = WebsockifyTest::Program->start('node', [
    'node', "$here/refused.mjs", map { ('http://127.0.0.1:' . $scene->port . "/$_/page.html", $words{$_}) } sort keys %words,
]);
$browser->pass_on_checks(120);
$scene->{block}{sections}{error_log} .= "\nNo such file";
WebsockifyTest::Checks::ending($scene);
done_testing;
