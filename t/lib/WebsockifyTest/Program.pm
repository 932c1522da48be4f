package WebsockifyTest::Program;

# A program that plays a part in a test beside nginx, such as a VNC server or a browser. It runs in a session of its own
# with its output in files, and is killed with everything it started when its object goes.

use v5.36;
use Carp        qw(croak);
use Exporter    qw(import);
use File::Temp  ();
use POSIX       qw(WNOHANG);
use Test::More  ();
use Time::HiRes ();
use WebsockifyTest::Util qw(await slurp time_limit);

our @EXPORT_OK = qw(require_programs require_file skip_or_die free_port on_free_port);

# Interrupted, a test shall still tidy up.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

# Skips the whole file if a program is not installed; fails instead where everything is required.
sub require_programs (@names) {
    my @missing = grep { !_path_of($_) } @names or return;
    skip_or_die("not installed: @missing");
}

sub require_file ($path, $hint) { -e $path or skip_or_die("no $path: $hint") }

sub skip_or_die ($reason) {
    croak "$reason (WEBSOCKIFY_TEST_REQUIRE_ALL is set)" if $ENV{WEBSOCKIFY_TEST_REQUIRE_ALL};
    Test::More::plan(skip_all => $reason);
}

sub _path_of ($name) {
    my @directories = $name =~ m{/} ? '' : map { "$_/" } split(/:/, $ENV{PATH}), qw(/usr/sbin /sbin);
    my ($path) = grep { -x $_ && !-d _ } map { "$_$name" } @directories;
    return $path;
}

# A TCP port of loopback that was free just now, for programs that can neither choose one nor be handed a socket. Who
# uses it must be ready to try another.
sub free_port () {
    my $socket = WebsockifyTest::Util::reserve_port('127.0.0.1');
    return WebsockifyTest::Util::port_of($socket);
}

# What `$start` returns for such a port, and the port; another is tried where that one was gone by then.
sub on_free_port ($start) {
    for my $left (reverse 0 .. 4) {
        my $port    = free_port;
        my $program = eval { $start->($port) };
        return ($program, $port) if $program;
        die $@ unless $left && $@ =~ /already in use/i;
    }
}

# Options: env => {...} is added to the environment; input => a file to read; directory => where to run; keep => [...]
# are handles the program inherits.
sub start ($class, $name, $command, %option) {
    my $path = _path_of($command->[0]) // croak "no $command->[0] here";
    my $files = File::Temp->newdir("websockify-$name-XXXXXX", TMPDIR => 1);
    my $self = bless { name => $name, files => $files, owner => $$ }, $class;
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        _become($self, [ $path, $command->@[ 1 .. $#$command ] ], %option);
        print {*STDERR} "cannot run $path: $!\n";
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    return $self;
}

sub _become ($self, $command, %option) {
    POSIX::setsid();
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    WebsockifyTest::Util::survive_exec($_) for ($option{keep} // [])->@*;
    %ENV = (%ENV, ($option{env} // {})->%*);
    chdir $option{directory} or die "chdir: $!" if $option{directory};
    open STDIN,  '<', $option{input} // '/dev/null' or die "open: $!";
    open STDOUT, '>', "$self->{files}/out" or die "open: $!";
    open STDERR, '>', "$self->{files}/err" or die "open: $!";
    no warnings 'exec';
    exec { $command->[0] } @$command;
}

# Runs a program to its end: its exit status as in `$?`, its output, its complaints.
sub run ($class, $name, $command, %option) {
    my $limit = delete $option{limit};
    my $self = $class->start($name, $command, %option);
    my $status = $self->wait($limit // time_limit);
    return ($status, $self->output, $self->errors);
}

sub pid    ($self) { $self->{pid} }
sub output ($self) { slurp("$self->{files}/out") }
sub errors ($self) { slurp("$self->{files}/err") }

sub running ($self) {
    return 0 if exists $self->{status};
    return 1 if waitpid($self->{pid}, WNOHANG) == 0;
    $self->{status} = $?;
    return 0;
}

# Waits until the output matches; returns what the pattern captured.
sub await_output ($self, $pattern, $limit = time_limit) {
    return $self->await_text("the output of $self->{name}", sub { $self->output }, $pattern, $limit);
}

sub await_errors ($self, $pattern, $limit = time_limit) {
    return $self->await_text("what $self->{name} complains of", sub { $self->errors }, $pattern, $limit);
}

# Waits until what `$text` returns matches, but not longer than the program runs.
sub await_text ($self, $what, $text, $pattern, $limit) {
    my @captured;
    my $found = eval {
        await "$what to have $pattern", sub {
            my $over = !$self->running;
            return 1 if @captured = $text->() =~ $pattern;
            croak "$self->{name} ended before $what had $pattern" if $over;
            return 0;
        }, $limit;
    };
    $found or croak $@ . $self->story;
    return wantarray ? @captured : $captured[0];
}

# Waits for the program's end: its exit status as in `$?`.
sub wait ($self, $limit = time_limit) {
    eval { await "$self->{name} to end", sub { !$self->running }, $limit } or croak $@ . $self->story;
    return $self->{status};
}

sub signal ($self, $name) { kill $name, $self->{pid} if $self->running }

sub stop ($self, $signal = 'TERM', $limit = time_limit) {
    $self->signal($signal);
    return $self->wait($limit);
}

# Waits for the end of a program that reports in TAP's words, and makes its checks ours.
sub pass_on_checks ($self, $limit) {
    my $status = eval { $self->wait($limit) };
    my $problem = $@;
    for my $line (split /\n/, $self->output) {
        if   ($line =~ /\A(not )?ok - (.*)/) { Test::More::ok(!$1, $2) }
        else                                 { Test::More::diag($line) }
    }
    Test::More::is($status, 0, "$self->{name} ran to its end") or Test::More::diag($problem || $self->errors);
}

# What the program said, for a diagnosis.
sub story ($self) {
    return join '', map { my $text = slurp("$self->{files}/$_"); length $text ? "--- $self->{name}, $_:\n$text" : '' } qw(out err);
}

sub DESTROY ($self) {
    return unless $self->{owner} == $$ && $self->{pid};
    local ($?, $!, $@);
    # Its session is also its process group, and outlives it.
    kill 'KILL', -$self->{pid};
    waitpid $self->{pid}, 0 if $self->running;
}

1;
