package WebsockifyTest::Daemon;

# The block's nginx again, as a daemon: only one that has left its parent lets its binary be upgraded. It takes over the
# block's name, so that clients of the scene find it; the one that the block began with is stopped.

use v5.36;
use Carp  qw(croak);
use POSIX qw(WNOHANG);
use WebsockifyTest::Nginx;
use WebsockifyTest::Util qw(await slurp);

sub start ($class, $scene) {
    $scene->nginx->stop;
    my $nginx = $scene->{nginx} = WebsockifyTest::Nginx->new('daemon');
    my $self  = bless { nginx => $nginx, seen => {}, owner => $$ }, $class;
    $nginx->configure($scene->conf =~ s/^daemon off;/daemon on;/mr);
    # An nginx that is handed sockets takes itself for a daemon: this one makes its own, on the same ports.
    $nginx->{sockets} = {};
    my $starter = $nginx->_run;
    await 'the daemon to leave', sub { waitpid($starter, WNOHANG) == $starter };
    $? == 0 or croak 'nginx did not start: ' . slurp($nginx->prefix . '/logs/stderr');
    await 'the daemon', sub { $self->master && $nginx->workers_started };
    return $self;
}

sub master     ($self) { $self->_pid('nginx.pid') }
sub old_master ($self) { $self->_pid('nginx.pid.oldbin') }

sub _pid ($self, $file) {
    my ($pid) = slurp($self->{nginx}->prefix . "/$file") =~ /\A(\d+)/ or return 0;
    $self->{seen}{$pid} = 1;
    return $pid;
}

# The end of the only master.
sub stop ($self) {
    my $pid = $self->master;
    kill 'QUIT', $pid;
    await 'the daemon to end', sub { !kill 0, $pid };
}

# Whatever a failed test has left, by the numbers that it wrote itself.
sub DESTROY ($self) {
    return unless $self->{owner} == $$;
    local ($?, $!, $@);
    my @started = ((keys $self->{seen}->%*), $self->{nginx}->workers_started);
    kill 'KILL', grep { slurp("/proc/$_/cmdline") =~ /nginx/ } @started;
}

1;
