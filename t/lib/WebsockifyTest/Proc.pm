package WebsockifyTest::Proc;

# What a process costs, and what it has started, from proc(5).

use v5.36;
use Exporter qw(import);
use POSIX    qw(sysconf _SC_CLK_TCK);
use WebsockifyTest::Util qw(slurp);

our @EXPORT_OK = qw(memory_of seconds_of descriptors_of descendants_of is_alive);

# Its own memory, in bytes: what it has of files does not count. 0 under a sanitizer, which keeps what is freed, and
# whose shadow is terabytes.
sub memory_of ($pid) {
    my ($size, $own) = slurp("/proc/$pid/status") =~ /^VmSize:\s+(\d+).*^RssAnon:\s+(\d+)/ms;
    return ($size // 0) > 2 ** 40 / 1024 ? 0 : 1024 * ($own // 0);
}

# The processor's time it has used, its own and the kernel's for it.
sub seconds_of ($pid) {
    my @fields = split ' ', slurp("/proc/$pid/stat") =~ s/\A.*\)//sr;
    return ($fields[11] + $fields[12]) / sysconf(_SC_CLK_TCK);
}

# How many files and sockets it has open.
sub descriptors_of ($pid) { my @all = glob "/proc/$pid/fd/*"; return scalar @all }

# All processes below one, with the time they started, for a number may be given to another process.
sub descendants_of ($pid) {
    my (%children, %name, %since);
    for my $path (glob '/proc/[0-9]*/stat') {
        my ($child, $name, $parent, $since) = slurp($path) =~ /\A(\d+) \((.*)\) \S (\d+)(?: \S+){17} (\d+)/ or next;
        push $children{$parent}->@*, $child;
        @name{$child}  = $name;
        @since{$child} = $since;
    }
    my @found = ($children{$pid} // [])->@*;
    for (my $i = 0; $i < @found; $i++) { push @found, ($children{ $found[$i] } // [])->@* }
    return map { { pid => $_, name => $name{$_}, since => $since{$_} } } @found;
}

# Whether one of these still runs.
sub is_alive ($process) {
    my ($state, $since) = slurp("/proc/$process->{pid}/stat") =~ /\) (\S) (?:\S+ ){18}(\d+)/ or return 0;
    return $since == $process->{since} && $state ne 'Z';
}

1;
