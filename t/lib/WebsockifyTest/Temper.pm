package WebsockifyTest::Temper;

# How a target behaves, as a sentence: "sends "RFB 003.008\n", echoes 5 then closes". Each connection runs its own
# copy of the sentence's steps.

use v5.36;
use Carp qw(croak);
use WebsockifyTest::Util qw(evaluate pattern);

use constant { PIECE => 256 * 1024, FULL => 1 << 20 };

# Each verb: whether it takes a value ('?' if it may), and what it does: true if done with, false while it waits.
my %VERB = (
    sends  => [ 1, sub ($c, $bytes) { $c->{out} .= $bytes; 1 } ],
    streams => [ 1, \&_streams ],
    awaits => [ 1, \&_awaits ],
    echoes => [ '?', \&_echoes ],
    swallows      => [ 0, sub ($c, $) { $c->{pending} = ''; 0 } ],
    waits         => [ 0, sub ($c, $) { $c->{told} && $c->{told}-- } ],
    pauses        => [ 0, sub ($c, $) { $c->{told} && $c->{told}-- } ],
    sips          => [ 1, sub ($c, $size) { $c->{piece} = $size; 1 } ],
    'half-closes' => [ 0, sub ($c, $) { !length $c->{out} && ($c->{finish} = 'half') } ],
    closes        => [ 0, sub ($c, $) { !length $c->{out} && ($c->{finish} = 'close') } ],
    resets        => [ 0, sub ($c, $) { !length $c->{out} && ($c->{finish} = 'reset') } ],
);

# The steps of a sentence: [verb, value] each.
sub parse ($sentence) {
    my $word = qr/"(?:\\.|[^"\\])*"|\((?:[^()]*)\)|(?!\s*,|\s+then\b)./s;
    my @steps;
    while ($sentence =~ /\G\s*(?:,\s*(?:then\s+)?|then\s+)?([a-z-]+)((?:$word)*)/gc) {
        my ($verb, $value) = ($1, $2);
        $value =~ s/\A\s+|\s+\z//g;
        my $known = $VERB{$verb} or croak "a target cannot <$verb>: $sentence";
        croak "<$verb> needs a value: $sentence" if $known->[0] eq '1' && !length $value;
        croak "<$verb> takes no value: $sentence" if !$known->[0] && length $value;
        push @steps, [ $verb, _value($verb, $value) ];
    }
    croak "cannot read <" . substr($sentence, pos($sentence) // 0) . "> of target: $sentence"
        if (pos($sentence) // 0) < length $sentence =~ s/\s+\z//r;
    return \@steps;
}

# What is awaited may be a number of bytes, or bytes (kept as a reference), or the end.
sub _value ($verb, $text) {
    return undef unless length $text;
    return 'end' if $text eq 'end';
    my $value = evaluate($text);
    return $verb eq 'awaits' && $text =~ /\A["']/ ? \$value : $value;
}

sub new_state ($steps) {
    return {
        steps => [@$steps], pending => '', out => '', told => 0, piece => PIECE, streamed => 0, echoed => 0,
    };
}

# Does what can be done now. Says 'half', 'close' or 'reset' when that is what the socket's owner has to do.
sub advance ($c) {
    while (my $step = $c->{steps}[0]) {
        my ($verb, $value) = @$step;
        last unless $VERB{$verb}[1]->($c, $value);
        shift $c->{steps}->@*;
        if (my $finish = delete $c->{finish}) { return $finish }
    }
    $c->{pending} = '' unless $c->{steps}->@*;
    return $c->{eof} && !length $c->{out} && !_goes_on_after_end($c) ? 'close' : '';
}

sub wants_input ($c) { _verb($c) ne 'pauses' && length $c->{out} < FULL }

sub _verb ($c) { $c->{steps}[0] ? $c->{steps}[0][0] : '' }

sub _goes_on_after_end ($c) { _verb($c) =~ /\A(?:streams|pauses|waits)\z/ }

sub _streams ($c, $size) {
    while (length $c->{out} < FULL && $c->{streamed} < $size) {
        my $n = $size - $c->{streamed} < FULL ? $size - $c->{streamed} : FULL;
        $c->{out} .= pattern($n, $c->{streamed});
        $c->{streamed} += $n;
    }
    return $c->{streamed} >= $size;
}

sub _awaits ($c, $what) {
    return $c->{eof} if $what eq 'end';
    my $size = !ref $what ? $what : do {
        my $at = index $c->{pending}, $$what;
        return 0 if $at < 0;
        $at + length $$what;
    };
    return 0 if length $c->{pending} < $size;
    substr $c->{pending}, 0, $size, '';
    return 1;
}

sub _echoes ($c, $size) {
    my $n = defined $size && $size - $c->{echoed} < length $c->{pending} ? $size - $c->{echoed} : length $c->{pending};
    $c->{out} .= substr $c->{pending}, 0, $n, '';
    $c->{echoed} += $n;
    return defined $size && $c->{echoed} >= $size;
}

1;
