package WebsockifyTest::Util;

# What every other part of the harness needs: bounded waiting, sockets on ports the kernel chose, and bytes to move.

use v5.36;
use Carp qw(croak);
use Digest::MD5  ();
use Digest::SHA  qw(sha1);
use Exporter     qw(import);
use Fcntl        qw(F_GETFD F_SETFD FD_CLOEXEC);
use Socket       qw(:all);
use Time::HiRes  ();

our @EXPORT_OK = qw(
    time_limit await readable writable listen_tcp listen_unix reserve_port port_of survive_exec unread unsent
    pattern pattern_md5 evaluate hex_bytes shown slurp
);

use constant {
    BACKLOG        => 1024,     # bursts of connections must queue, not be dropped
    PATTERN_PERIOD => 65521,    # a prime: a piece lost or doubled shows, whatever the buffers' sizes
    NAP            => 0.001,
};

# Seconds any one wait may last, on a machine that has other things to do; a sanitizer or valgrind wants more yet.
sub time_limit () { $ENV{TEST_NGINX_TIMEOUT} || 30 }

# Asks `$condition` until it answers true, and returns that answer; dies naming `$what` when the time is up.
sub await ($what, $condition, $limit = time_limit) {
    my $deadline = Time::HiRes::time + $limit;
    while (1) {
        my $answer = $condition->();
        return $answer if $answer;
        croak "timed out after $limit s waiting for $what" if Time::HiRes::time > $deadline;
        Time::HiRes::sleep NAP;
    }
}

sub readable ($handle, $seconds) { _ready($handle, 0, $seconds) }
sub writable ($handle, $seconds) { _ready($handle, 1, $seconds) }

sub _ready ($handle, $for_writing, $seconds) {
    vec(my $bits = '', fileno $handle, 1) = 1;
    my @sets = $for_writing ? (undef, $bits) : ($bits, undef);
    return select($sets[0], $sets[1], undef, $seconds > 0 ? $seconds : 0) > 0;
}

# A listening TCP socket on a free port of `$host` ("127.0.0.1" or "::1").
sub listen_tcp ($host, %option) {
    my $socket = reserve_port($host, %option);
    listen $socket, $option{backlog} // BACKLOG or croak "listen: $!";
    return $socket;
}

# A port that is ours but has no listener: connecting to it is refused, and nobody else can take it meanwhile.
sub reserve_port ($host, %option) {
    my $v6 = $host =~ /:/;
    socket my $socket, $v6 ? PF_INET6 : PF_INET, SOCK_STREAM, 0 or croak "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1 or croak "SO_REUSEADDR: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $option{rcvbuf} or croak "SO_RCVBUF: $!" if $option{rcvbuf};
    my $address = $v6 ? pack_sockaddr_in6(0, inet_pton(AF_INET6, $host)) : pack_sockaddr_in(0, inet_aton($host));
    bind $socket, $address or croak "bind $host: $!";
    return $socket;
}

sub listen_unix ($path, %option) {
    socket my $socket, PF_UNIX, SOCK_STREAM, 0 or croak "socket: $!";
    bind $socket, pack_sockaddr_un($path) or croak "bind $path: $!";
    listen $socket, $option{backlog} // BACKLOG or croak "listen: $!";
    return $socket;
}

sub port_of ($socket) {
    my $name = getsockname $socket;
    return sockaddr_family($name) == AF_INET6 ? (unpack_sockaddr_in6($name))[0] : (unpack_sockaddr_in($name))[0];
}

# Perl closes descriptors on exec; nginx shall inherit this one.
sub survive_exec ($handle) {
    my $flags = fcntl $handle, F_GETFD, 0 or croak "F_GETFD: $!";
    fcntl $handle, F_SETFD, $flags & ~FD_CLOEXEC or croak "F_SETFD: $!";
    return fileno $handle;
}

# Bytes that the kernel holds for the loopback socket of these two ports and its owner has not read; and those that its
# peer has not acknowledged. sock_diag(7) is asked for that one socket; /proc/net/tcp, which holds all of them, only
# where the kernel lacks it.
sub unread ($port, $peer) { (_queues($port, $peer))[0] }
sub unsent ($port, $peer) { (_queues($port, $peer))[1] }

sub _queues ($port, $peer) {
    state $netlink = do {
        socket my $socket, 16, SOCK_RAW, 4 or undef;    # AF_NETLINK, NETLINK_SOCK_DIAG
        $socket;
    };
    my $sockets = pack('nn a16 a16 L L2', $port, $peer, (INADDR_LOOPBACK) x 2, 0, (0xffffffff) x 2);
    my $request = pack('CCCx L', AF_INET, IPPROTO_TCP, 0, 0xffffffff) . $sockets;
    if ($netlink && send $netlink, pack('L SS LL', 16 + length $request, 20, 1, 0, 0) . $request, 0) {
        recv $netlink, my $answer, 8192, 0;
        my ($type, $unread, $unsent) = unpack 'x4 S x66 LL', $answer;
        return ($unread, $unsent) if $type == 20;
    }
    my ($local, $remote) = map { sprintf ':%04X', $_ } $port, $peer;
    my ($unsent, $unread)
        = slurp('/proc/net/tcp') =~ /[0-9A-F]{8}$local [0-9A-F]{8}$remote \S+ ([0-9A-F]{8}):([0-9A-F]{8})/;
    return (hex($unread // 0), hex($unsent // 0));
}

# `$size` bytes of a fixed stream of bytes, starting at its byte `$from`: both ends of a transfer can make it.
sub pattern ($size, $from = 0) {
    state $once = substr join('', map { sha1("websockify $_") } 0 .. PATTERN_PERIOD / 20 + 1), 0, PATTERN_PERIOD;
    my $skip = $from % PATTERN_PERIOD;
    return substr $once x (1 + int(($skip + $size) / PATTERN_PERIOD)), $skip, $size;
}

sub pattern_md5 ($size) {
    my $digest = Digest::MD5->new;
    for (my $at = 0; $at < $size; $at += 1 << 20) {
        $digest->add(pattern($size - $at < 1 << 20 ? $size - $at : 1 << 20, $at));
    }
    return $digest->hexdigest;
}

# The value of a Perl expression that stands in a test's data section.
sub evaluate ($expression) {
    my @value = eval "package WebsockifyTest::Util; no strict 'vars'; $expression";
    croak "cannot evaluate <$expression>: $@" if $@;
    return wantarray ? @value : $value[0];
}

sub hex_bytes ($text) {
    (my $digits = $text) =~ s/\s+//g;
    croak "not hexadecimal: <$text>" if $digits =~ /[^0-9a-fA-F]/ || length($digits) % 2;
    return pack 'H*', $digits;
}

# Bytes as a person can read them in a diagnosis.
sub shown ($bytes, $limit = 160) {
    return 'undef' unless defined $bytes;
    my $text = substr $bytes, 0, $limit;
    $text =~ s/([\\"])/\\$1/g;
    $text =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;
    my $rest = length($bytes) - $limit;
    return qq("$text") . ($rest > 0 ? " and $rest bytes more" : '');
}

sub slurp ($path) {
    open my $file, '<:raw', $path or return '';
    local $/;
    return scalar(<$file>) // '';
}

1;
