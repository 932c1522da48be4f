package WebsockifyTest::Hand;

# A target that the test itself plays, byte by byte: for what happens while it takes a little, or nothing, or goes at a
# moment of the test's choosing. It has one session; nginx finds it by `websockify_pass 127.0.0.1:$arg_to`.

use v5.36;
use Carp        qw(croak);
use Digest::MD5 ();
use Socket      qw(:all);
use Time::HiRes ();
use WebsockifyTest::Frame qw(encode);
use WebsockifyTest::Util  qw(await listen_tcp pattern port_of readable time_limit unread unsent);

use constant PIECE => 65_536;

# rcvbuf => the size of its receive buffer, as given to the kernel.
sub new ($class, %option) {
    my $listener = listen_tcp('127.0.0.1', %option);
    return bless { listener => $listener, size => 0, ended => '', digest => Digest::MD5->new }, $class;
}

sub port ($self) { port_of($self->{listener}) }
sub path ($self, $location = '/websockify') { "$location?to=" . $self->port }
sub md5  ($self) { $self->{digest}->clone->hexdigest }

# nginx's connection.
sub socket ($self) {
    return $self->{socket} //= do {
        readable($self->{listener}, time_limit) or croak 'nginx did not connect';
        accept my $socket, $self->{listener} or croak "accept: $!";
        $socket->blocking(0);
        $socket;
    };
}

sub peer_port ($self) { (unpack_sockaddr_in(getpeername $self->socket))[0] }

# Takes `$size` bytes, or what there is until the end; returns what it took last.
sub take ($self, $size) {
    my ($goal, $bytes) = ($self->{size} + $size, '');
    while ($self->{size} < $goal && !$self->{ended}) {
        readable($self->socket, time_limit) or croak "nginx sent nothing after $self->{size} bytes";
        my $left = $goal - $self->{size};
        my $n = sysread $self->socket, $bytes, $left < PIECE ? $left : PIECE;
        if    ($n)          { $self->{size} += $n; $self->{digest}->add($bytes) }
        elsif (defined $n)  { $self->{ended} = 'end' }
        elsif (!$!{EAGAIN}) { $self->{ended} = 'reset' }
    }
    return $bytes;
}

sub take_all ($self) { $self->take(9**9**9) }

# Says as much as can be said now: the number of bytes.
sub say ($self, $bytes) { syswrite($self->socket, $bytes) // 0 }

# Has the client send frames until nginx leaves one unread, because it has no room for what this target does not take.
# All that was sent is then with nginx or its kernel. Returns the number of payload bytes.
sub fill ($self, $client) {
    $self->socket;
    for (my $sent = 0; $sent < 100_000_000; $sent += PIECE) {
        $client->send_bytes(encode(opcode => 2, mask => "\0\0\0\0", payload => pattern(PIECE, $sent)));
        return $sent + PIECE unless eval { $client->stream->await_taken(0.5); 1 };
    }
    croak 'the target never got full';
}

# Speaks until nginx has no room for it, because the client does not read: the last words are with nginx, in its buffer
# and not in the kernel's. Returns the number of bytes that this makes on the wire, and of those that were said.
sub fill_back ($self, $client, $header = 4) {
    my ($size, $wire, $said) = (8_192, 0, 0);
    while ($said < 100_000_000) {
        $self->say(pattern($size, $said)) == $size or croak 'nginx does not read';
        $said += $size;
        $wire += $size + $header;
        await 'nginx to read', sub { !unread($self->peer_port, $self->port) };
        return ($wire, $said) if held_back($client, $wire);
    }
    croak 'the client never got full';
}

# How many of the `$wire` bytes nginx has not given the kernel yet; `$taken` of them the client has read. What is not
# acknowledged is counted twice for a moment.
sub held_back ($client, $wire, $taken = 0) {
    my ($left, $since, $start) = (0, (Time::HiRes::time) x 2);
    while (Time::HiRes::time - $since < 0.1 && Time::HiRes::time - $start < time_limit) {
        $left = $wire - $taken - $client->stream->on_its_way;
        return 0 if !$left;
        $since = Time::HiRes::time if $left < 0;
    }
    return $left > 0 ? $left : 0;
}

sub end   ($self) { shutdown $self->socket, SHUT_WR }
sub close ($self) { close delete $self->{socket} if $self->{socket} }

sub reset ($self) {
    setsockopt $self->socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->close;
}

1;
