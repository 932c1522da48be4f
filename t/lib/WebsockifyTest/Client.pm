package WebsockifyTest::Client;

# A WebSocket client that does what it is told, right or wrong, and reports what nginx said.

use v5.36;
use Carp         qw(croak);
use Digest::MD5  ();
use Digest::SHA  qw(sha1_base64);
use MIME::Base64 qw(decode_base64);
use Time::HiRes  ();
use WebsockifyTest::Frame qw(encode decode parse_frames parse_expectation describe);
use WebsockifyTest::Stream;
use WebsockifyTest::Util qw(pattern shown time_limit);

use constant KEY => 'dGhlIHNhbXBsZSBub25jZQ==';    # RFC 6455 section 1.3

sub connect ($class, $port, %option) {
    return bless { stream => WebsockifyTest::Stream->connect($port, %option) }, $class;
}

sub stream ($self) { $self->{stream} }

# A valid opening handshake's bytes, changed line by line: "-Name" leaves a header out, "Name: value" replaces it,
# "+Name: value" adds one more.
sub handshake_bytes ($request_line, $changes = '') {
    my @headers = (
        [ Host => 'localhost' ], [ Upgrade => 'websocket' ], [ Connection => 'Upgrade' ],
        [ 'Sec-WebSocket-Key' => KEY ], [ 'Sec-WebSocket-Version' => 13 ],
    );
    for my $line (grep { /\S/ } split /\n/, $changes) {
        my ($sign, $name, $value) = $line =~ /\A\s*([-+]?)([^:\s]+)(?::[ \t]*(.*?))?\s*\z/
            or croak "not a header: <$line>";
        @headers = grep { lc $_->[0] ne lc $name } @headers unless $sign eq '+';
        push @headers, [ $name, $value ] unless $sign eq '-';
    }
    return request_bytes($request_line, map { "$_->[0]: " . ($_->[1] // '') } @headers);
}

sub request_bytes ($request_line, @headers) {
    $request_line .= ' HTTP/1.1' unless $request_line =~ m{ HTTP/\d};
    return join "\r\n", $request_line, @headers, '', '';
}

sub accept_for ($key) { sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=' }

sub send_bytes ($self, $bytes) { $self->stream->write($bytes) }

# Sends frames named as in `binary "a" & ping`, in one write.
sub send ($self, $frames) { $self->send_bytes(join '', parse_frames($frames)) }

# The same in pieces of `$size` bytes, each read by nginx before the next is sent.
sub send_in_pieces ($self, $size, $frames) { $self->send_bytes_in_pieces($size, join '', parse_frames($frames)) }

sub send_bytes_in_pieces ($self, $size, $bytes) {
    for (my $at = 0; $at < length $bytes; $at += $size) {
        $self->stream->write(substr $bytes, $at, $size);
        $self->stream->await_taken;
    }
}

# The HTTP answer: { status, line, headers => [[name, value]...], body }; a body is not looked for after a 101.
sub response ($self) {
    my $head = $self->stream->read_until('the response header', sub ($in) {
        my $end = index $$in, "\r\n\r\n";
        return $end < 0 ? 0 : [ substr $$in, 0, $end + 4, '' ];
    }) or croak 'nginx closed the connection without a response (' . $self->stream->{ended} . ')';

    my ($line, @lines) = split /\r\n/, $head->[0];
    my %response = (
        line => $line, status => (split ' ', $line)[1],
        headers => [ map { [ /\A([^:]+):[ \t]*(.*)\z/ ] } @lines ], body => '',
    );
    $response{body} = $self->_body(\%response) unless $response{status} =~ /\A(?:101|204|304)\z/;
    return $self->{response} = \%response;
}

sub _body ($self, $response) {
    my ($length) = map { $_->[1] } grep { lc $_->[0] eq 'content-length' } $response->{headers}->@*;
    my $chunked = grep { lc $_->[0] eq 'transfer-encoding' } $response->{headers}->@*;
    my $got = $self->stream->read_until('the response body', sub ($in) {
        return [ substr $$in, 0, $length, '' ] if defined $length && length $$in >= $length;
        return $chunked && $$in =~ s/\A((?:.*\r\n)?0\r\n\r\n)//s ? [ _joined($1) ] : 0;
    });
    return $got ? $got->[0] : substr $self->stream->{in}, 0, length $self->stream->{in}, '';
}

sub _joined ($chunks) {
    my $body = '';
    while ($chunks =~ s/\A([0-9a-fA-F]+)\r\n// && hex $1) {
        $body .= substr $chunks, 0, hex $1, '';
        $chunks =~ s/\A\r\n//;
    }
    return $body;
}

sub header ($self, $name) { map { $_->[1] } grep { lc $_->[0] eq lc $name } $self->{response}{headers}->@* }

# The next frame, or undef at the stream's end.
sub frame ($self) {
    return $self->stream->read_until('a frame', sub ($in) { decode($in) });
}

# Reads what `$words` name, and dies saying what came instead. Data may come in any number of frames, and what follows
# it in the last of them is kept for the next question.
sub expect ($self, $words) {
    my $wanted = parse_expectation($words);
    my $got    = $self->_next($wanted);
    my ($said, $payload) = (describe($got), $got->{payload});

    if (defined $wanted->{code}) {
        my ($code, $reason) = length $payload ? unpack 'n a*', $payload : ();
        return $got if $got->{opcode} == 8 && ($code // 0) == $wanted->{code} && $reason =~ $wanted->{reason};
    }
    elsif ($got->{opcode} == $wanted->{opcode}) {
        return $got if ref $wanted->{payload} ? $payload =~ $wanted->{payload} : $payload eq $wanted->{payload};
    }
    croak "client expected $words\n     but got $said";
}

sub _next ($self, $wanted) {
    my $whole = delete $self->{left} // $self->_checked_frame($wanted);
    return $whole if $wanted->{opcode} > 2 || ref $wanted->{payload} || $whole->{opcode} != $wanted->{opcode};
    while (length $whole->{payload} < length $wanted->{payload}) {
        my $more = $self->_checked_frame($wanted);
        croak 'in the middle of data came ' . describe($more) . ' after ' . describe($whole)
            if $more->{opcode} != $whole->{opcode};
        $whole->{payload} .= $more->{payload};
    }
    my $rest = substr $whole->{payload}, length $wanted->{payload}, length $whole->{payload}, '';
    $self->{left} = { %$whole, payload => $rest } if length $rest && length $wanted->{payload};
    $whole->{payload} .= $rest unless length $wanted->{payload};
    return $whole;
}

# A frame that RFC 6455 lets a server send; a base64 one is decoded, and must be a text of its own.
sub _checked_frame ($self, $wanted) {
    my $frame = $self->frame
        or croak "client expected a frame ($wanted->{kind}) but the stream ended: " . $self->stream->{ended};
    croak 'nginx sent masked ' . describe($frame) if $frame->{masked} && !$wanted->{masked};
    croak 'nginx sent reserved bits in ' . describe($frame) if $frame->{rsv};
    croak 'nginx sent a long form of a short length in ' . describe($frame) unless $frame->{minimal};
    croak 'nginx sent a fragment: ' . describe($frame) if !$frame->{fin};
    return $frame unless $wanted->{kind} eq 'base64' && $frame->{opcode} == 1;
    croak 'not one base64 text: ' . describe($frame)
        unless $frame->{payload} =~ m{\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\z};
    $frame->{payload} = decode_base64($frame->{payload});
    return $frame;
}

# Sends and receives at once: `send` bytes of the pattern in frames of `frame` bytes, `receive` payload bytes. `encode`
# makes a frame of bytes and `decode` bytes of a payload, where that is not just binary. Returns { received, md5,
# seconds } of the payload that came in data frames.
sub pump ($self, %job) {
    my ($stream, $digest, $got, $sent, $out) = ($self->stream, Digest::MD5->new, 0, 0, '');
    my ($to_send, $to_receive, $size) = ($job{send} // 0, $job{receive} // 0, $job{frame} // 65536);
    my $encode = $job{encode} // sub ($payload) { encode(opcode => 2, payload => $payload) };
    my $decode = $job{decode} // sub ($payload) { $payload };
    my ($start, $deadline) = (Time::HiRes::time, Time::HiRes::time + time_limit);

    while ($sent < $to_send || length $out || $got < $to_receive) {
        while (length $out < 65536 && $sent < $to_send) {
            my $n = $to_send - $sent < $size ? $to_send - $sent : $size;
            $out .= $encode->(pattern($n, $sent));
            $sent += $n;
        }
        if (length $out) {
            my $n = syswrite $stream->{socket}, $out, 1 << 20;
            if ($n) { substr $out, 0, $n, ''; $deadline = Time::HiRes::time + time_limit }
            elsif (!$stream->_again) { croak "nginx closed the connection: $!, received $got bytes" }
        }
        while ($got < $to_receive and my $frame = decode(\$stream->{in})) {
            croak 'unexpected ' . describe($frame) . " after $got bytes" if $frame->{opcode} > 2;
            my $payload = $decode->($frame->{payload});
            $digest->add($payload);
            $got += length $payload;
            $deadline = Time::HiRes::time + time_limit;
        }
        croak "the stream ended ($stream->{ended}) after $got bytes" if $stream->{ended} && $got < $to_receive;
        croak "timed out: $sent bytes sent but for " . length($out) . ", $got received"
            if Time::HiRes::time > $deadline;
        my $idle = $got < $to_receive || length $out;
        $stream->turn(length $out || $sent < $to_send, $idle ? $deadline - Time::HiRes::time : 0);
    }
    return { received => $got, md5 => $digest->hexdigest, seconds => Time::HiRes::time - $start };
}

sub end     ($self) { $self->stream->end_writing }
sub reset   ($self) { $self->stream->reset }
sub close   ($self) { $self->stream->close }
sub saw_end ($self) { $self->stream->await_end }

1;
