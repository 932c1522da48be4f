package WebsockifyTest::Dns;

# As much of a name server (RFC 1035) as nginx's resolver asks for: A, AAAA, refusals of every kind, and silence.
#
#   vnc.test    A 127.0.0.1, 127.0.0.2      an answer of two addresses
#   moves.test  A 127.0.0.1 then 127.0.0.2  another answer to each question, the last one for good
#   gone.test   NXDOMAIN                    (any name not listed is this as well)
#   broken.test SERVFAIL
#   mute.test   silent
#
# A "ttl N" in front of the kind gives the answer's life, 300 s otherwise.

use v5.36;
use Carp   qw(croak);
use Socket qw(AF_INET AF_INET6 inet_pton);

use constant TYPE  => { 1 => 'A', 28 => 'AAAA' };
use constant RCODE => { NXDOMAIN => 3, SERVFAIL => 2, REFUSED => 5 };

sub parse ($text) {
    my %zone;
    for my $line (grep { /\S/ } split /\n/, $text) {
        my ($name, $ttl, $kind, $value) = $line =~ /\A\s*(\S+)\s+(?:ttl\s+(\d+)\s+)?(\w+)\s*(.*?)\s*\z/
            or croak "not a DNS record: <$line>";
        my $record = $zone{ lc $name } //= {};
        if    ($kind eq 'silent')           { $record->{silent} = 1 }
        elsif (defined RCODE->{$kind})      { $record->{rcode} = RCODE->{$kind} }
        elsif ($kind =~ /\A(?:A|AAAA)\z/) {
            my @answers = map { [ split /[\s,]+/ ] } split /\s+then\s+/, $value;
            $record->{$kind} = { ttl => $ttl // 300, answers => \@answers };
        }
        else { croak "no such DNS record: <$line>" }
    }
    return \%zone;
}

# The packet that answers `$query`, or undef for silence; and the question as "A name".
sub answer ($zone, $query) {
    my ($id, $flags, $questions) = unpack 'nnn', $query;
    my ($labels, $type, $class) = unpack 'x12 Z* nn', $query;
    my $name = lc join '.', unpack '(C/a)*', $labels;
    my $kind = TYPE->{$type} // "TYPE$type";

    my $record = $zone->{$name} // { rcode => RCODE->{NXDOMAIN} };
    return (undef, "$kind $name") if $record->{silent};

    my @answers = $record->{$kind} ? _addresses($record->{$kind}) : ();
    my $packet = pack('n6', $id, 0x8180 | ($record->{rcode} // 0), 1, scalar @answers, 0, 0)
        . substr($query, 12, length($labels) + 5);
    for my $address (@answers) {
        my $bytes = inet_pton($kind eq 'A' ? AF_INET : AF_INET6, $address) // croak "not an address: $address";
        $packet .= pack 'nnnNn/a', 0xc00c, $type, 1, $record->{$kind}{ttl}, $bytes;
    }
    return ($packet, "$kind $name");
}

sub _addresses ($set) {
    my $answers = $set->{answers};
    return (@$answers > 1 ? shift @$answers : $answers->[0])->@*;
}

1;
