#!/usr/bin/perl

# `make demo`: it shows a desktop in a browser, says what went wrong when it cannot, and leaves nothing behind.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use File::Copy qw(copy);
use File::Temp ();
use IO::Socket::INET;
use Test::More;
use WebsockifyTest::Desktop;
use WebsockifyTest::Nginx;
use WebsockifyTest::Proc qw(descendants_of is_alive);
use WebsockifyTest::Program qw(require_programs require_file);
use WebsockifyTest::Util qw(await slurp);

my $root = "$FindBin::Bin/..";
require_programs(qw(Xvnc xterm xsetroot jwm tigervncpasswd setpriv node), $ENV{CHROMIUM} // '/usr/bin/chromium');
require_file("$FindBin::Bin/browser/node_modules/playwright-core", 'run `npm ci --prefix t/browser`');

subtest 'a desktop without a password, stopped by Ctrl-C' => sub {
    my $demo = start_demo();
    browse($demo);
    make_path("$root/build/screenshots");
    copy("$demo->{notes}/screenshot.png", "$root/build/screenshots/demo.png") or fail("no screenshot: $!");
    like(refusal($demo, 'http://elsewhere.example'), qr{\AHTTP/1.1 403 }, 'a page from elsewhere does not reach it');
    stops($demo, 'INT');
};

subtest 'a desktop with a password, stopped by SIGTERM' => sub {
    my $demo = start_demo(PASSWORD => 'secret');
    browse($demo, 'secret');
    stops($demo, 'TERM');
};

subtest 'a VNC server that runs already, and a terminal that closes' => sub {
    my $desktop = WebsockifyTest::Desktop->start;
    my $demo = start_demo(TARGET => $desktop->address);
    is(scalar(grep { $_->{name} eq 'Xvnc' } descendants_of($demo->{program}->pid)), 0, 'it starts no desktop');
    my $greeting = speak($demo, '', "GET /websockify HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        . "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", qr/RFB \d{3}/);
    like($greeting, qr/\AHTTP\/1.1 101 .*RFB 003\.008/s, 'the VNC server greets');
    stops($demo, 'HUP');
};

subtest 'killed before it can tidy up' => sub {
    my $demo = start_demo();
    my @started = descendants_of($demo->{program}->pid);
    $demo->{program}->signal('KILL');
    ok(eval { await('its processes to end', sub { !grep { is_alive($_) } @started }); 1 }, 'its processes end with it')
        or diag("left: @{[ map { $_->{name} } grep { is_alive($_) } @started ]}");
};

subtest 'one line says what went wrong' => sub {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $@;
    my $port = $taken->sockport;
    fails({ PORT => $port }, qr/^demo: cannot listen on 127\.0\.0\.1:$port: Address already in use$/m);
    fails({ PORT => 'http' }, qr/^demo: PORT is to be a number, not "http"$/m);
    fails({ MODULE => '/nonexistent.so' }, qr/^demo: no module at \/nonexistent\.so: run `make build` first$/m);
    fails({ NGINX_BINARY => 'no-such-nginx' }, qr/^demo: no nginx at "no-such-nginx"$/m);
    fails({ TARGET => 'a:1; }' }, qr/^demo: TARGET is to be host:port, not "a:1; }"$/m);
    fails({ TARGET => '127.0.0.1:99999' }, qr/\[emerg\].*invalid port.*^demo: nginx does not take the configuration/ms);
    fails({ GEOMETRY => 'wide' }, qr/geometry.*^demo: Xvnc did not start; its log stands above$/msi);
};

done_testing;

# The demo on a port of its own, ready.
sub start_demo (%settings) {
    my $demo = begin(PORT => 0, %settings);
    $demo->{url} = $demo->{program}->await_output(qr{Open +(http://\S+)}, 60);
    $demo->{program}->await_output(qr/Stop /);
    return $demo;
}

# Each demo has a temporary directory of its own, which it must leave empty.
sub begin (%settings) {
    my ($temporary, $notes) = map { File::Temp->newdir("websockify-demo-test-XXXXXX", TMPDIR => 1) } 1 .. 2;
    my ($nginx) = WebsockifyTest::Nginx::binary();
    my %env = (
        (map { $_ => '' } qw(PORT TARGET PASSWORD)),
        LISTEN => '127.0.0.1', GEOMETRY => '1280x720', LOG_LEVEL => 'info', SHELL => '/bin/sh',
        TMPDIR => "$temporary", NGINX_BINARY => $nginx, MODULE => WebsockifyTest::Nginx::module(), %settings,
    );
    my $program = WebsockifyTest::Program->start('demo', ["$root/demo/run.sh"], env => \%env, directory => $root);
    return { program => $program, temporary => $temporary, notes => $notes };
}

sub browse ($demo, @password) {
    WebsockifyTest::Program->start('node', [
        'node', "$FindBin::Bin/browser/demo.mjs", $demo->{url}, "$demo->{notes}", @password,
    ])->pass_on_checks(300);
}

sub stops ($demo, $signal) {
    my $program = $demo->{program};
    my @started = descendants_of($program->pid);
    cmp_ok(scalar(grep { is_alive($_) } @started), '>', 1, 'it has processes: ' . join ' ', sort map { $_->{name} } @started);
    is(eval { $program->stop($signal) }, 0, "it ends after SIG$signal") or diag($@);
    is_deeply([ map { $_->{name} } grep { is_alive($_) } @started ], [], 'no process is left');
    is_deeply([ glob "$demo->{temporary}/{*,.*[!.]*}" ], [], 'no file is left');
    unlike($program->errors, qr/\[(?:error|crit|alert|emerg)\]/, 'nginx had nothing to complain of');
    diag($program->story) unless Test::More->builder->is_passing;
}

sub fails ($settings, $complaint) {
    my $demo = begin(PORT => 0, %$settings);
    my $name = join ' ', map { "$_=$settings->{$_}" } keys %$settings;
    is(eval { $demo->{program}->wait(30) }, 1 << 8, "$name: it fails") or diag($@);
    like($demo->{program}->errors, $complaint, "$name: and says why");
    is_deeply([ glob "$demo->{temporary}/*" ], [], "$name: no file is left");
}

# What nginx answers to a browser on a page of `$origin`.
sub refusal ($demo, $origin) {
    return speak($demo, '', "GET /websockify HTTP/1.1\r\nHost: x\r\nOrigin: $origin\r\nConnection: close\r\n\r\n", qr/\n/);
}

# Sends `$request` and reads until `$enough` matches.
sub speak ($demo, $answer, $request, $enough) {
    my ($address) = $demo->{url} =~ m{//([^/]+)};
    my $socket = IO::Socket::INET->new(PeerAddr => $address, Timeout => 10) or die "connect: $@";
    print {$socket} $request;
    while ($answer !~ $enough && WebsockifyTest::Util::readable($socket, 10)) {
        sysread $socket, $answer, 4096, length $answer or last;
    }
    return $answer;
}
