//! One follower against scripted answers. What happens in all orders, the simulator in `tests/model` tries out.

use std::time::Duration;

use super::*;
use crate::base::Timestamp;
use crate::revocation::{Mark, MarkKind};

const SECOND: Duration = Duration::from_secs(1);

fn uptime(seconds: u64) -> Uptime {
    Uptime::after_start(Duration::from_secs(seconds))
}

fn id(millis: u64) -> StreamId {
    StreamId::new(millis, 0)
}

fn mark(number: u32) -> StoredMark {
    let expires_at = Timestamp::from_seconds(1000);
    let (issuer, value) = ("https://a".to_owned(), number.to_string());
    Mark { kind: MarkKind::Jti, issuer, value, expires_at, issued_before: None }.into()
}

/// Of bucket 3, which is followed here.
fn marks() -> Vec<StoredMark> {
    let mut marks: Vec<_> = (0..200).map(mark).filter(|mark| Bucket::of(&mark.key).number() == 3).collect();
    marks.sort_by_key(|mark| mark.key);
    marks
}

fn history(name: &str) -> History {
    History { run_id: name.into(), replication_id: "r".into() }
}

fn ends(first: u64, last: u64) -> Ends {
    Ends { first: (first > 0).then(|| id(first)), last: id(last), deleted: StreamId::ZERO, added: last }
}

fn look(name: &str, seconds: u64, ends: Ends) -> Heard {
    Heard::Ends { sent: uptime(seconds), history: history(name), ends }
}

fn entries(seconds: u64, entries: &[(u64, &StoredMark)]) -> Heard {
    let entries = entries.iter().map(|(millis, mark)| Entry { id: id(*millis), mark: (*mark).clone() }).collect();
    Heard::Entries { sent: uptime(seconds), entries }
}

struct Story {
    view: Arc<View>,
    follower: Follower,
}

impl Story {
    fn begin() -> Self {
        let view = Arc::new(View::new());
        let bucket = Bucket::all().nth(3).unwrap();
        let pace = Pace { entries: 2, page: 2, look_every: 10 * SECOND };
        Self { follower: Follower::new(bucket, Arc::clone(&view), pace), view }
    }

    /// Begun, with what there was at `id`.
    fn reading_from(millis: u64) -> Self {
        let mut story = Self::begin();
        story.tell(Heard::Connected, Ask::Ends);
        story.tell(look("a", 1, ends(1, millis)), Ask::Page { after: None, limit: 2 });
        assert_eq!(story.tell(Heard::Page(Vec::new()), story.read(millis)), [Action::Announce]);
        story
    }

    fn read(&self, millis: u64) -> Ask {
        Ask::Read { after: id(millis), limit: self.follower.pace.entries }
    }

    fn tell(&mut self, heard: Heard, next: Ask) -> Vec<Action> {
        let story = format!("{heard:?}");
        let actions = self.follower.hear(heard);
        assert_eq!(self.follower.ask(), next, "{story}");
        actions
    }
}

const FIRST_PAGE: Ask = Ask::Page { after: None, limit: 2 };

#[test]
fn it_pages_first_and_reads_from_where_the_stream_stood_before() {
    let (mut story, marks) = (Story::begin(), marks());
    assert_eq!((story.follower.ask(), story.follower.fresh_at()), (Ask::Connect, None));
    story.tell(Heard::Connected, Ask::Ends);
    story.tell(look("a", 1, ends(3, 7)), FIRST_PAGE);
    story.tell(Heard::Page(marks[..2].to_vec()), Ask::Page { after: Some(marks[1].key), limit: 2 });
    assert_eq!(story.follower.position(), None, "half of it is no position");
    let actions = story.tell(Heard::Page(Vec::new()), story.read(7));
    assert_eq!((actions, story.view.len()), (vec![Action::Announce], 2));
    assert_eq!(story.follower.fresh_at(), Some(uptime(1)), "what changed meanwhile is not read yet");
    let actions = story.tell(entries(2, &[(8, &marks[2])]), story.read(8));
    assert_eq!((actions, story.view.len()), (vec![Action::Announce], 3));
    assert_eq!(story.follower.fresh_at(), Some(uptime(2)), "as of when it was asked, not of when it was answered");
    assert_eq!(story.follower.position(), Some((&history("a"), id(8))));
    assert_eq!(story.tell(entries(3, &[]), story.read(8)), []);
    assert_eq!(story.follower.fresh_at(), Some(uptime(3)));
}

#[test]
fn after_a_cut_it_resumes_or_reads_everything_anew() {
    let resumed = Story::begin().read(7);
    for (what, server, stream, next) in [
        ("nothing changed", "a", ends(3, 7), resumed),
        ("new entries", "a", ends(3, 9), resumed),
        ("its last entry is the first now", "a", ends(7, 9), resumed),
        ("its last entry was trimmed", "a", ends(8, 9), FIRST_PAGE),
        ("all were trimmed", "a", ends(0, 9), FIRST_PAGE),
        ("a later one was deleted", "a", Ends { deleted: id(8), ..ends(3, 9) }, FIRST_PAGE),
        ("the last entries were lost", "a", ends(3, 6), FIRST_PAGE),
        ("the stream is gone", "a", Ends::default(), FIRST_PAGE),
        ("another server, though the ids would fit", "b", ends(3, 7), FIRST_PAGE),
        ("another stream, though the ids would fit", "a", Ends { added: 7, ..ends(7, 9) }, FIRST_PAGE),
        ("another stream, though its last id is the same", "a", Ends { added: 8, ..ends(3, 7) }, FIRST_PAGE),
    ] {
        let mut story = Story::reading_from(7);
        story.tell(Heard::Failed, Ask::Connect);
        assert_eq!(story.follower.position(), None, "{what}");
        story.tell(Heard::Connected, Ask::Ends);
        let actions = story.tell(look(server, 2, stream), next);
        assert_eq!(actions, [], "{what}");
    }
}

#[test]
fn what_the_store_has_lost_is_handed_out() {
    let (mut story, marks) = (Story::reading_from(7), marks());
    story.tell(entries(2, &[(8, &marks[0])]), story.read(8));
    story.tell(entries(3, &[(9, &marks[1])]), story.read(9));
    story.tell(Heard::Failed, Ask::Connect);
    story.tell(Heard::Connected, Ask::Ends);
    story.tell(look("b", 4, ends(3, 8)), FIRST_PAGE);
    let weaker = StoredMark { expires_at: Timestamp::from_seconds(1), ..marks[0].clone() };
    story.tell(Heard::Page(vec![weaker, marks[2].clone()]), Ask::Page { after: Some(marks[2].key), limit: 2 });
    let actions = story.tell(Heard::Page(Vec::new()), story.read(8));
    let [Action::Restore(lacking), Action::Announce] = &actions[..] else { panic!("{actions:?}") };
    let mut lacking = lacking.clone();
    lacking.sort_by_key(|mark| mark.key);
    let nameless = |mark: &StoredMark| StoredMark { name: None, ..mark.clone() };
    assert_eq!(lacking, [nameless(&marks[0]), nameless(&marks[1])], "the weaker one too, and nothing that is there");
}

#[test]
fn an_answer_as_long_as_may_be_could_have_begun_after_a_gap() {
    for (what, stream, fits) in [("it did not", ends(7, 9), true), ("it did, or nobody knows", ends(8, 9), false)] {
        let (mut story, marks) = (Story::reading_from(7), marks());
        let actions = story.tell(entries(2, &[(8, &marks[0]), (9, &marks[1])]), Ask::Ends);
        assert_eq!((actions, story.follower.position()), (vec![Action::Announce], None), "{what}");
        let fresh_at = |story: &Story| story.follower.fresh_at();
        assert_eq!((story.view.len(), fresh_at(&story)), (2, Some(uptime(1))), "{what}");
        // A cut in between does not make it forget the doubt.
        story.tell(Heard::Failed, Ask::Connect);
        story.tell(Heard::Connected, Ask::Ends);
        let next = if fits { story.read(9) } else { FIRST_PAGE };
        story.tell(look("a", 3, stream), next);
        assert_eq!(fresh_at(&story), Some(uptime(if fits { 3 } else { 1 })), "{what}");
        story.tell(Heard::Failed, Ask::Connect);
        story.tell(Heard::Connected, Ask::Ends);
        story.tell(look("a", 4, Ends { last: id(10), added: 10, ..stream }), next);
        assert_eq!(fresh_at(&story), Some(uptime(if fits { 3 } else { 1 })), "{what}: there is more");
    }
}

#[test]
fn it_looks_again_every_so_often_without_a_cut() {
    let mut story = Story::reading_from(7);
    story.tell(entries(10, &[]), story.read(7));
    story.tell(entries(11, &[]), Ask::Ends);
    story.tell(look("a", 12, ends(3, 7)), story.read(7));
    story.tell(entries(13, &[]), story.read(7));
    story.tell(entries(22, &[]), Ask::Ends);
    story.tell(look("b", 23, ends(3, 7)), FIRST_PAGE);
}

/// Whoever waits for an entry waits for ever if nobody says that it was read.
#[test]
fn a_position_that_was_not_known_when_it_moved_is_announced_once_it_is() {
    for (what, seconds, one_answer) in
        [("it was time to look", 20, false), ("the answer was as long as may be", 2, true)]
    {
        let (mut story, marks) = (Story::reading_from(7), marks());
        let read = [(8, &marks[0]), (9, &marks[1])];
        let read = if one_answer { &read[..] } else { &read[..1] };
        let last = read.last().unwrap().0;
        story.tell(entries(seconds, read), Ask::Ends);
        assert_eq!(story.follower.position(), None, "{what}");
        story.tell(Heard::Failed, Ask::Connect);
        story.tell(Heard::Connected, Ask::Ends);
        let actions = story.tell(look("a", seconds, ends(3, last)), story.read(last));
        assert_eq!(actions, [Action::Announce], "{what}");
        assert_eq!(story.follower.position(), Some((&history("a"), id(last))), "{what}");
        // Once is enough.
        story.tell(entries(seconds + 20, &[]), Ask::Ends);
        assert_eq!(story.tell(look("a", seconds + 20, ends(3, last)), story.read(last)), [], "{what}");
    }
}

#[test]
fn paging_goes_on_after_a_cut_and_begins_again_after_a_loss() {
    let marks = marks();
    for (what, server, stream, next) in [
        ("the same", "a", ends(3, 9), Ask::Page { after: Some(marks[1].key), limit: 2 }),
        ("another server", "b", ends(3, 9), FIRST_PAGE),
        ("trimmed beyond where it would be read on", "a", ends(8, 9), FIRST_PAGE),
    ] {
        let mut story = Story::begin();
        story.tell(Heard::Connected, Ask::Ends);
        story.tell(look("a", 1, ends(3, 7)), FIRST_PAGE);
        story.tell(Heard::Page(marks[..2].to_vec()), Ask::Page { after: Some(marks[1].key), limit: 2 });
        story.tell(Heard::Failed, Ask::Connect);
        story.tell(Heard::Connected, Ask::Ends);
        assert_eq!(story.tell(look(server, 2, stream), next), [], "{what}");
        assert_eq!(story.follower.fresh_at(), None, "{what}");
        story.tell(Heard::Page(Vec::new()), story.read(if next == FIRST_PAGE { 9 } else { 7 }));
        let began = if next == FIRST_PAGE { 2 } else { 1 };
        assert_eq!(
            story.follower.fresh_at(),
            Some(uptime(began)),
            "{what}: what came before the cut may be on no page"
        );
    }
}

#[test]
fn answers_to_what_was_not_asked_lead_to_a_new_connection() {
    let marks = marks();
    let mut story = Story::reading_from(7);
    story.tell(Heard::Page(marks[..1].to_vec()), Ask::Connect);
    assert_eq!(story.view.len(), 1, "a mark is a mark, wherever it comes from");
    let mut story = Story::begin();
    for heard in [entries(1, &[]), Heard::Page(Vec::new()), look("a", 1, ends(3, 7))] {
        story.tell(heard, Ask::Connect);
        assert_eq!((story.follower.position(), story.follower.fresh_at()), (None, None));
    }
}
