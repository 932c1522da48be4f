package WebsockifyTest::Stream;

# A byte stream to nginx, plain or TLS, with a bounded wait for everything. While it waits to write it reads on,
# so that two full buffers cannot block a test that both sends and receives.

use v5.36;
use Carp   qw(croak);
use Errno  qw(EAGAIN EWOULDBLOCK EINTR EINPROGRESS);
use Socket qw(:all IPPROTO_TCP TCP_NODELAY);
use Time::HiRes ();
use WebsockifyTest::Util qw(time_limit await unread unsent);

use constant PIECE => 1 << 20;

# Connects to `$port` of 127.0.0.1 or of host => "address", over TLS if asked: tls => { IO::Socket::SSL's options }.
sub connect ($class, $port, %option) {
    my $self = bless { in => '', ended => '', reading => 1, received => 0 }, $class;
    socket my $socket, PF_INET, SOCK_STREAM, 0 or croak "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $option{rcvbuf} or croak "SO_RCVBUF: $!" if $option{rcvbuf};
    CORE::connect $socket, pack_sockaddr_in($port, inet_aton($option{host} // '127.0.0.1')) or croak "connect to port $port: $!";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 or croak "TCP_NODELAY: $!";
    $self->{raw} = $self->{socket} = $socket;
    $self->_start_tls($option{tls}) if $option{tls};
    $self->{socket}->blocking(0);
    return $self;
}

sub _start_tls ($self, $option) {
    require IO::Socket::SSL;
    $self->{tls} = 1;
    $self->{socket} = IO::Socket::SSL->start_SSL($self->{raw}, SSL_verify_mode => 0, Timeout => time_limit, %$option)
        or croak "TLS handshake: $IO::Socket::SSL::SSL_ERROR";
}

# Writes all of `$bytes`, or as much as the peer takes before it closes; returns the number of bytes written.
sub write ($self, $bytes) {
    my $deadline = Time::HiRes::time + time_limit;
    my $done     = 0;
    while ($done < length $bytes) {
        my $n = $self->{dead} ? 0 : syswrite $self->{socket}, $bytes, PIECE, $done;
        if ($n) { $done += $n; $deadline = Time::HiRes::time + time_limit; next }
        last if !defined $n && !$self->_again || $self->{dead};
        croak "timed out writing: $done of " . length($bytes) . ' bytes taken' if Time::HiRes::time > $deadline;
        $self->turn(1, $deadline - Time::HiRes::time);
    }
    return $done;
}

# Writes until the peer has taken nothing more for `$quiet` seconds; returns how much of `$bytes` it took.
sub write_until_full ($self, $bytes, $quiet = 0.5) {
    my ($end, $done) = (Time::HiRes::time + $quiet, 0);
    while ($done < length $bytes && Time::HiRes::time < $end) {
        my $n = syswrite $self->{socket}, $bytes, PIECE, $done;
        if ($n) { $done += $n; $end = Time::HiRes::time + $quiet }
        elsif ($self->_again) { $self->turn(1, $end - Time::HiRes::time) }
        else { last }
    }
    return $done;
}

# Waits until there may be something to read (or, if `$to_write`, room to write), and reads it.
sub turn ($self, $to_write, $seconds) {
    my $wants_read = $self->{reading} && !$self->{ended};
    vec(my $bit = '', fileno $self->{raw}, 1) = 1;
    my ($in, $out) = ($wants_read ? $bit : '', $to_write ? $bit : '');
    $seconds = 0 if $wants_read && $self->{tls} && $self->{socket}->pending;
    select $in, $out, undef, $seconds > 0 ? $seconds : 0;
    $self->_read if $wants_read;
}

sub _read ($self) {
    my $n = sysread $self->{socket}, $self->{in}, PIECE, length $self->{in};
    $self->{received} += $n // 0;
    return if $n || !defined $n && $self->_again;
    $self->{ended} = defined $n ? 'end' : 'reset';
    $self->{dead}  = 1 if !defined $n;
}

sub _again ($self) {
    return $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR} unless $self->{tls};
    return $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_READ()
        || $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_WRITE();
}

# Reads until `$enough` answers true for the input's reference; its answer, or undef at the stream's end.
sub read_until ($self, $what, $enough) {
    my $deadline = Time::HiRes::time + time_limit;
    my $had      = -1;
    while (1) {
        if (length $self->{in} != $had) {
            my $answer = $enough->(\$self->{in});
            return $answer if $answer;
            $had = length $self->{in};
            $deadline = Time::HiRes::time + time_limit;
        }
        return if $self->{ended};
        croak "timed out after ${\time_limit} s waiting for $what; unread input: "
            . WebsockifyTest::Util::shown($self->{in}) if Time::HiRes::time > $deadline;
        $self->turn(0, $deadline - Time::HiRes::time);
    }
}

# 'end' or 'reset', once the peer has ended the stream.
sub await_end ($self) {
    $self->read_until('the end of the stream', sub ($) { 0 });
    return $self->{ended};
}

# Waits until nginx's socket has nothing of ours left to read, so that what is sent next is read by itself.
sub await_taken ($self, $limit = time_limit) {
    my ($here, $there) = $self->_ports;
    await 'nginx to read what was sent', sub { !unread($there, $here) }, $limit;
}

# Bytes that the kernel has from nginx and we have not read.
sub on_its_way ($self) {
    my ($here, $there) = $self->_ports;
    return unsent($there, $here) + unread($here, $there);
}

sub _ports ($self) { map { (unpack_sockaddr_in($_))[0] } getsockname $self->{raw}, getpeername $self->{raw} }

sub end_writing ($self) {
    return $self->{tls} ? $self->{socket}->stop_SSL(SSL_no_shutdown => 0) : shutdown $self->{socket}, SHUT_WR;
}

sub reset ($self) {
    setsockopt $self->{raw}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->close;
}

sub close ($self) {
    return unless $self->{raw};
    $self->{socket}->close(SSL_no_shutdown => 1, SSL_fast_shutdown => 1) if $self->{tls};
    CORE::close $self->{raw} unless $self->{tls};
    @$self{qw(raw socket)} = ();
}

1;
