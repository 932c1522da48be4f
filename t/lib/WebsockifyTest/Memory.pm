package WebsockifyTest::Memory;

# A worker whose memory runs out when the test says so: t/support/failing-malloc.c, compiled by the test that uses it.

use v5.36;
use Carp qw(croak);
use File::Temp ();
use WebsockifyTest::Nginx;
use WebsockifyTest::Preload;

use constant MEMBERS => qw(pid from count size calls failed live);

# Has every nginx that this file starts begin with the library. Skips the whole file where it cannot be made.
sub new ($class) {
    my $files = File::Temp->newdir('websockify-memory-XXXXXX', TMPDIR => 1);
    my $self  = bless { files => $files, orders => "$files/orders" }, $class;
    open $self->{file}, '+>:raw', $self->{orders} or croak "open: $!";
    $self->_write(map { $_ => 0 } MEMBERS);

    my @words = ("FAILING_MALLOC=$self->{orders}");
    # An nginx with the address sanitizer has to be linked with it: scripts/test-asan.
    push @words, 'LD_PRELOAD=' . WebsockifyTest::Preload::library('failing-malloc') unless $ENV{TEST_NGINX_FAILING_MALLOC};
    $ENV{TEST_NGINX_BINARY} = join ' ', 'env', @words, WebsockifyTest::Nginx::binary();
    return $self;
}

# Counts the allocations of one process from here on, and fails none.
sub watch ($self, $pid) { $self->_write(pid => $pid, (map { $_ => 0 } qw(from count size calls failed live))) }

# Makes allocations fail, of those that ask for `size` bytes at least: `count` of them, from number `from` on.
sub fail ($self, %orders) {
    $self->_write(from => 0, calls => 0, failed => 0, size => $orders{size} // 0, count => $orders{count} // 1);
    $self->_write(from => $orders{from});
}

# All is well again: how many allocations have failed, of how many.
sub relent ($self) {
    $self->_write(from => 0);
    my %orders = $self->_read;
    return @orders{qw(failed calls)};
}

# Allocations that are not freed, counted from `watch` on.
sub live ($self) { my %orders = $self->_read; return $orders{live} }

sub _read ($self) {
    sysseek $self->{file}, 0, 0;
    sysread $self->{file}, my $bytes, 8 * MEMBERS;
    my %orders;
    @orders{+MEMBERS} = unpack 'q*', $bytes;
    return %orders;
}

sub _write ($self, %orders) {
    my @members = MEMBERS;
    for my $at (grep { exists $orders{ $members[$_] } } 0 .. $#members) {
        sysseek $self->{file}, 8 * $at, 0;
        syswrite $self->{file}, pack('q', $orders{ $members[$at] }) or croak "write: $!";
    }
}

1;
