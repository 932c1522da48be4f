package WebsockifyTest::Nginx;

# One nginx with a prefix of its own. Its listening sockets are made here, on ports the kernel chose, and handed over
# as nginx hands them over itself when its binary is upgraded ($NGINX names the descriptors): a port cannot be lost to
# somebody else, and a client may connect before nginx has read its configuration.

use v5.36;
use Carp       qw(croak);
use Cwd        ();
use File::Path qw(make_path remove_tree);
use File::Basename qw(dirname);
use POSIX      qw(WNOHANG);
use Time::HiRes ();
use WebsockifyTest::Util qw(time_limit await listen_tcp port_of slurp survive_exec);

use constant MODULES => '/usr/lib/nginx/modules';

my $root = Cwd::abs_path(dirname(__FILE__) . '/../../..');

sub binary () { split ' ', $ENV{TEST_NGINX_BINARY} || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx') }

# The module under test; '' where nginx has it linked in.
sub module () {
    my $path = $ENV{TEST_NGINX_MODULE} // 'build/ngx_http_websockify_module.so';
    return length $path ? Cwd::abs_path($path =~ m{\A/} ? $path : "$root/$path") // "$root/$path" : '';
}

# Whether the nginx under test is of this version or newer.
sub is_at_least ($version) {
    state $there = _said() =~ m{nginx version: \S+/([\d.]+)} ? version->parse("v$1") : croak 'nginx -V says no version';
    return $there >= version->parse("v$version");
}

# Where it looks for modules, if it was told.
sub modules_path () { return _said() =~ /--modules-path=(\S+)/ ? $1 : '' }

# Whether it was configured with this flag.
sub has_flag ($flag) { return _said() =~ /^configure arguments:.* \Q$flag\E(?: |$)/m }

# nginx -V.
sub _said () {
    state $said = do {
        my $pid = open(my $pipe, '-|') // croak "fork: $!";
        if (!$pid) {
            open STDERR, '>&', \*STDOUT;
            { no warnings 'exec'; exec binary, '-V' }
            POSIX::_exit(127);
        }
        local $/;
        <$pipe> // '';
    };
    return $said;
}

sub new ($class, $name) {
    state $number = 0;
    my $parent = $ENV{TEST_NGINX_SERVROOT} || ($ENV{TMPDIR} || '/tmp');
    my $prefix = sprintf '%s/websockify-test-%d/%02d', $parent, $$, ++$number;
    make_path("$prefix/logs", "$prefix/html");
    return bless { prefix => $prefix, owner => $$, sockets => {}, run_by => [] }, $class;
}

# Words to stand before its command.
sub run_by ($self, @words) { $self->{run_by} = \@words }

sub prefix ($self) { $self->{prefix} }
sub pid    ($self) { $self->{pid} }

# The port of a listening socket that nginx will find when it starts; made when first asked for. nginx takes it to be
# non-blocking: a worker would wait in accept() for the connection that another has taken.
sub port ($self, $name) {
    return $self->{ports}{$name} //= do {
        my $socket = $self->{sockets}{$name} = listen_tcp('127.0.0.1', backlog => 511);
        $socket->blocking(0);
        port_of($socket);
    };
}

sub configure ($self, $text) {
    open my $file, '>:raw', $self->conf or croak "open: $!";
    print {$file} $text;
    close $file or croak "close: $!";
}

sub conf ($self) { "$self->{prefix}/nginx.conf" }

# nginx -t: its exit code and what it said.
sub config_test ($self) {
    my $pid = $self->_run('-t');
    waitpid $pid, 0;
    return ($? >> 8, slurp("$self->{prefix}/logs/stderr"));
}

# Returns when nginx is ready for requests and signals, with as many workers as it shall have. An nginx without a
# master (no workers) crashes on sockets handed over, and makes its own on the same ports.
sub start ($self, $workers) {
    $self->{sockets} = {} unless $workers;
    $self->{workers} = $workers;
    $self->{pid} = $self->_run;
    await 'nginx to start', sub {
        croak 'nginx did not start: ' . slurp("$self->{prefix}/logs/stderr") . slurp($self->error_log_path)
            if waitpid($self->{pid}, WNOHANG) == $self->{pid} && delete $self->{pid};
        return -s "$self->{prefix}/nginx.pid" && $self->workers_started >= $workers;
    };
    $self->{sockets} = {};
}

sub _run ($self, @arguments) {
    my $pid = fork // croak "fork: $!";
    return $pid if $pid;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    setpgrp;
    $ENV{NGINX} = join '', map { survive_exec($_) . ';' } values $self->{sockets}->%*
        if !@arguments && $self->{sockets}->%*;
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', "$self->{prefix}/logs/stdout";
    open STDERR, '>', "$self->{prefix}/logs/stderr";
    my @command = ($self->{run_by}->@*, binary, '-p', "$self->{prefix}/", '-c', $self->conf, '-e', $self->error_log_path, @arguments);
    { no warnings 'exec'; exec @command }
    print {*STDERR} "cannot run $command[0]: $!\n";
    POSIX::_exit(127);
}

sub error_log_path  ($self) { "$self->{prefix}/logs/error.log" }
sub error_log       ($self) { slurp($self->error_log_path) }
sub access_log      ($self) { slurp("$self->{prefix}/logs/access.log") }

# Waits until the error log matches; returns what the pattern captured.
sub await_log ($self, $pattern, $limit = time_limit) {
    my @captured;
    await "the error log to have $pattern", sub { @captured = $self->error_log =~ $pattern }, $limit;
    return wantarray ? @captured : $captured[0];
}

sub await_access_log ($self, $pattern) {
    my @captured;
    await "the access log to have $pattern", sub { @captured = $self->access_log =~ $pattern };
    return wantarray ? @captured : $captured[0];
}

# The worker processes started so far, oldest first; and those that run.
sub workers_started ($self) { my @pids = $self->error_log =~ /start worker process (\d+)$/mg; return @pids }
sub workers         ($self) { my @pids = grep { kill 0, $_ } $self->workers_started; return @pids }

sub signal ($self, $name) { kill $name, $self->{pid} or croak "kill: $!" }

# Reloads, and waits until the new workers run and the old ones know; returns the old, which may have sessions yet.
sub reload ($self) {
    my @started = $self->workers_started;
    my @old     = splice @started, -$self->{workers};
    $self->signal('HUP');
    await 'new workers', sub { $self->workers_started >= @started + 2 * @old };
    $self->await_log(qr/\[notice\] $_#\d+: (?:\*\d+ )?gracefully shutting down/) for @old;
    return @old;
}

sub await_worker_end ($self, @pids) {
    $self->await_log(qr/worker process $_ exited with code 0/) for @pids;
}

# Sends the signal and waits for the master's end: its exit status as in `$?`.
sub stop ($self, $signal = 'QUIT') {
    my $pid = $self->{pid} or return 0;
    kill $signal, $pid;
    my $status;
    await "nginx to end after SIG$signal", sub { waitpid($pid, WNOHANG) == $pid && ($status = $?, 1) };
    delete $self->{pid};
    return $status;
}

# The end of an nginx that did not end as it should have, with all its workers.
sub kill_all ($self) {
    my $pid = delete $self->{pid} or return;
    kill 'KILL', -$pid, $pid;
    waitpid $pid, 0;
}

sub DESTROY ($self) {
    return unless $self->{owner} == $$;
    local ($?, $!, $@);
    $self->kill_all;
    return if $ENV{TEST_NGINX_SERVROOT_KEEP};
    remove_tree($self->{prefix});
    rmdir dirname $self->{prefix};
}

1;
