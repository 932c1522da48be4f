//! Several processes' books in one table, each process played by a value or a thread.

use std::sync::atomic::AtomicU64;

use websockify_status::{
    write_metrics, write_sessions, write_totals, Counters, Ending, Event, Owner, Place, Progress, Record,
    Refusal, Shelf, Slot, Table, Text, Totals, Unconnected, SLOTS,
};

const CLIENT_CLOSE: Event = Event::Ended(Ending::ClientClose, 1000);

fn words(pages: usize) -> Vec<AtomicU64> {
    (0..pages * 512).map(|_| AtomicU64::new(0)).collect()
}

fn owner(pid: u32) -> Owner {
    Owner::new(pid, 77)
}

fn claim(table: Table<'_>, pid: u32) -> Slot<'_> {
    table.claim(owner(pid), |_| true, |_| true).expect("a slot")
}

fn record(id: u64) -> Record<'static> {
    Record { id, opened_at: 1000, client: b"192.0.2.1", target: b"10.0.0.5:5900", token_hash: 0, name: 0 }
}

fn json(table: Table<'_>) -> String {
    let mut text = Text::default();
    write_totals(&mut text, &Totals::of(table).expect("memory"), "0").expect("memory");
    String::from_utf8(text.into_bytes()).expect("UTF-8")
}

fn metrics(table: Table<'_>) -> String {
    let mut text = Text::default();
    write_metrics(&mut text, &Totals::of(table).expect("memory"), "0").expect("memory");
    String::from_utf8(text.into_bytes()).expect("UTF-8")
}

fn sessions(table: Table<'_>, now: u64) -> String {
    let mut text = Text::default();
    write_sessions(&mut text, table, now, false).expect("memory");
    String::from_utf8(text.into_bytes()).expect("UTF-8")
}

fn plain(slot: Slot<'_>) -> Counters<'_> {
    slot.counters(0).expect("room")
}

#[test]
fn too_few_words_are_no_table() {
    let words = words(1);
    assert!(Table::open(&words, 1).is_none());
}

#[test]
fn a_table_is_made_once_and_found_again() {
    let words = words(8);
    let table = Table::open(&words, 5).expect("room");
    let slot = claim(table, 1);
    plain(slot).opened();
    let again = Table::open(&words, 6).expect("room");
    assert!(json(again).contains("\"active\":1,"));
    assert_eq!(table.hash(b"token"), again.hash(b"token"), "the key stays");
}

#[test]
fn sums_are_over_all_processes() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let (one, two) = (claim(table, 1), claim(table, 2));
    assert_ne!(one.index(), two.index());
    for slot in [one, two] {
        plain(slot).opened();
        plain(slot).moved(&Progress { bytes_received: 3, frames_sent: 2, ..Progress::default() });
    }
    plain(two).opened();
    plain(two).count(CLIENT_CLOSE);
    let text = json(table);
    assert!(text.contains("\"active\":2,\"opened\":3,"), "{text}");
    assert!(
        text.contains("\"ended\":[{\"cause\":\"client_close\",\"code\":\"1000\",\"count\":1}]"),
        "{text}"
    );
    assert!(text.contains("\"bytes_received\":6,\"bytes_sent\":0,\"frames_received\":0,\"frames_sent\":4,"));
    assert!(text.contains("\"workers\":2,"), "{text}");
}

#[test]
fn the_sessions_of_a_process_that_is_gone_are_lost() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let (dead, alive) = (claim(table, 1), claim(table, 2));
    let mut shelf = Shelf::default();
    for id in 0..3 {
        plain(dead).opened();
        shelf.put(dead, &record(id), ());
    }
    plain(dead).count(CLIENT_CLOSE);
    plain(alive).opened();
    for _ in 0..2 {
        table.bury_dead(owner(2), |owner| owner.pid() == 2);
        let text = json(table);
        assert!(text.contains("\"active\":1,\"opened\":4,"), "{text}");
        assert!(text.contains("{\"cause\":\"lost\",\"code\":\"1006\",\"count\":2}"), "{text}");
        assert!(!sessions(table, 0).contains("\"id\""));
    }
    // The next one goes on with its counters.
    let next = table.claim(owner(3), |_| true, |_| true).expect("a slot");
    assert_eq!(next.index(), dead.index());
    plain(next).opened();
    assert!(json(table).contains("\"active\":2,\"opened\":5,"));
}

#[test]
fn who_dies_while_it_buries_is_followed_by_another() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    plain(claim(table, 1)).opened();
    let me = owner(2);
    // It panics after it has taken the slot, at its first look at what is in there.
    let caught = std::panic::catch_unwind(|| {
        table.bury_dead(me, |owner| {
            assert_eq!(owner.pid(), 1, "looked too far");
            false
        });
    });
    assert!(caught.is_ok());
    table.bury_dead(owner(3), |_| false);
    assert!(json(table).contains("\"active\":0,\"opened\":1,"));
    assert_eq!(table.claimed().count(), 0);
}

#[test]
fn a_number_that_is_given_again_is_another_process() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    plain(table.claim(Owner::new(9, 1), |_| true, |_| true).expect("a slot")).opened();
    let now = Owner::new(9, 2);
    table.bury_dead(owner(1), |owner| owner == now);
    assert!(json(table).contains("\"active\":0,"));
}

#[test]
fn slots_run_out_and_come_back() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let slots: Vec<_> = (1..=256).map(|pid| claim(table, pid)).collect();
    assert_eq!(slots.len(), SLOTS);
    assert!(table.claim(owner(999), |_| true, |_| true).is_none());
    slots[7].release();
    assert_eq!(table.claim(owner(999), |_| true, |_| true).expect("a slot").index(), 7);
    slots[9].release();
    assert!(table.claim(owner(998), |_| true, |index| index != 9).is_none());
}

#[test]
fn sessions_are_listed_with_what_is_known_of_them() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let slot = claim(table, 1);
    let mut shelf = Shelf::default();
    let name = table.name(b"desk\"top");
    let place = shelf.put(slot, &Record { name, ..record(0xabc) }, ()).expect("room");
    shelf.update(place, 12, 34, 1500);
    shelf.set_round_trip(place, 7);
    let expected = "{\"id\":\"0000000000000abc\",\"name\":\"desk\\\"top\",\"client\":\"192.0.2.1\",\
        \"target\":\"10.0.0.5:5900\",\"age\":2.250,\"idle\":1.750,\"bytes_received\":12,\"bytes_sent\":34,\
        \"round_trip\":0.007}";
    assert_eq!(sessions(table, 3250), format!("{{\"control\":false,\"sessions\":[\n{expected}]}}\n"));
    shelf.take(place);
    assert_eq!(sessions(table, 3250), "{\"control\":false,\"sessions\":[]}\n");
}

#[test]
fn records_run_out_but_counting_goes_on() {
    let words = words(6);
    let table = Table::open(&words, 1).expect("room");
    let slot = claim(table, 1);
    let counters = plain(slot);
    let mut shelf = Shelf::default();
    let places: Vec<Option<Place>> = (0..200)
        .map(|id| {
            counters.opened();
            shelf.put(slot, &record(id), id)
        })
        .collect();
    let listed = places.iter().flatten().count() as u64;
    assert!((24..200).contains(&listed), "{listed}");
    let text = json(table);
    let expected = format!("\"active\":200,\"listed\":{listed},\"unlisted\":{},", 200 - listed);
    assert!(text.contains(&expected), "{text}");
    for place in places.into_iter().flatten() {
        shelf.take(place);
    }
    // Another process may have the room now.
    let mut other = Shelf::default();
    let there = claim(table, 2);
    let again = (0..200).filter_map(|id| other.put(there, &record(id), id)).count() as u64;
    assert_eq!(again, listed);
}

#[test]
fn an_order_reaches_the_sessions_that_are_meant_and_no_others() {
    let words = words(16);
    let table = Table::open(&words, 1).expect("room");
    let (one, two) = (claim(table, 1), claim(table, 2));
    let (mut here, mut there) = (Shelf::default(), Shelf::default());
    for id in 0..40 {
        here.put(one, &record(id), id);
        there.put(two, &record(100 + id), 100 + id);
    }
    let order = table.order(b"lunch", |listed| listed.id == 3 || listed.id == 103 || listed.id == 105);
    assert_eq!(order.count, 3);
    assert_eq!(order.slots().collect::<Vec<_>>(), [one.index(), two.index()]);
    fn taken(shelf: &Shelf<'_, u64>, slot: Slot<'_>) -> Vec<(u64, String)> {
        let mut from = 0;
        std::iter::from_fn(move || shelf.take_ordered(slot, &mut from))
            .map(|(id, reason)| (id, String::from_utf8_lossy(reason.as_bytes()).into_owned()))
            .collect()
    }
    assert_eq!(taken(&here, one), [(3, "lunch".to_owned())]);
    assert_eq!(taken(&there, two), [(103, "lunch".to_owned()), (105, "lunch".to_owned())]);
    assert_eq!(taken(&there, two), []);
    assert_eq!(table.order(b"", |_| false).count, 0);
}

#[test]
fn an_order_by_target_or_token_compares_what_stands_for_it() {
    let words = words(16);
    let table = Table::open(&words, 1).expect("room");
    let slot = claim(table, 1);
    let mut shelf = Shelf::default();
    let long = b"unix:/a/path/that/is/so/long/that/a/record/has/no/room/for/the/whole/of/it.sock";
    shelf.put(slot, &Record { target: long, token_hash: table.hash(b"secret"), ..record(1) }, 1);
    shelf.put(slot, &Record { target: &long[..60], token_hash: table.hash(b"other"), ..record(2) }, 2);
    assert!(!sessions(table, 0).contains(".sock"));
    let (target, token) = (table.hash(long), table.hash(b"other"));
    assert_eq!(table.order(b"", |listed| listed.target_hash == target).count, 1);
    assert_eq!(shelf.take_ordered(slot, &mut 0).map(|(id, _)| id), Some(1));
    assert_eq!(table.order(b"", |listed| listed.token_hash == token).count, 1);
    assert_eq!(shelf.take_ordered(slot, &mut 0).map(|(id, _)| id), Some(2));
}

#[test]
fn an_order_for_a_session_that_is_gone_is_not_its_successors() {
    let words = words(16);
    let table = Table::open(&words, 1).expect("room");
    let slot = claim(table, 1);
    let mut shelf = Shelf::default();
    let place = shelf.put(slot, &record(1), 1).expect("room");
    table.order(b"", |_| true);
    shelf.take(place);
    assert_eq!(shelf.put(slot, &record(2), 2), Some(place));
    assert_eq!(shelf.take_ordered(slot, &mut 0), None);
}

#[test]
fn a_reason_is_cut_to_what_a_close_has_room_for() {
    let words = words(16);
    let table = Table::open(&words, 1).expect("room");
    let slot = claim(table, 1);
    let mut shelf = Shelf::default();
    shelf.put(slot, &record(1), ());
    table.order(&[b'x'; 500], |_| true);
    let (_, reason) = shelf.take_ordered(slot, &mut 0).expect("an order");
    assert_eq!(reason.as_bytes(), [b'x'; 123]);
}

#[test]
fn a_clients_own_codes_are_counted_by_the_thousand() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let counters = plain(claim(table, 1));
    for code in 3000..=4999 {
        counters.opened();
        counters.count(Event::Ended(Ending::ClientClose, code));
    }
    let text = json(table);
    for code in ["3xxx", "4xxx"] {
        assert!(text.contains(&format!("\"code\":\"{code}\",\"count\":1000")), "{text}");
    }
    assert!(text.contains("\"active\":0,\"opened\":2000,"));
}

#[test]
fn more_causes_than_there_is_room_for_lose_no_count() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let counters = plain(claim(table, 1));
    for code in 1000..1200 {
        counters.opened();
        counters.count(Event::Ended(Ending::Internal, code));
    }
    assert!(json(table).contains("\"active\":0,\"opened\":200,"));
}

#[test]
fn the_metrics_say_the_same() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    let slot = claim(table, 1);
    let counters = slot.counters(table.name(b"lab")).expect("room");
    for round_trip in [1, 2, 3, 6000] {
        counters.moved(&Progress { pings: 1, round_trip: Some(round_trip), ..Progress::default() });
    }
    counters.opened();
    counters.count(Event::Ended(Ending::NoPong, 1001));
    counters.count(Event::Refused(Refusal::Handshake, 426));
    counters.count(Event::Unconnected(Unconnected::TimedOut));
    let text = metrics(table);
    for line in [
        "websockify_sessions_active{name=\"lab\"} 0",
        "websockify_sessions_ended_total{name=\"lab\",cause=\"no_pong\",code=\"1001\"} 1",
        "websockify_handshakes_refused_total{name=\"lab\",cause=\"handshake\",status=\"426\"} 1",
        "websockify_connect_failures_total{name=\"lab\",cause=\"timeout\"} 1",
        "websockify_round_trip_seconds_bucket{name=\"lab\",le=\"0.001\"} 1",
        "websockify_round_trip_seconds_bucket{name=\"lab\",le=\"0.005\"} 3",
        "websockify_round_trip_seconds_bucket{name=\"lab\",le=\"5.000\"} 3",
        "websockify_round_trip_seconds_bucket{name=\"lab\",le=\"+Inf\"} 4",
        "websockify_round_trip_seconds_sum{name=\"lab\"} 6.006",
        "websockify_round_trip_seconds_count{name=\"lab\"} 4",
        "websockify_pings_total{name=\"lab\"} 4",
        "websockify_sessions_opened_total{name=\"\"} 0",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
}

#[test]
fn names_are_found_again_and_run_out() {
    let words = words(8);
    let table = Table::open(&words, 1).expect("room");
    assert_eq!(table.name(b""), 0);
    assert_eq!(table.name(b"a"), 1);
    assert_eq!(table.name(b"b"), 2);
    assert_eq!(table.name(b"a"), 1);
    for number in 3..90_u8 {
        let expected = if number < 32 { usize::from(number) } else { 0 };
        assert_eq!(table.name(&[number]), expected);
    }
}

#[test]
fn readers_and_writers_run_at_once() {
    const EACH: u64 = 3_000;
    let words = words(64);
    let table = Table::open(&words, 1).expect("room");
    std::thread::scope(|scope| {
        for pid in 1..=3 {
            scope.spawn(move || {
                let slot = claim(table, pid);
                let counters = plain(slot);
                let mut shelf = Shelf::default();
                for number in 0..EACH {
                    let id = u64::from(pid) << 32 | number;
                    counters.opened();
                    let target = id.to_be_bytes();
                    let place = shelf.put(slot, &Record { target: &target, ..record(id) }, id).expect("room");
                    while let Some((ordered, reason)) = shelf.take_ordered(slot, &mut 0) {
                        assert_eq!(ordered, id);
                        assert!(reason.as_bytes().is_empty() || reason.as_bytes() == b"now");
                    }
                    shelf.take(place);
                    counters.count(CLIENT_CLOSE);
                }
            });
        }
        scope.spawn(move || {
            for _ in 0..300 {
                // What is read of a record belongs together.
                table.order(b"now", |listed| {
                    assert_eq!(listed.target_hash, table.hash(&listed.id.to_be_bytes()));
                    true
                });
                assert!(sessions(table, 0).ends_with("]}\n"));
                assert!(json(table).ends_with("]}\n"));
            }
        });
    });
    assert!(json(table).contains(&format!("\"active\":0,\"opened\":{},", 3 * EACH)));
}
