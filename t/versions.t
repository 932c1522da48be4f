#!/usr/bin/perl

# An nginx that the module does not know is refused, and in the same words, by each road to a build: `make build`, nginx's
# own configure, and cargo alone.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd ();
use File::Path qw(make_path);
use File::Temp ();
use Test::More;
use WebsockifyTest::Program qw(require_programs skip_or_die);
use WebsockifyTest::Util qw(slurp);

my $root = Cwd::abs_path("$FindBin::Bin/..");
require_programs(qw(make cargo));
my ($cargo) = sort { -M $a <=> -M $b } glob "$root/build/{,*/}target/*/build/ngx-http-websockify-module-*/build-script-build"
    or skip_or_die('build.rs is not compiled: run `make build`');

my %road = (
    'make build'  => sub ($source, $number) { run('make', '-C', $root, 'build', "NGINX_SOURCE=$source") },
    './configure' => sub ($source, $number) { run('sh', '-c', "cd $source && NGX_AUTOCONF_ERR=/dev/null ngx_addon_dir=$root && . $root/config") },
    'cargo'       => sub ($source, $number) {
        run('env', 'CARGO_CFG_TARGET_POINTER_WIDTH=64', "DEP_NGINX_VERSION_NUMBER=$number", "OUT_DIR=$source", $cargo);
    },
);

for my $version (qw(0.8.55 1.21.6 1.32.0 2.0.0)) {
    my ($source, $number) = source_of($version);
    for my $name (sort keys %road) {
        my ($status, $said) = $road{$name}->($source, $number);
        like($said, qr/\bnginx \Q$version\E is not known to work with this module: README\.md tells which are$/m, "$name: $version is refused");
        # cargo has its own way to fail: it is told to.
        isnt($status, 0, "$name: which is a failure") if $name ne 'cargo';
    }
    ok(!-e "$root/build/nginx-$version", "$version: nothing is made of it");
}

for my $version (qw(1.22.0 1.31.99)) {
    my ($source, $number) = source_of($version);
    my ($status, $said) = $road{'./configure'}->($source, $number);
    is($status, 0, "./configure: $version is taken") or diag($said);
    ($status, $said) = run('bash', '-c', "cd $root && . scripts/nginx.sh && NGINX_SOURCE=$source find_source");
    is($status, 0, "make build: $version is taken") or diag($said);
    unlike(($road{cargo}->($source, $number))[1], qr/not known/, "cargo: $version is taken");
}
done_testing;

# As much of a source of that version as is read before anything is made.
sub source_of ($version) {
    state @kept;
    push @kept, my $source = File::Temp->newdir('websockify-nginx-XXXXXX', TMPDIR => 1);
    my ($major, $minor, $patch) = split /\./, $version;
    my $number = sprintf '%d%03d%03d', $major, $minor, $patch;
    make_path("$source/src/core", "$source/auto");
    spew("$source/src/core/nginx.h", qq(#define nginx_version      $number\n#define NGINX_VERSION      "$version"\n));
    # What `config` calls in the end.
    spew("$source/auto/module", '');
    return ("$source", $number);
}

# Without what a make above this one has been told.
sub run (@command) {
    my %env = map { $_ => '' } qw(MAKEFLAGS MFLAGS MAKEOVERRIDES NGINX NGINX_SOURCE WHICH_NGINX);
    my ($status, $output, $errors) = WebsockifyTest::Program->run('build', \@command, env => \%env, limit => 120);
    return ($status, $output . $errors);
}

sub spew ($path, $text) {
    open my $file, '>', $path or die "open: $!";
    print {$file} $text;
    close $file or die "close: $!";
}
