# greeter.pl ADDRESS:PORT: a TCP server that greets each client with the address it comes from, and echoes what it says.
# It holds as many connections as it may have descriptors.

use v5.36;
use IO::Socket::INET;

$| = 1;
my $listening = IO::Socket::INET->new(LocalAddr => $ARGV[0], Listen => 4096, ReuseAddr => 1, Blocking => 0)
    or die "listen: $@\n";
my %socket;
my $wanted = '';
vec($wanted, fileno $listening, 1) = 1;
say 'ready';
while (1) {
    select my $ready = $wanted, undef, undef, undef;
    my $bits = unpack 'b*', $ready;
    for (my $at = index $bits, '1'; $at >= 0; $at = index $bits, '1', $at + 1) {
        $at == fileno $listening ? welcome() : answer($at);
    }
}

sub welcome () {
    while (my $client = $listening->accept) {
        syswrite $client, $client->peerhost . "\n";
        $socket{ fileno $client } = $client;
        vec($wanted, fileno $client, 1) = 1;
    }
}

sub answer ($number) {
    if (sysread $socket{$number}, my $bytes, 65536) {
        syswrite $socket{$number}, $bytes;
        return;
    }
    vec($wanted, $number, 1) = 0;
    delete $socket{$number};
}
