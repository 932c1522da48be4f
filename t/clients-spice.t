#!/usr/bin/perl

# The recipes of docs/clients.md for SPICE: spice-html5 in Chromium, with qemu.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Program qw(require_programs require_file on_free_port);
use WebsockifyTest::Samples qw(recipe);

# What the machine does not have is in build/spice.
my $unpacked  = "$FindBin::Bin/../build/spice";
my $html5     = (grep { -d } map { "$_/usr/share/spice-html5" } '', $unpacked)[0];
my $libraries = join ':', glob "$unpacked/{usr/,}lib/*-linux-gnu*";
local $ENV{PATH} = "$ENV{PATH}:$unpacked/usr/bin";
require_file($html5 // "$unpacked/usr/share/spice-html5", 'run `t/support/fetch-spice.sh`');
require_programs('qemu-system-x86_64', 'node', $ENV{CHROMIUM} // '/usr/bin/chromium');

my $browser  = "$FindBin::Bin/browser";
my $files    = File::Temp->newdir('websockify-spice-XXXXXX', TMPDIR => 1);
my $password = 'a ticket';
write_file('ticket', $password);
write_file('disk', disk());
my ($qemu, $port) = on_free_port(\&start_qemu);
write_file('guests', "6f0c4a59f7be: 127.0.0.1:$port\n");
my $guests = recipe('Several guests', '/etc/nginx/guests' => "$files/guests");
my $cookie = $guests =~ s/~ \S+/= \/by-cookie/r =~ s/\$guest\b/\$cookie_token/r;
my $scene  = WebsockifyTest::Scene->new({
    name     => 'SPICE',
    sections => {
        workers     => 2,
        http_config => 'types { text/html html; text/javascript js; text/css css; }',
        log_format  => '$uri $status $websockify_subprotocol',
        config      => recipe('SPICE', '127.0.0.1:5930' => "127.0.0.1:$port", '/usr/share/spice-html5' => $html5)
            . "$guests $cookie location = /favicon.ico { return 204; }",
    },
});
$scene->start;

my $page = 'http://127.0.0.1:' . $scene->port . '/spice/spice_auto.html';
WebsockifyTest::Program->start('spice', [
    'node', "$browser/spice.mjs", $password, $page, "$page?path=guests/6f0c4a59f7be", "$page?path=by-cookie&token=6f0c4a59f7be",
])->pass_on_checks(180);
for my $path (qw(/websockify /guests/6f0c4a59f7be /by-cookie)) {
    my $line = qr/^\Q$path\E 101 binary$/m;
    ok(eval { $scene->nginx->await_access_log(qr/(?:$line.*){5}/s) }, "$path: five sessions are logged") or diag($scene->nginx->access_log);
}
diag($qemu->story) unless Test::More->builder->is_passing;
WebsockifyTest::Checks::ending($scene);
done_testing;

sub start_qemu ($port) {
    my $program = WebsockifyTest::Program->start('qemu-system-x86_64', [
        qw(qemu-system-x86_64 -no-user-config -nodefaults -display none -vga std -m 32),
        -drive => "if=floppy,format=raw,file=$files/disk",
        -object => "secret,id=ticket,file=$files/ticket", -spice => "port=$port,addr=127.0.0.1,password-secret=ticket",
        -pidfile => "$files/pid",
    ], env => { LD_LIBRARY_PATH => join ':', $libraries, $ENV{LD_LIBRARY_PATH} // () });
    $program->await_text('a pid', sub { -e "$files/pid" ? 'there' : '' }, qr/there/, 60);
    return $program;
}

# A guest whose screen is red, and then has the colour of the key that was pressed last.
sub disk () {
    my $code = pack 'H*', join '',
        'b81300', 'cd10',              # mov ax, 0013; int 10: a screen of 320x200 bytes
        'b800a0', '8ec0', 'fc',        # mov ax, a000; mov es, ax; cld
        'b004',                        # mov al, 4: red
        '240f', '31ff',                # paint: and al, 0f; xor di, di
        'b900fa', 'f3aa',              # mov cx, fa00; rep stosb
        'b400', 'cd16', 'ebf1';        # mov ah, 0; int 16: a key, in al; jmp paint
    return pack 'a510 a2 x' . (1440 * 1024 - 512), $code, "\x55\xaa";
}

sub write_file ($name, $bytes) {
    open my $file, '>:raw', "$files/$name" or die "open $name: $!";
    print {$file} $bytes;
    close $file or die "close $name: $!";
}
