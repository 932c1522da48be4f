#!/usr/bin/perl

# The recipe of docs/clients.md for ssh in a page: xterm.js and an ssh client bundled as docs/ssh/ says, in Chromium, with
# OpenSSH's sshd.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Temp ();
use JSON::PP   ();
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Program qw(require_programs require_file skip_or_die);
use WebsockifyTest::Samples qw(recipe);
use WebsockifyTest::Sshd;
use WebsockifyTest::Util qw(slurp);

my $root    = "$FindBin::Bin/..";
my $browser = "$FindBin::Bin/browser";
require_programs(qw(node npm sshd ssh-keygen openssl unshare), $ENV{CHROMIUM} // '/usr/bin/chromium');
require_file("$browser/node_modules/esbuild", 'run `npm ci --prefix t/browser`');
skip_or_die('only root can give somebody a password for a while') if $>;

my $files = File::Temp->newdir('websockify-ssh-XXXXXX', TMPDIR => 1);
chmod 0755, "$files";
is_deeply(wants("$root/docs/ssh"), { wants("$browser")->%{ keys wants("$root/docs/ssh")->%* } }, 'with what the page says that it takes');
bundle();

open my $file, '>', "$files/shell" or die "open: $!";
print {$file} "#!/bin/sh\nPS1='ready> ' exec /bin/sh -i\n";
close $file;
chmod 0755, "$files/shell";
my ($password, $passphrase) = ('a password', 'a passphrase');
my $sshd = WebsockifyTest::Sshd->start($files,
    host_key => [ qw(-t ecdsa -N), '' ],
    user_key => [ qw(-t ecdsa -m PKCS8 -N), $passphrase ],
    password => $password,
    program  => "$files/shell",
);
my $scene = WebsockifyTest::Scene->new({
    name     => 'ssh in a page',
    sections => {
        workers     => 2,
        http_config => 'types { text/html html; text/javascript js; text/css css; }',
        config      => recipe('ssh in a page', '127.0.0.1:22' => '127.0.0.1:' . $sshd->port, '/usr/share/nginx/ssh/' => "$files/page/")
            . 'location = /favicon.ico { return 204; }',
    },
});
$scene->start;
WebsockifyTest::Program->start('ssh', [
    'node', "$browser/ssh.mjs", 'http://127.0.0.1:' . $scene->port . '/terminal/', $sshd->user, $password, $sshd->fingerprint,
    "$files/user", $passphrase,
])->pass_on_checks(180);
diag($sshd->story) unless Test::More->builder->is_passing;
WebsockifyTest::Checks::ending($scene);
done_testing;

sub wants ($directory) { JSON::PP->new->decode(slurp("$directory/package.json"))->{dependencies} }

# As docs/clients.md tells a reader to, but for the download.
sub bundle () {
    mkdir "$files/page";
    copy($_, "$files/page/") or die "copy: $!" for glob "$root/docs/ssh/*.{json,html,mjs}";
    symlink "$browser/node_modules", "$files/page/node_modules" or die "symlink: $!";
    my ($status, $said, $errors) = WebsockifyTest::Program->run('npm', [ qw(npm run build) ], directory => "$files/page", limit => 120);
    is($status, 0, 'the page is bundled') or diag($said, $errors);
}
