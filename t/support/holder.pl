# holder.pl ADDRESS:PORT PATH COUNT: opens so many sessions, says "open", and keeps them. At SIGUSR1 it says something in
# each, and how many have answered.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use WebsockifyTest::Client;
use WebsockifyTest::Frame qw(decode encode);

$| = 1;
my ($address, $path, $count) = @ARGV;
my $asked = 0;
$SIG{USR1} = sub { $asked = 1 };
my @sockets = map { open_session() } 1 .. $count;
say 'open';
select undef, undef, undef, 1 while !$asked;
say 'answers: ' . grep { answers($_) } @sockets;

# A session that has been greeted.
sub open_session () {
    my $socket = IO::Socket::INET->new(PeerAddr => $address, Timeout => 30) or die "connect: $@\n";
    syswrite $socket, WebsockifyTest::Client::handshake_bytes("GET $path");
    my $said = '';
    until ($said =~ /\r\n\r\n.*\n\z/s) {
        sysread $socket, $said, 4096, length $said or die "the session ended: $said\n";
        die $said if $said =~ /\AHTTP\/1\.1 (?!101)/;
    }
    return $socket;
}

# Pings, which may have come in between, are not it.
sub answers ($socket) {
    syswrite $socket, encode(opcode => 2, payload => 'here');
    my $said = '';
    while (1) {
        while (my $frame = decode(\$said)) { return 1 if $frame->{opcode} == 2 && $frame->{payload} eq 'here' }
        sysread $socket, $said, 4096, length $said or return 0;
    }
}
