package WebsockifyTest::Preload;

# Libraries of t/support that a test puts in front of nginx's own, compiled by the test that uses them.

use v5.36;
use File::Basename qw(dirname);
use File::Temp ();
use WebsockifyTest::Program;

use constant SUPPORT => dirname(__FILE__) . '/../../support';

# The library made of t/support/NAME.c. Skips the whole file where it cannot be made.
sub library ($name) {
    state $files = File::Temp->newdir('websockify-preload-XXXXXX', TMPDIR => 1);
    my $library = "$files/$name.so";
    return $library if -e $library;
    my @command = (qw(cc -O1 -g -fno-builtin -fPIC -shared -o), $library, SUPPORT . "/$name.c");
    my $said = qx(@command 2>&1);
    WebsockifyTest::Program::skip_or_die("no $name to be had: $said") if $? != 0;
    return $library;
}

# The words before an nginx whose timers run so many times as fast.
sub fast_clock ($speed) { return ('env', 'LD_PRELOAD=' . library('fast-clock'), "FAST_CLOCK=$speed") }

1;
