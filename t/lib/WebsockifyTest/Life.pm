package WebsockifyTest::Life;

# A session of random life, both ends of it played here: how much either side says, in what frames, how it reads, who
# ends it and how, all of it follows from a seed. Every byte that arrives is compared with what was sent, and where the
# end was orderly nothing may be missing.

use v5.36;
use Carp   qw(croak);
use Errno  qw(EAGAIN EINPROGRESS);
use Socket qw(:all);
use Time::HiRes ();
use WebsockifyTest::Client;
use WebsockifyTest::Frame qw(encode decode describe);
use WebsockifyTest::Util  qw(listen_tcp pattern port_of time_limit);

# NGINX: the address that nginx connects from (websockify_bind). Somebody else may try who has the port.
use constant { PIECE => 65_536, MOST => 18, NGINX => '127.0.0.8' };

# close: the client's Close; fin: its end of stream; reset: at any moment. The target's likewise.
use constant WAYS => qw(close close close fin reset target_fin target_fin target_reset);

# Plays the lives of these seeds, `$at_once` at a time. Returns what went wrong, a line each, and the bytes that went
# each way.
sub play ($port, $at_once, @seeds) {
    my (@running, @wrong, $up, $down);
    while (@seeds || @running) {
        while (@running < $at_once && @seeds) { push @running, __PACKAGE__->_new(shift @seeds, $port) }
        my ($in, $out) = ('', '');
        $_->_wants(\$in, \$out) for @running;
        select $in, $out, undef, 0.02;
        my @still;
        for my $life (@running) {
            my $over = eval { $life->_live($in, $out) } // ($life->{wrong} = $@);
            if (!$over) { push @still, $life; next }
            push @wrong, "seed $life->{seed} ($life->{way}, $life->{up} up, $life->{down} down): $life->{wrong}" if $life->{wrong};
            $up   += $life->{target_got};
            $down += $life->{client_got};
        }
        @running = @still;
    }
    return { wrong => \@wrong, up => $up // 0, down => $down // 0 };
}

sub _new ($class, $seed, $port) {
    srand $seed;
    my $listener = listen_tcp('127.0.0.1');
    $listener->blocking(0);
    my @ways = WAYS;
    my $self = bless {
        seed => $seed, listener => $listener, way => $ways[ rand @ways ], until => Time::HiRes::time + 3 * time_limit,
        up => int 2 ** rand MOST, down => int 2 ** rand MOST, client_out => '', client_in => '', random => int rand 2 ** 31,
        map { $_ => 0 } qw(up_made down_made client_got target_got turns pause client_over target_over),
    }, $class;
    $self->{moment} = int rand 30 if $self->{way} =~ /reset/;
    socket $self->{client}, PF_INET, SOCK_STREAM, 0 or croak "socket: $!";
    setsockopt $self->{client}, SOL_SOCKET, SO_RCVBUF, 4096 if !int rand 4;
    connect $self->{client}, pack_sockaddr_in($port, INADDR_LOOPBACK) or croak "connect: $!";
    $self->{client}->blocking(0);
    $self->{client_out} = WebsockifyTest::Client::handshake_bytes('GET /websockify?to=' . port_of($listener));
    return $self;
}

# A number below `$limit` of this life's own: others are lived at the same time.
sub _random ($self, $limit) {
    $self->{random} = ($self->{random} * 1_103_515_245 + 12_345) % 2 ** 31;
    return int $limit * $self->{random} / 2 ** 31;
}

sub _size ($self, $left) {
    my $size = 1 << $self->_random(16);
    $size += $self->_random($size);
    return $size < $left ? $size : $left;
}

sub _wants ($self, $in, $out) {
    for my $who (qw(client target)) {
        my $socket = $self->{$who} or next;
        vec($$in, fileno $socket, 1) = 1 if !$self->{"${who}_over"};
        vec($$out, fileno $socket, 1) = 1 if length $self->{"${who}_out"};
    }
    vec($$in, fileno $self->{listener}, 1) = 1 unless $self->{target};
}

# One turn; whether the life is over.
sub _live ($self, $in, $out) {
    die "it does not end: client has $self->{client_got}, target has $self->{target_got}\n" if Time::HiRes::time > $self->{until};
    $self->{turns}++;
    $self->_accept unless $self->{target};
    return $self->_reset if exists $self->{moment} && $self->{turns} > $self->{moment} && $self->_can_reset;
    $self->_say;
    # Now and then a side does not read for some turns.
    if ($self->{pause}) { $self->{pause}--; Time::HiRes::sleep 0.0002 }
    else {
        $self->{pause} = $self->_random(8) ? 0 : $self->_random(10);
        $self->_read_client if $self->{client} && !$self->{client_over};
        $self->_read_target if $self->{target} && !$self->{target_over};
    }
    return 0 unless $self->{client_over} && ($self->{target_over} || !$self->{status});
    return $self->_judge;
}

sub _accept ($self) {
    my $from = accept $self->{target}, $self->{listener} or return delete $self->{target};
    return close delete $self->{target} if inet_ntoa((unpack_sockaddr_in $from)[1]) ne NGINX;
    $self->{target}->blocking(0);
    $self->{target_out} = '';
}

sub _say ($self) {
    if ($self->{status}) {
        while (length $self->{client_out} < PIECE && $self->{up_made} < $self->{up} && !$self->{said_close}) { $self->_make_frame }
        $self->_end_client if $self->{up_made} >= $self->{up} && !$self->{said_close};
    }
    if ($self->{target} && !$self->{target_over}) {
        my $size = length $self->{target_out} < PIECE ? $self->_size($self->{down} - $self->{down_made}) : 0;
        $self->{target_out} .= pattern($size, $self->{down_made});
        $self->{down_made} += $size;
    }
    $self->_write($_) for qw(client target);
    if ($self->{way} eq 'target_fin' && $self->{target} && $self->{down_made} >= $self->{down} && !length $self->{target_out}) {
        shutdown $self->{target}, SHUT_WR unless $self->{target_ended}++;
    }
    shutdown $self->{client}, SHUT_WR
        if $self->{said_close} && $self->{way} eq 'fin' && !length $self->{client_out} && !$self->{fin}++;
}

sub _make_frame ($self) {
    if (!$self->_random(20)) { $self->{client_out} .= encode(opcode => 9, payload => 'x' x $self->_random(126)) }
    my $size = $self->_size($self->{up} - $self->{up_made});
    my $fin  = $self->_random(4) ? 1 : 0;
    $self->{client_out} .= encode(
        opcode => $self->{within} ? 0 : 1 + $self->_random(2), fin => $fin,
        mask => pack('N', $self->_random(2) * $self->_random(2 ** 31)), payload => pattern($size, $self->{up_made}));
    $self->{within} = !$fin;
    $self->{up_made} += $size;
}

# The client has said all: it says goodbye, or waits for the target's end and answers it.
sub _end_client ($self) {
    return if $self->{way} =~ /reset/ || $self->{way} eq 'target_fin' && !$self->{told};
    $self->{said_close} = 1;
    $self->{client_out} .= encode(opcode => 8, payload => pack 'n', 1000) unless $self->{way} eq 'fin';
}

sub _write ($self, $who) {
    return unless $self->{$who} && length $self->{"${who}_out"} && !$self->{"${who}_over"};
    my $n = syswrite $self->{$who}, $self->{"${who}_out"}, 1 + $self->_random(2 * PIECE);
    if ($n) { substr $self->{"${who}_out"}, 0, $n, '' }
    elsif (!$!{EAGAIN}) { $self->{"${who}_out"} = ''; $self->{"${who}_lost"} = "$!" }
}

sub _read_client ($self) {
    my $n = sysread $self->{client}, $self->{client_in}, 1 + $self->_random(2 * PIECE), length $self->{client_in};
    if (!$n) {
        return if !defined $n && $!{EAGAIN};
        $self->{client_over} = defined $n ? 'end' : 'reset';
        return;
    }
    if (!$self->{status}) {
        return unless $self->{client_in} =~ s{\AHTTP/1.1 (\d+) .*?\r\n\r\n}{}s;
        $self->{status} = $1;
        die "status $self->{status}\n" unless $1 == 101 || $self->{way} eq 'target_reset' && $1 == 502;
        if ($1 != 101) { $self->{client_over} = 'refused'; return }
    }
    while (my $frame = decode(\$self->{client_in})) { $self->_hear($frame) }
}

sub _hear ($self, $frame) {
    return if $frame->{opcode} == 10 || $frame->{opcode} == 9;
    die 'the client got ' . describe($frame) . " after a Close\n" if $self->{told};
    if ($frame->{opcode} == 8) { $self->{told} = unpack 'n', $frame->{payload}; return }
    my $size = length $frame->{payload};
    die "the client got other bytes after $self->{client_got}\n" if $frame->{payload} ne pattern($size, $self->{client_got});
    $self->{client_got} += $size;
}

sub _read_target ($self) {
    my $n = sysread $self->{target}, my $bytes, 1 + $self->_random(2 * PIECE);
    if (!$n) {
        return if !defined $n && $!{EAGAIN};
        $self->{target_over} = defined $n ? 'end' : 'reset';
        close delete $self->{target};
        return;
    }
    die "the target got other bytes after $self->{target_got}\n" if $bytes ne pattern($n, $self->{target_got});
    $self->{target_got} += $n;
}

sub _can_reset ($self) { $self->{way} eq 'reset' ? 1 : $self->{target} }

# Goes without a word, and looks at what the other side has had by then; it must be left.
sub _reset ($self) {
    my $who = $self->{way} eq 'reset' ? 'client' : 'target';
    delete $self->{moment};
    setsockopt $self->{$who}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close delete $self->{$who};
    $self->{"${who}_over"} = 'went';
    $self->{status} //= 0;
    return !$self->{target} && $who eq 'client' && !$self->{status};
}

sub _judge ($self) {
    my $way = $self->{way};
    my @wrong;
    if ($way =~ /\A(?:close|fin|target_fin)\z/) {
        push @wrong, "the target has $self->{target_got} bytes" if $self->{target_got} != $self->{up};
        push @wrong, "the target saw $self->{target_over}" if $self->{target_over} ne 'end';
        push @wrong, "the client saw $self->{client_over}" if $self->{client_over} ne 'end';
    }
    if ($way eq 'target_fin') {
        push @wrong, "the client has $self->{client_got} bytes" if $self->{client_got} != $self->{down};
    }
    if ($way =~ /\A(?:close|target_fin)\z/) {
        push @wrong, 'the client was told ' . ($self->{told} // 'nothing') if ($self->{told} // 0) != 1000;
    }
    $self->{wrong} = join ', ', @wrong;
    return 1;
}

1;
