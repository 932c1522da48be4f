#!/usr/bin/perl

# The hot paths take no more instructions than they did, which scripts/instructions has callgrind count.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use WebsockifyTest::Program qw(require_programs require_file);
use WebsockifyTest::Util qw(slurp);

my $root    = "$FindBin::Bin/..";
my $program = "$root/build/target/release/instructions";
require_programs(qw(valgrind rustc));
require_file($program, 'run `cargo build --release -p websockify-bench`, with CARGO_TARGET_DIR=build/target');

sub counts (@book) {
    my $said = qx($root/scripts/instructions $program @book 2>&1);
    return ($? >> 8, $said);
}

my ($status, $said) = counts();
is($status, 0, 'no path takes many more than it did') or diag($said);
note $said;

SKIP: {
    skip 'not judged on a machine without AVX2', 2 if $said =~ /^not judged/m;
    my $better = File::Temp->new;
    print {$better} slurp("$root/bench/instructions.txt") =~ s/^ *([\d.]+)(?=  decode a frame of 64)/$1 * 0.6/mer;
    close $better;
    ($status, $said) = counts($better->filename);
    is($status, 1, 'one that takes more is a failure');
    like($said, qr/^many more instructions than in \S+, or not in it: decode a frame of 64 bytes$/m, 'which is named');
}
done_testing;
