#!/usr/bin/perl

# `make install` and `make dist`: the module where nginx looks for it, and the same archive whoever makes it.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use WebsockifyTest::Nginx;
use WebsockifyTest::Program qw(require_file);
use WebsockifyTest::Util qw(slurp);

my $root   = "$FindBin::Bin/..";
my $module = "$root/build/ngx_http_websockify_module.so";
plan skip_all => "not for the machine's nginx" if WebsockifyTest::Nginx::module() !~ m{/build/ngx_http_websockify_module\.so\z};
require_file($module, 'run `make build`');
my ($configured) = `nginx -V 2>&1` =~ /--modules-path=(\S+)/;

subtest 'install' => sub {
    my $directory = File::Temp->newdir('websockify-install-XXXXXX', TMPDIR => 1);
    my ($status, $said) = install(DESTDIR => "$directory/stage");
    is($status, 0, 'for the nginx at hand, below DESTDIR');
    is(slurp("$directory/stage$configured/ngx_http_websockify_module.so"), slurp($module), 'it is the module');
    like($said, qr{load_module \Q$configured\E/ngx_http_websockify_module\.so;}, 'and the line for nginx.conf has no DESTDIR')
        or diag($said);

    ($status, $said) = install(PREFIX => '/opt/nginx', DESTDIR => "$directory/stage");
    is($status, 0, 'into modules/ of PREFIX');
    is(slurp("$directory/stage/opt/nginx/modules/ngx_http_websockify_module.so"), slurp($module), 'it is the module');
    like($said, qr{load_module /opt/nginx/modules/ngx_http_websockify_module\.so;}, 'and the line names it');
    is((stat "$directory/stage/opt/nginx/modules/ngx_http_websockify_module.so")[2] & 07777, 0644, 'everybody may read it');

    my $inode = (stat "$directory/stage/opt/nginx/modules/ngx_http_websockify_module.so")[1];
    install(PREFIX => '/opt/nginx', DESTDIR => "$directory/stage");
    isnt((stat "$directory/stage/opt/nginx/modules/ngx_http_websockify_module.so")[1], $inode,
        'a file that a running nginx may have open is replaced, not written over');

    open my $file, '>', "$directory/file" or die "open: $!";
    ($status, undef, my $complaint) = install(PREFIX => "$directory/file");
    isnt($status, 0, 'where nothing can be written it fails');
    like($complaint, qr/^install: no permission to write to /, 'and says so');
};

subtest 'dist' => sub {
    plan skip_all => 'no git checkout' if !-e "$root/.git";
    my ($one, $other) = map { archive($_->@*) } [ '022', 'UTC' ], [ '077', 'Asia/Tokyo' ];
    ok(length $one, 'an archive');
    ok($one eq $other, 'is the same to the byte with another umask, time zone and directory');
    my $directory = File::Temp->newdir('websockify-dist-XXXXXX', TMPDIR => 1);
    open my $file, '>:raw', "$directory/archive" or die "open: $!";
    print {$file} $one;
    close $file;
    my @names = split /\n/, `tar tzf '$directory/archive'`;
    my ($version) = slurp("$root/Cargo.toml") =~ /^version = "(.*)"/m;
    is_deeply([ grep { !m{\Awebsockify-nginx-module-\Q$version\E/} } @names ], [], 'everything is in one directory');
    my %in = map { s{\A[^/]+/}{}r => 1 } @names;
    ok($in{$_}, "$_ is in it") for qw(Makefile Cargo.lock src/module.rs packaging/debian/control LICENSE);
    is_deeply([ grep { m{\A(?:build|target|\.git)/} } keys %in ], [], 'nothing that was made is');
};

done_testing;

sub install (%settings) {
    my %env = (WHICH_NGINX => '', NGINX => '', DESTDIR => '', PREFIX => '', %settings);
    return WebsockifyTest::Program->run('install', ["$root/scripts/install"], env => \%env);
}

# What scripts/dist makes in a clone of its own.
sub archive ($umask, $zone) {
    my $clone = File::Temp->newdir('websockify-dist-XXXXXX', TMPDIR => 1);
    my ($status, undef, $errors) = WebsockifyTest::Program->run('dist',
        [ 'sh', '-c', "umask $umask && git clone -q '$root' '$clone/here' && '$clone/here/scripts/dist'" ],
        env => { TZ => $zone }, limit => 60);
    is($status, 0, "umask $umask, $zone: it is made") or diag($errors);
    return slurp(glob "$clone/here/build/dist/*.tar.gz");
}
