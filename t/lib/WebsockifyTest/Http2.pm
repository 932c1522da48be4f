package WebsockifyTest::Http2;

# One GET over HTTP/2 without TLS (RFC 9113, prior knowledge), and its answer's header: enough to be refused by.

use v5.36;
use Carp     qw(croak);
use Exporter qw(import);

our @EXPORT_OK = qw(http2_get);

use constant { HEADERS => 1, SETTINGS => 4, END_STREAM => 1, END_HEADERS => 4, ACK => 1 };

# RFC 7541 appendix A, as far as it is met here.
my %STATIC = (
    8  => [ ':status', 200 ], 11 => [ ':status', 304 ], 12 => [ ':status', 400 ], 13 => [ ':status', 404 ],
    14 => [ ':status', 500 ], 28 => ['content-length'], 31 => ['content-type'], 33 => ['date'], 54 => ['server'],
);

# Appendix B is a canonical code: the characters of each length, in order, for those that headers are made of.
my @LENGTHS = (
    [ 5, '012aceiost' ],
    [ 6, ' %-./3456789=A_bdfghlmnpru' ],
    [ 7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz' ],
    [ 8, '&*,;XZ' ],
);

# The answer's headers, in order: [name, value]; names of the static table not known here are "#index".
sub http2_get ($stream, $path, @headers) {
    my $block = join '', map { _literal(@$_) }
        [ ':method', 'GET' ], [ ':scheme', 'http' ], [ ':path', $path ], [ ':authority', 'localhost' ], @headers;
    $stream->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . _frame(SETTINGS, 0, 0, '')
        . _frame(HEADERS, END_STREAM | END_HEADERS, 1, $block));
    my $answer = $stream->read_until('an HTTP/2 answer', sub ($in) {
        while (length $$in >= 9) {
            my ($high, $low, $type, $flags, $id) = unpack 'nCCCN', $$in;
            my $size = $high << 8 | $low;
            return 0 if length $$in < 9 + $size;
            my $payload = substr $$in, 9, $size;
            substr $$in, 0, 9 + $size, '';
            return [ _headers($payload) ] if $type == HEADERS && $id == 1;
        }
        return 0;
    }) or croak 'nginx ended the HTTP/2 connection';
    return @$answer;
}

sub _frame ($type, $flags, $id, $payload) {
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $id) . $payload;
}

sub _literal ($name, $value) { pack 'C C/a C/a', 0, $name, $value }

sub _headers ($block) {
    my @headers;
    while (length $block) {
        my $first = ord $block;
        if ($first & 0x80) { push @headers, $STATIC{ _integer(\$block, 7) } // croak 'unknown index'; next }
        my $index = _integer(\$block, $first & 0x40 ? 6 : $first & 0x20 ? 5 : 4);
        next if ($first & 0xe0) == 0x20;    # the table's size
        my $name = $index ? ($STATIC{$index} // ["#$index"])->[0] : _string(\$block);
        push @headers, [ $name, _string(\$block) ];
    }
    return @headers;
}

sub _integer ($block, $bits) {
    my $most  = (1 << $bits) - 1;
    my $value = ord(substr $$block, 0, 1, '') & $most;
    return $value if $value < $most;
    for (my $shift = 0;; $shift += 7) {
        my $byte = ord substr $$block, 0, 1, '';
        $value += ($byte & 0x7f) << $shift;
        return $value unless $byte & 0x80;
    }
}

sub _string ($block) {
    my $huffman = ord($$block) & 0x80;
    my $bytes   = substr $$block, 0, _integer($block, 7), '';
    return $huffman ? _unpacked($bytes) : $bytes;
}

sub _unpacked ($bytes) {
    state $code = do {
        my ($next, %made) = (0);
        for my $length (@LENGTHS) {
            $next <<= 1 if %made;
            $made{ sprintf '%0*b', $length->[0], $next++ } = $_ for split //, $length->[1];
        }
        \%made;
    };
    my ($text, $seen) = ('', '');
    for my $bit (split //, unpack 'B*', $bytes) {
        $seen .= $bit;
        ($text, $seen) = ($text . $code->{$seen}, '') if exists $code->{$seen};
    }
    return $text;
}

1;
