# BEHAVIOUR.md section 2: how a session ends, and that nothing is lost on the way.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(
    targets => 'vnc: swallows',
    config  => 'location /websockify { websockify_pass %%vnc%%; }',
);
run_tests;

# Sends pieces of one endless frame until nginx leaves one unread, because the target is full. All that was sent is then
# with nginx or its kernel, so that an end of the stream gets through as well. Returns the number of payload bytes.
sub fill_target ($client) {
    my $piece = 16_384;
    $client->send('binary mask 00000000 declares 1000000000000 ""');
    for (my $sent = 0; $sent < 100_000_000; $sent += $piece) {
        $client->send_bytes(pattern($piece, $sent));
        return $sent + $piece unless eval { $client->stream->await_taken(0.5); 1 };
    }
    die "the target never got full\n";
}

__DATA__

=== TEST 1: client's Close: its own code, echoed; then TCP is closed by us
--- dialogue
client sends close 1000 "bye"
client gets close 1000 qr/^(bye)?$/
client sees end
vnc sees end

=== TEST 2: an empty Close is echoed empty
--- dialogue
client sends close
client gets close
client sees end
vnc sees end

=== TEST 3: close is echoed after what the target had already sent has gone out
--- targets
vnc: streams 300_000, swallows
--- steps
my $client = $t->client;
$client->stream->{reading} = 0;
$t->await('vnc', 'send it all', sub ($report) { ($report->{connections}[0]{sent} // 0) == 300_000 });
$client->send('close 1000 "bye"');
$client->stream->{reading} = 1;
$client->expect('binary pattern(300_000)');
$client->expect('close 1000 qr/^(bye)?$/');
is $client->saw_end, 'end', 'all of it, and no reset';

=== TEST 4: data in the same packet as the Close is delivered
--- dialogue
client sends binary "last words" & close 1000
client gets close 1000 ""
vnc gets "last words"
vnc sees end

=== TEST 5: what comes after the Close is not
RFC 6455 section 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
--- dialogue
client sends close 1000 & binary "more" & ping "x"
client gets close 1000 ""
client sees end
vnc gets ""
vnc sees end

=== TEST 6: a Close in the middle of a message
--- dialogue
client sends binary more "Hel" & close 1001 "away"
client gets close 1001 qr/^(away)?$/
client sees end
vnc gets "Hel"
vnc sees end

=== TEST 7: target's end of stream: 1000 `target closed`
--- targets
vnc: sends "bye", closes
--- dialogue
client gets binary "bye"
client gets close 1000 "target closed"
client sends close 1000
client sees end

=== TEST 8: a target that closes without a word was connected all the same
--- targets
vnc: closes
--- steps
for (1 .. 50) {
    my $client = $t->client;
    $client->expect('close 1000 "target closed"');
    $client->send('close 1000');
    $client->close;
}
pass 'fifty times';

=== TEST 9: a target that half-closes at once is connected all the same
--- targets
vnc: half-closes, swallows
--- steps
for (1 .. 50) {
    my $client = $t->client;
    $client->expect('close 1000 "target closed"');
    $client->send('binary "late" & close 1000');
    $t->target_gets('vnc', 'late');
    $client->close;
}
pass 'fifty times';

=== TEST 10: target's end of stream: everything received is delivered, to a slow client too
The original lost 3 to 33 KB of 4 MiB.
--- targets
vnc: streams 4_194_304, closes
--- steps
my $client = $t->client('/websockify', rcvbuf => 4096);
my $result = $client->pump(receive => 4_194_304);
is $result->{md5}, WebsockifyTest::Util::pattern_md5(4_194_304), 'byte for byte';
$client->expect('close 1000 "target closed"');
$client->send('close 1000');
is $client->saw_end, 'end', 'and then the end';

=== TEST 11: in small sips
--- targets
vnc: streams 500_000, closes
--- config
location /websockify { websockify_pass %%vnc%%; websockify_buffer_size 4k; }
--- dialogue
client gets binary pattern(500_000)
client gets close 1000 "target closed"
client sends close 1000
client sees end

=== TEST 12: until the client's answer, what it still sends goes to the target, whose other half may be open
--- targets
vnc: sends "done", half-closes, swallows
--- dialogue
client gets binary "done"
client gets close 1000 "target closed"
client sends binary "one more thing"
vnc gets "one more thing"
client sends binary "and another" & close 1000
vnc gets "and another"
vnc sees end
client sees end

=== TEST 13: pings are answered until then, and the Close stays the last frame but for them
RFC 6455 section 5.5.1 forbids us data after our Close; a pong is allowed but not needed.
--- targets
vnc: awaits "end", half-closes, swallows
--- dialogue
client sends binary "end"
client gets close 1000 "target closed"
client sends binary "x" & close 1000
vnc gets "endx"
client sees end

=== TEST 14: the client's answer to our Close is awaited for 5 s
--- targets
vnc: sends "bye", closes
--- steps
my $client = $t->client;
$client->expect('binary "bye"');
$client->expect('close 1000 "target closed"');
my $start = Time::HiRes::time;
is $client->saw_end, 'end', 'the end';
my $waited = Time::HiRes::time - $start;
cmp_ok $waited, '>', 3, sprintf 'after %.1f s', $waited;

=== TEST 15: both close at once
--- targets
vnc: awaits 3, closes
--- dialogue
client sends binary "end" & close 1000
client gets close 1000 qr/^(target closed)?$/
client sees end

=== TEST 16: target reset: close 1011, log at `error`
--- targets
vnc: sends "hello", awaits 1, resets
--- dialogue
client gets binary "hello"
client sends binary "x"
client gets close 1011 qr/./
client sees end
--- error_log
qr/\[error\] .*(?:104: Connection reset|reset)/

=== TEST 17: target reset while the client is sending
--- targets
vnc: awaits 100_000, resets
--- steps
my $client = $t->client;
$client->send('binary pattern(400_000)');
$client->expect('close 1011 qr/./');
pass 'close 1011';
--- error_log
qr/\[error\] .*(?:reset|roken pipe)/

=== TEST 18: end of stream from the client: what was received is delivered, then the target is closed
--- dialogue
client sends binary "and gone"
client leaves
vnc gets "and gone"
vnc sees end

=== TEST 19: end of stream in the middle of a frame
--- dialogue
client sends binary declares 1000 "half a fra"
client ends
vnc gets "half a fra"
vnc sees end
client sees end

=== TEST 20: end of stream in the middle of a header
--- dialogue
client sends binary "whole" & bytes 82 FE 00
client ends
vnc gets "whole"
vnc sees end

=== TEST 21: end of stream from the client, much of it received
--- targets
vnc (rcvbuf 4096): sips 3000, swallows
--- steps
my $client = $t->client;
$client->send('binary pattern(1_000_000)');
$client->close;
$t->target_gets('vnc', pattern(1_000_000));
$t->target_sees('vnc', 'end');
pass 'all of it';

=== TEST 22: after a reset it is dropped at once
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- log_format: status=$status
--- steps
my $client = $t->client;
$client->stream->write_until_full((WebsockifyTest::Frame::parse_frames('binary pattern(8_000_000)'))[0]);
$client->reset;
$t->nginx->await_access_log(qr/^status=101$/m);
$t->targets->tell('vnc');
my $size = $t->await('vnc', 'be closed', sub ($report) {
    my $c = $report->{connections}[0];
    return !$c->{open} && $c->{size};
});
cmp_ok $size, '<', 8_000_000, 'not all was delivered';

=== TEST 23: what was received is delivered as long as the target takes at least one byte in 5 s (then dropped, and logged)
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- log_format: status=$status
--- steps
my $client = $t->client;
my $sent   = fill_target($client);
$client->close;
my $start = Time::HiRes::time;
{
    local $ENV{TEST_NGINX_TIMEOUT} = 30;
    $t->nginx->await_access_log(qr/^status=101$/m);
}
my $waited = Time::HiRes::time - $start;
cmp_ok $waited, '>', 3, sprintf 'the session ended after %.1f s', $waited;
--- error_log
qr/\[(?:info|warn|error)\] .*(?:dropped|not taken)/

=== TEST 24: a target that goes on reading after a pause of less than 5 s gets it all
--- targets
vnc (rcvbuf 4096): pauses, swallows
--- steps
my $client = $t->client;
my $sent   = fill_target($client);
$client->close;
Time::HiRes::sleep 1;
$t->targets->tell('vnc');
$t->target_sees('vnc', 'end');
my $got = $t->targets->report('vnc')->{connections}[0];
is $got->{size}, $sent, 'all that was sent';
is $got->{md5}, WebsockifyTest::Util::pattern_md5($sent), 'byte for byte';

=== TEST 25: a slow or a malicious peer never costs another session anything
--- targets
vnc: echoes
full: pauses
--- config
location /websockify { websockify_pass %%vnc%%; }
location /full { websockify_pass %%full%%; }
--- steps
my $other = $t->client;
my $full  = $t->client('/full');
$full->stream->write_until_full((WebsockifyTest::Frame::parse_frames('binary pattern(30_000_000)'))[0]);
my $silent = $t->client;
$silent->send('binary declares 9223372036854775807 "x"');
my $bad = $t->client;
$bad->send('bytes ' . 'ff' x 1000);
$bad->expect('close 1002 qr/./');
$other->send('binary "fine" & ping "too"');
my @kinds = sort map { $other->frame->{opcode} } 1, 2;
is_deeply \@kinds, [ 10, 2 ], 'echo and pong';

=== TEST 26: the access log says 101, the address, and when
--- log_format: $status $upstream_addr $upstream_status $request_time=$upstream_connect_time
--- dialogue
client sends binary "hello"
vnc gets "hello"
client sends close 1000
client gets close 1000 ""
client sees end
--- access_log
qr/^101 127\.0\.0\.1:\d+ 101 \d+\.\d{3}=\d+\.\d{3}$/

=== TEST 27: $bytes_sent, $upstream_bytes_sent and $upstream_bytes_received are right
--- targets
vnc: sends pattern(1000), swallows
--- log_format: $upstream_bytes_sent $upstream_bytes_received
--- dialogue
client gets binary pattern(1000)
client sends binary pattern(700)
vnc gets pattern(700)
client sends close 1000
client gets close 1000 ""
client sees end
--- access_log
qr/^700 1000$/

=== TEST 28: the Close leaves where nginx is told not to linger, though something unread makes the end a reset
Guards: it was kept back to go with the end of the stream, and the reset dropped it.
--- targets
vnc: swallows
--- config
location /websockify { websockify_pass %%vnc%%; lingering_close off; }
--- steps
my $client = $t->client;
$client->send('binary unmasked "x" & binary mask 00000000 pattern(500_000)');
$client->expect('close 1002 qr/mask/');
