package WebsockifyTest::Targets;

# The test's side of its targets: starts their process, tells them things, and waits for what they have seen.
#
#   NAME [(ipv6|unix|rcvbuf N|tls ...)]: SENTENCE     as WebsockifyTest::Temper reads it, or
#   NAME: refuses [then SENTENCE]                     a port with nobody listening, until told to `listen`
#   NAME: never accepts                               a listener whose queue is full: connecting times out

use v5.36;
use Carp     qw(croak);
use POSIX    ();
use Socket   qw(:all);
use Storable qw(freeze thaw);
use Time::HiRes ();
use WebsockifyTest::Certificates qw(certificates);
use WebsockifyTest::Dns;
use WebsockifyTest::TargetLoop;
use WebsockifyTest::TargetTls;
use WebsockifyTest::Temper;
use WebsockifyTest::Util qw(time_limit readable listen_tcp listen_unix reserve_port port_of shown);

# Starts the targets that `$text` names, one a line, and the name server if there is a zone.
sub start ($class, $text, $prefix, $zone = undef) {
    my $self = bless { targets => {}, keep => [] }, $class;
    $self->_add($_, $prefix) for grep { /\S/ } split /\n/, $text // '';
    $self->_add_dns($zone) if defined $zone;

    socketpair my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC or croak "socketpair: $!";
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        close $here;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { WebsockifyTest::TargetLoop::run($there, $self->{targets}, $self->{dns}) };
        print {*STDERR} "# the targets' process died: $@";
        POSIX::_exit(1);
    }
    $self->@{qw(pid control)} = ($pid, $here);
    delete $_->{socket} for values $self->{targets}->%*;
    delete $self->{keep};
    return $self;
}

sub _add ($self, $line, $prefix) {
    my ($name, $options, $sentence) = $line =~ /\A\s*(\w+)\s*(?:\(([^)]*)\))?\s*:\s*(.*?)\s*\z/
        or croak "not a target: <$line>";
    my $refuses = $sentence =~ s/\Arefuses(?:\s*,?\s*then\s+|\s*\z)//;
    my $full    = $sentence eq 'never accepts';
    my ($rcvbuf) = ($options // '') =~ /rcvbuf (\d+)/;
    my %option  = (($full ? (backlog => 0) : ()), ($rcvbuf ? (rcvbuf => $rcvbuf) : ()));

    my %target = (listens => !$refuses && !$full, steps => WebsockifyTest::Temper::parse($full ? '' : $sentence));
    $target{tls} = WebsockifyTest::TargetTls::context($options, certificates) if ($options // '') =~ /\btls\b/;
    if (($options // '') =~ /unix/) {
        my $path = "$prefix/$name.sock";
        $target{socket} = listen_unix($path, %option);
        $target{address} = "unix:$path";
    }
    else {
        my $host = ($options // '') =~ /ipv6/ ? '::1' : '127.0.0.1';
        $target{socket} = $refuses ? reserve_port($host, %option) : listen_tcp($host, %option);
        $target{port} = port_of($target{socket});
        $target{address} = ($host eq '::1' ? '[::1]' : $host) . ":$target{port}";
    }
    $self->_fill_queue($target{port}) if $full;
    $self->{targets}{$name} = \%target;
}

# A queue of no length takes one connection; the kernel then ignores further ones.
sub _fill_queue ($self, $port) {
    for (1 .. 3) {
        socket my $socket, PF_INET, SOCK_STREAM, 0 or croak "socket: $!";
        $socket->blocking(0);
        connect $socket, pack_sockaddr_in($port, INADDR_LOOPBACK);
        push $self->{keep}->@*, $socket;
    }
}

sub _add_dns ($self, $text) {
    socket my $socket, PF_INET, SOCK_DGRAM, 0 or croak "socket: $!";
    bind $socket, pack_sockaddr_in(0, INADDR_LOOPBACK) or croak "bind: $!";
    $self->{dns} = { socket => $socket, port => port_of($socket), zone => WebsockifyTest::Dns::parse($text), questions => [] };
}

sub names   ($self) { sort keys $self->{targets}->%* }
sub address ($self, $name) { $self->_known($name)->{address} }
sub port    ($self, $name) { $self->_known($name)->{port} }
sub dns_port ($self) { $self->{dns} && $self->{dns}{port} }

# A target's wish for its connections: what `waits` and `pauses` wait for. All of them, or that of one number.
sub tell ($self, $name, $connection = undef) { $self->_ask(op => 'tell', target => $name, connection => $connection) }

# From now on the port that refused is listening.
sub listen ($self, $name) { $self->_ask(op => 'listen', target => $name) }

sub set_zone  ($self, $text) { $self->_ask(op => 'zone', zone => WebsockifyTest::Dns::parse($text)) }
sub questions ($self) { $self->_ask(op => 'questions')->@* }

# Waits until `$condition` holds for the target's report: { accepted, connections => [{ open, peer, size, received,
# md5, sent, eof, reset, tls => { name, version, cipher, reused, client }, notified, tls_error }] }. Returns what the condition answered.
sub await ($self, $name, $what, $condition) {
    $self->_known($name);
    my ($deadline, $version, $report) = (Time::HiRes::time + time_limit, -1);
    while (1) {
        my $left = $deadline - Time::HiRes::time;
        $report = $self->_ask_within($left, op => 'watch', target => $name, after => $version)
            or croak "timed out after ${\time_limit} s waiting for $name to $what; it " . _told($report // $self->{last}{$name});
        $self->{last}{$name} = $report;
        $version = $report->{version};
        my $answer = $condition->($report);
        return $answer if $answer;
    }
}

sub report ($self, $name) { $self->await($name, 'report', sub ($report) { $report }) }

# Waits until nobody is connected to any target, which first stop whatever they were at and read to the end.
sub await_all_closed ($self) {
    $self->_ask(op => 'drain');
    $self->await($_, 'be left by nginx', sub ($report) { !grep { $_->{open} } $report->{connections}->@* })
        for $self->names;
}

sub _known ($self, $name) { $self->{targets}{$name} // croak "no such target: $name" }

sub _told ($report) {
    return 'has seen nothing' unless $report && $report->{connections}->@*;
    return join '; ', map {
        "had $_->{size} bytes " . shown($_->{received}) . " and sent $_->{sent}, "
            . ($_->{reset} ? 'was reset' : $_->{eof} ? 'saw the end' : $_->{open} ? 'is connected' : 'has closed')
    } $report->{connections}->@*;
}

sub _ask ($self, %question) {
    my $answer = $self->_ask_within(time_limit, %question) // croak "the targets' process does not answer";
    return $answer;
}

sub _ask_within ($self, $seconds, %question) {
    my $id    = ++$self->{id};
    my $bytes = freeze { %question, id => $id };
    my $until = Time::HiRes::time + $seconds;
    syswrite $self->{control}, pack('N', length $bytes) . $bytes;
    while (readable($self->{control}, $until - Time::HiRes::time)) {
        my $answer = thaw $self->_take(unpack 'N', $self->_take(4));
        return $answer->{value} if $answer->{id} == $id;    # not one that came too late
    }
    return;
}

sub _take ($self, $size) {
    my $bytes = '';
    while (length $bytes < $size) {
        sysread $self->{control}, $bytes, $size - length $bytes, length $bytes or croak "the targets' process died";
    }
    return $bytes;
}

sub stop ($self) {
    my $pid = delete $self->{pid} or return;
    close $self->{control};
    waitpid $pid, 0;
}

sub DESTROY ($self) { local ($?, $!, $@); $self->stop if $self->{control} }

1;
