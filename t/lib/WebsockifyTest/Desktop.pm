package WebsockifyTest::Desktop;

# An Xvnc of 640x480 on a display and a loopback port of its own.

use v5.36;
use Carp qw(croak);
use WebsockifyTest::Program qw(free_port);
use WebsockifyTest::Util qw(await slurp);

use constant ATTEMPTS => 5;

sub start ($class, @options) {
    my $problem;
    for (1 .. ATTEMPTS) {
        my $self = eval { $class->_try(free_port, @options) };
        return $self if $self;
        $problem = $@;
        last unless $problem =~ /in use/;
    }
    croak $problem;
}

sub _try ($class, $port, @options) {
    # -displayfd: Xvnc takes a free display and tells which.
    my $server = WebsockifyTest::Program->start('Xvnc', [
        qw(Xvnc -displayfd 1 -geometry 640x480 -depth 24 -interface 127.0.0.1 -localhost -SecurityTypes None),
        qw(-AlwaysShared -nolisten tcp -ac -rfbport), $port, @options,
    ]);
    my $display = $server->await_output(qr/^(\d+)$/m);
    return bless { server => $server, port => $port, display => ":$display" }, $class;
}

sub story   ($self) { $self->{server}->story }
sub address ($self) { "127.0.0.1:$self->{port}" }

# Runs a shell command on the display.
sub run ($self, $name, $command) {
    return WebsockifyTest::Program->start($name, [ '/bin/sh', '-c', $command ], env => { DISPLAY => $self->{display} });
}

# Waits for a file that `$program` makes.
sub await_file ($self, $path, $program) {
    return $program->await_text($path, sub { -e $path ? 'there' : '' }, qr/there/, WebsockifyTest::Util::time_limit);
}

1;
