package WebsockifyTest::Blocks;

# Reads a data section in Test::Nginx's notation: "=== name", a description, "--- section filters: value".

use v5.36;
use Carp qw(croak);
use Exporter qw(import);
use WebsockifyTest::Util qw(evaluate hex_bytes);

our @EXPORT_OK = qw(parse_blocks);

# Each block is { name, description, sections => { name => value } }; a value is text, or what `eval` made of it.
sub parse_blocks ($text, $known) {
    my @blocks;
    for my $piece (split /^===[ \t]*/m, $text) {
        next unless $piece =~ /\S/;
        my ($head, @sections) = split /^---[ \t]*(?=[A-Za-z])/m, $piece;
        my ($name, $description) = $head =~ /\A([^\n]*)\n?(.*)\z/s;
        my %section = map { _section($_, $name, $known) } @sections;
        push @blocks, { name => $name =~ s/\s+\z//r, description => $description =~ s/\A\s+|\s+\z//gr,
                        sections => \%section };
    }
    return @blocks;
}

sub _section ($text, $block, $known) {
    my ($head, $body) = $text =~ /\A([^\n]*)\n?(.*)\z/s;
    my ($name, $filters, $inline) = $head =~ /\A(\w+)((?:[ \t]+\w+)*)[ \t]*(?::[ \t]*(.*?))?[ \t]*\z/
        or croak "cannot read section header <--- $head> of $block";
    croak "no such section: --- $name, in $block" unless $known->{$name};

    my $value = defined $inline ? $inline : $body =~ s/\s*\z//r;
    for my $filter (split ' ', $filters) {
        if    ($filter eq 'eval') { my @all = evaluate($value); $value = @all > 1 ? \@all : $all[0] }
        elsif ($filter eq 'hex')  { $value = hex_bytes($value) }
        else                      { croak "no such filter: $filter, in $block" }
    }
    return ($name => $value);
}

1;
