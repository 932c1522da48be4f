package WebsockifyTest::Sshd;

# OpenSSH's server on a loopback port of its own, with keys that are made for it in a directory of the test's: `host`,
# `user`, which may sign in as the user that runs the test, and `known_hosts`, where it is called `target`.

use v5.36;
use WebsockifyTest::Program qw(on_free_port);
use WebsockifyTest::Util    qw(slurp);

# Options: host_key and user_key are words for ssh-keygen, program is run instead of the user's shell. With a password the
# user may sign in by that too: this sshd has an /etc/shadow of its own then, which only root can do.
sub start ($class, $files, %option) {
    my $self = bless { files => "$files" }, $class;
    $self->_make_key('host', $option{host_key});
    $self->_make_key('user', $option{user_key});
    $self->_write('known_hosts', 'target ' . slurp("$files/host.pub"));
    my @before   = $self->_before($option{password});
    my $settings = defined $option{password} ? 'PermitRootLogin yes' : 'PasswordAuthentication no';
    $settings .= "\nForceCommand $option{program}" if $option{program};
    ($self->{server}, $self->{port}) = on_free_port(sub ($port) { $self->_try($port, $settings, @before) });
    return $self;
}

sub port  ($self) { $self->{port} }
sub user  ($self) { scalar getpwuid $> }
sub story ($self) { $self->{server}->story }

# Of the host's key, as ssh shows it.
sub fingerprint ($self) { (split / /, `ssh-keygen -l -f '$self->{files}/host.pub'`)[1] }

sub _try ($self, $port, $settings, @before) {
    my $files = $self->{files};
    $self->_write('sshd_config', <<~"END");
        Port $port
        ListenAddress 127.0.0.1
        HostKey $files/host
        AuthorizedKeysFile $files/user.pub
        PidFile none
        KbdInteractiveAuthentication no
        StrictModes no
        UsePAM no
        $settings
        END
    # It wants to be called by its whole path.
    my ($sshd) = grep { -x } map { "$_/sshd" } split(/:/, $ENV{PATH}), '/usr/sbin';
    my $program = WebsockifyTest::Program->start('sshd', [ @before, $sshd // 'sshd', '-D', '-e', '-f', "$files/sshd_config" ]);
    $program->await_errors(qr/(Server listening)/);
    return $program;
}

# What is run before sshd: as root it insists on a directory, which its service otherwise makes, and a test that makes and
# removes it would take it away from another.
sub _before ($self, $password) {
    return () unless $> == 0 && (defined $password || !-d '/run/sshd');
    my $mount = 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd';
    if (defined $password) {
        my ($hash, $user) = (`openssl passwd -6 '$password'` =~ s/\n//r, $self->user);
        $self->_write('shadow', slurp('/etc/shadow') =~ s/^\Q$user\E:[^:]*:/$user:$hash:/mr);
        chmod 0600, "$self->{files}/shadow";
        $mount .= " && mount --bind '$self->{files}/shadow' /etc/shadow";
    }
    return ('unshare', '--mount', '--', 'sh', '-c', "$mount && exec \"\$@\"", 'sh');
}

sub _make_key ($self, $name, $words) {
    system(qw(ssh-keygen -q), ($words // [ qw(-t ed25519 -N), '' ])->@*, '-f', "$self->{files}/$name") and die 'ssh-keygen failed';
}

sub _write ($self, $name, $bytes) {
    open my $file, '>:raw', "$self->{files}/$name" or die "open $name: $!";
    print {$file} $bytes;
    close $file or die "close $name: $!";
}

1;
