package WebsockifyTest::TargetLoop;

# The process in which targets live: one select loop over listeners, connections, the DNS socket and the control
# channel, on which the test asks what has happened. A question may wait for the next event, so nobody polls.

use v5.36;
use Digest::MD5 ();
use Errno       qw(EAGAIN EWOULDBLOCK EINTR ECONNRESET);
use POSIX       ();
use Socket      qw(:all);
use Storable    qw(freeze thaw);
use WebsockifyTest::Dns;
use WebsockifyTest::TargetTls;
use WebsockifyTest::Temper;

use constant KEPT => 256 * 1024;    # bytes of a connection's input that the test may see; beyond, size and digest

# targets: { name => { socket, steps } }, dns: { socket, zone }. Never returns.
sub run ($control, $targets, $dns) {
    my $self = bless { control => $control, targets => $targets, dns => $dns }, __PACKAGE__;
    local $SIG{PIPE} = 'IGNORE';
    for my $target (values %$targets) {
        $target->@{qw(version accepted connections)} = (0, 0, []);
        $target->{socket}->blocking(0) if $target->{socket};
    }
    $self->_turn(undef) while 1;
}

sub _turn ($self, $seconds) {
    my %handler = (fileno $self->{control}, [ $self->{control}, sub { $self->_control } ]);
    $handler{ fileno $self->{dns}{socket} } = [ $self->{dns}{socket}, sub { $self->_dns } ] if $self->{dns};
    my ($in, $out, @waiting) = ('', '');
    for my $target (values $self->{targets}->%*) {
        $handler{ fileno $target->{socket} } = [ undef, sub { _accept($target) } ] if $target->{listens};
        for my $c (grep { $_->{socket} } $target->{connections}->@*) {
            my $fd = fileno $c->{socket};
            my $shakes = $c->{shakes_hands};
            my $writes = $shakes ? $c->{wants_write} : length $c->{out};
            my $reads  = $shakes ? !$writes : !$c->{eof} && ($c->{draining} || WebsockifyTest::Temper::wants_input($c));
            push @waiting, [ $target, $c ] if $reads && WebsockifyTest::TargetTls::pending($c);
            vec($out, $fd, 1) = 1 if $writes;
            $handler{$fd} = [ undef, sub { _serve($target, $c) }, !$reads ] if $reads || $writes;
        }
    }
    for my $fd (keys %handler) { vec($in, $fd, 1) = 1 unless $handler{$fd}[2] }

    $seconds = 0 if @waiting;
    my $events = select my $in_ready = $in, my $out_ready = $out, undef, $seconds;
    # What TLS has fetched from the kernel already.
    _serve(@$_) for @waiting;
    return 0 if $events <= 0 && !@waiting;
    for my $fd (sort { $a <=> $b } keys %handler) {
        $handler{$fd}[1]->() if vec($in_ready, $fd, 1) || vec($out_ready, $fd, 1);
    }
    $self->_answer_watch;
    return $events;
}

sub _accept ($target) {
    while (my $peer = accept my $socket, $target->{socket}) {
        $socket->blocking(0);
        $socket = WebsockifyTest::TargetTls::begin($socket, $target->{tls}) if $target->{tls};
        push $target->{connections}->@*, {
            shakes_hands => defined $target->{tls},
            WebsockifyTest::Temper::new_state($target->{steps})->%*, peer => _shown_address($peer),
            socket => $socket, size => 0, sent => 0, received => '', md5 => Digest::MD5->new,
        };
        $target->{accepted}++;
        $target->{version}++;
        _advance($target, $target->{connections}[-1]) unless $target->{tls};
    }
}

# "127.0.0.1:5900", or "" for a unix socket.
sub _shown_address ($name) {
    my ($error, $host, $port) = getnameinfo $name, NI_NUMERICHOST | NI_NUMERICSERV;
    return sockaddr_family($name) == AF_UNIX || $error ? '' : $host =~ /:/ ? "[$host]:$port" : "$host:$port";
}

sub _serve ($target, $c) {
    return unless $c->{socket};
    $target->{version}++;
    if ($c->{shakes_hands}) {
        my $done = eval { WebsockifyTest::TargetTls::shake_hands($c) };
        if (!defined $done) {
            $c->{tls_error} = $@;
            $c->{eof} = 1;
            _close($c, 'close');
        }
        return unless $done;
        $c->{shakes_hands} = 0;
    }
    _read($c) if !$c->{eof} && ($c->{draining} || WebsockifyTest::Temper::wants_input($c));
    _advance($target, $c);
}

sub _advance ($target, $c) {
    return if !$c->{socket} || $c->{shakes_hands};
    if ($c->{draining}) { @$c{qw(steps pending out)} = ([], '', '') }
    while (1) {
        my $finish = WebsockifyTest::Temper::advance($c);
        if ($finish eq 'half') { _half_close($c); next }
        _close($c, $finish) if $finish;
        last if $finish || !_write($c) || !$c->{steps}->@* && !length $c->{out} && !$c->{eof};
    }
}

sub _half_close ($c) { $c->{tls} ? WebsockifyTest::TargetTls::half_close($c) : shutdown $c->{socket}, SHUT_WR }

# True if something was written, so that the connection's steps may have more to do.
sub _write ($c) {
    return 0 unless length $c->{out} && $c->{socket};
    my $n = syswrite $c->{socket}, $c->{out};
    if ($n) { substr $c->{out}, 0, $n, ''; $c->{sent} += $n }
    elsif (!$!{EAGAIN}) { $c->{reset} = 1; _close($c, 'close') }
    return $n;
}

sub _read ($c) {
    my $n = sysread $c->{socket}, my $bytes, $c->{draining} ? KEPT : $c->{piece};
    if ($n) {
        $c->{size} += $n;
        $c->{md5}->add($bytes);
        $c->{received} .= substr $bytes, 0, KEPT - length $c->{received} if length $c->{received} < KEPT;
        $c->{pending} .= $bytes;
        return 1;
    }
    return 0 if !defined $n && ($!{EAGAIN} || $!{EINTR});
    $c->{eof} = 1;
    $c->{notified} = WebsockifyTest::TargetTls::was_notified($c) if $c->{tls};
    if (!defined $n && $! == ECONNRESET || !defined $n && !$c->{tls}) { $c->{reset} = 1; _close($c, 'close') }
    return 0;
}

# A close with input unread would be a reset: read what has come first.
sub _close ($c, $how) {
    my $socket = $c->{socket} or return;
    if ($how eq 'reset') { setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 }
    else { 1 while !$c->{eof} && _read($c) && $c->{socket} }
    return unless $c->{socket};
    if    (!$c->{tls} && !defined $c->{tls_error}) { close $c->{socket} }
    elsif ($how eq 'reset' || defined $c->{tls_error}) { WebsockifyTest::TargetTls::drop($c) }
    else  { WebsockifyTest::TargetTls::close($c) }
    delete $c->{socket};
}

sub _dns ($self) {
    my $from = recv $self->{dns}{socket}, my $query, 4096, 0;
    my ($packet, $question) = WebsockifyTest::Dns::answer($self->{dns}{zone}, $query);
    push $self->{dns}{questions}->@*, $question;
    send $self->{dns}{socket}, $packet, 0, $from if defined $packet;
}

# One question of the test: op, and what it needs.
sub _control ($self) {
    my $n = sysread $self->{control}, my $head, 4;
    POSIX::_exit(0) unless $n;    # the test is over, or dead
    sysread $self->{control}, my $body, unpack 'N', $head;
    my $ask    = thaw $body;
    my $target = $self->{targets}{ $ask->{target} // '' };

    $self->{watch} = $ask->{op} eq 'watch' ? $ask : undef;
    return if $self->{watch};
    if ($ask->{op} eq 'tell')  { $_->{told}++, _advance($target, $_) for _chosen($target, $ask) }
    if ($ask->{op} eq 'listen') { listen $target->{socket}, 1024; $target->{listens} = 1 }
    if ($ask->{op} eq 'zone')   { $self->{dns}{zone} = $ask->{zone} }
    if ($ask->{op} eq 'drain')  { $self->_drain }
    $self->_reply($ask, $ask->{op} eq 'questions' ? $self->{dns}{questions} : 1);
}

sub _chosen ($target, $ask) {
    my @connections = $target->{connections}->@*;
    return defined $ask->{connection} ? $connections[ $ask->{connection} ] : @connections;
}

sub _drain ($self) {
    for my $target (values $self->{targets}->%*) {
        for my $c ($target->{connections}->@*) { $c->{draining} = 1; _advance($target, $c) }
        $target->{version}++;
    }
}

# Everything that has already happened is seen before a question is answered.
sub _answer_watch ($self) {
    my $ask = $self->{watch} or return;
    my $target = $self->{targets}{ $ask->{target} };
    return if $target->{version} <= $ask->{after};
    delete $self->{watch};
    $self->_reply($ask, {
        version => $target->{version}, accepted => $target->{accepted},
        connections => [ map { _report($_) } $target->{connections}->@* ],
    });
}

sub _report ($c) {
    return {
        open => defined $c->{socket} && !$c->{eof}, md5 => $c->{md5}->clone->hexdigest,
        map { $_ => $c->{$_} } qw(peer size sent received eof reset tls notified tls_error),
    };
}

sub _reply ($self, $ask, $value) {
    my $bytes = freeze { id => $ask->{id}, value => $value };
    $bytes = pack('N', length $bytes) . $bytes;
    while (length $bytes) {
        my $n = syswrite($self->{control}, $bytes) // POSIX::_exit(0);
        substr $bytes, 0, $n, '';
    }
}

1;
