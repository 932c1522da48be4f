package WebsockifyTest::Frame;

# RFC 6455 section 5.2 frames: bytes to and fro, and the words in which tests name them.

use v5.36;
use Carp qw(croak);
use Exporter qw(import);
use WebsockifyTest::Util qw(evaluate hex_bytes shown);

our @EXPORT_OK = qw(encode decode parse_frames parse_expectation describe xor_mask OPCODE);

use constant OPCODE => { continuation => 0, text => 1, binary => 2, close => 8, ping => 9, pong => 10 };
use constant NAME   => { reverse OPCODE->%* };

use constant RFC_MASK => "\x37\xfa\x21\x3d";    # the masking key of section 5.7's examples

# The bytes of a frame: opcode, payload; fin (1), rsv (0), mask (4 bytes, or '' for none), length_size (1, 2 or 8).
sub encode (%frame) {
    my $payload = $frame{payload} // '';
    my $mask    = $frame{mask}    // RFC_MASK;
    my $size    = $frame{declares} // length $payload;
    my $width   = $frame{length_size} // ($size < 126 ? 1 : $size < 65536 ? 2 : 8);

    my $first  = ($frame{fin} // 1) << 7 | ($frame{rsv} // 0) << 4 | $frame{opcode};
    my $masked = length $mask ? 0x80 : 0;
    my $head
        = $width == 1 ? pack('CC', $first, $masked | $size)
        : $width == 2 ? pack('CCn', $first, $masked | 126, $size)
        :               pack('CCQ>', $first, $masked | 127, $size);
    return $head . $mask . (length $mask ? xor_mask($payload, $mask) : $payload);
}

# Takes one whole frame off the front of `$$input`; undef, with the input untouched, while there is none.
sub decode ($input) {
    return if length $$input < 2;
    my ($first, $second) = unpack 'CC', $$input;
    my ($size, $at) = ($second & 0x7f, 2);
    if ($size == 126) {
        return if length $$input < ($at = 4);
        $size = unpack 'x2n', $$input;
    }
    elsif ($size == 127) {
        return if length $$input < ($at = 10);
        $size = unpack 'x2Q>', $$input;
    }
    my $masked = $second >> 7;
    my $whole  = $at + 4 * $masked + $size;
    return if length $$input < $whole;

    my $mask    = $masked ? substr $$input, $at, 4 : '';
    my $payload = substr $$input, $at + length $mask, $size;
    substr $$input, 0, $whole, '';
    $payload = xor_mask($payload, $mask) if $masked;
    return {
        fin => $first >> 7, rsv => $first >> 4 & 7, opcode => $first & 15, masked => $masked, payload => $payload,
        minimal => $at == ($size < 126 ? 2 : $size < 65536 ? 4 : 10),
    };
}

sub xor_mask ($payload, $mask) {
    return $payload if $mask eq "\0\0\0\0";
    return $payload ^. substr $mask x (1 + length($payload) / 4), 0, length $payload;
}

# "binary "a" & ping": a list of byte strings, one for each frame.
sub parse_frames ($text) {
    state $kind = qr/(?:text|binary|continuation|close|ping|pong|opcode|bytes)\b/;
    return map { _parse_frame($_) } split /\s+&\s+(?=$kind)/, $text;
}

sub _parse_frame ($text) {
    return hex_bytes($1) if $text =~ /\Abytes\s+([0-9a-fA-F\s]+)\z/;
    return scalar evaluate($1) if $text =~ /\Abytes\s+(.+)\z/s;
    my ($frame, $rest) = _kind($text);
    return encode(%$frame, payload => _payload($frame, $rest));
}

# What the client is to receive: { kind, opcode, payload } where the payload may be a pattern.
sub parse_expectation ($text) {
    my ($frame, $rest) = _kind($text);
    return { %$frame, payload => scalar(_payload($frame, $rest)) } unless $frame->{opcode} == 8 && $rest =~ /qr/;
    my ($code, $reason) = evaluate(_comma_after_code($rest));
    return { %$frame, code => $code, reason => $reason };
}

# Takes the kind and its modifiers off the front of a frame's words.
sub _kind ($text) {
    my ($kind, $rest) = $text =~ /\A(\w+)\s*(.*)\z/s or croak "not a frame: <$text>";
    my %frame = (kind => $kind);
    if ($kind eq 'opcode') { ($frame{opcode}, $rest) = $rest =~ /\A(\d+)\s*(.*)\z/s }
    elsif ($kind eq 'base64') { $frame{opcode} = OPCODE->{text} }
    else { $frame{opcode} = OPCODE->{$kind} // croak "no such frame: <$text>" }

    state $modifier = qr/more|unmasked|masked|body|length16|length64|(rsv|declares)\s+(\d+)|mask\s+([0-9a-f]{8})/;
    while ($rest =~ s/\A($modifier)\b\s*//) {
        my $word = $1;
        if    (defined $2)          { $frame{$2} = $3 }
        elsif (defined $4)          { $frame{mask} = hex_bytes($4) }
        elsif ($word eq 'more')     { $frame{fin} = 0 }
        elsif ($word eq 'unmasked') { $frame{mask} = '' }
        elsif ($word eq 'masked')   { $frame{masked} = 1 }
        elsif ($word eq 'body')     { $frame{body} = 1 }
        elsif ($word eq 'length16') { $frame{length_size} = 2 }
        else                        { $frame{length_size} = 8 }
    }
    return (\%frame, $rest);
}

# A Close's words are its code and its reason; `close body "..."` gives its bytes instead.
sub _payload ($frame, $words) {
    return '' unless length $words;
    my @value = evaluate(_comma_after_code($words));
    return $value[0] if $frame->{opcode} != 8 || $frame->{body};
    return pack('n', $value[0]) . ($value[1] // '');
}

sub _comma_after_code ($words) { $words =~ s/\A(\d+)\s+(?=["'q])/$1, /r }

# A frame as the tests' words have it.
sub describe ($frame) {
    my $kind = NAME->{ $frame->{opcode} } // "opcode $frame->{opcode}";
    my $said = $frame->{payload};
    my $body
        = $frame->{opcode} == 8 && length $said >= 2
        ? unpack('n', $said) . ' ' . shown(substr $said, 2)
        : shown($said);
    return join ' ', $kind, ($frame->{fin} ? () : 'more'), ($frame->{masked} ? 'masked' : ()),
        ($frame->{rsv} ? "rsv $frame->{rsv}" : ()), $body;
}

1;
